"""What a plan does to a database, whatever it is like before."""

import copy
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqosd.compiler.desired import OWNER, Desired, RowKey
from nqosd.northbound.plan.idle_rows import IdleRows
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.row_operations import RowPlanner
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.set_table import SetTable
from nqosd.northbound.replica.stored import StoredSet, is_ours
from tests.northbound import desires
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import address_set, desired_states
from tests.northbound.worlds import contents_of, converge, databases, expected_contents, plan_whole


@given(databases(), desired_states())
def test_a_plan_makes_the_database_equal_to_what_is_desired(database: ModelDatabase, desired: Desired) -> None:
    """Duplicates, wrong contents, wrong switches, rows and sets too many or too few: all is right afterwards."""
    converge(database, desired)
    assert contents_of(database) == expected_contents(database, desired)
    assert database.replica.rows.unreadable() == []


@given(databases(), desired_states())
def test_a_second_plan_is_empty(database: ModelDatabase, desired: Desired) -> None:
    """When a plan has been carried out, planning again gives no operation, also for a daemon that has just started."""
    converge(database, desired)
    assert plan_whole(database, desired).operations == ()
    database.refill()
    assert plan_whole(database, desired).operations == ()


@given(databases(), desired_states(), st.booleans())
def test_no_row_refers_to_a_group_without_members(database: ModelDatabase, desired: Desired, stay: bool) -> None:  # noqa: FBT001
    """Whatever is there and may stay: after the plan each row of ours that names a port group of ours has a sender."""
    converge(database, desired, PlanOptions("nqosd", may_wait=lambda _key: stay))
    replica = database.replica
    for row in (row for key in replica.rows.known_keys() for row in replica.rows.get(key)):
        groups = [group for name in row.references if (group := replica.port_groups.get(name))]
        assert all(group.members for group in groups if is_ours(group.external_ids, "nqosd"))


@given(databases(), desired_states())
def test_no_port_group_is_deleted_before_its_time(database: ModelDatabase, desired: Desired) -> None:
    """A port group of ours that nobody wants loses its members, and goes only when it is known to be empty for long."""
    before = {row["name"]: uuid for uuid, row in database.tables["Port_Group"].items()}
    converge(database, desired)
    spare = plan_whole(database, desired).spare
    assert {row["name"]: uuid for uuid, row in database.tables["Port_Group"].items()}.items() >= before.items()
    assert all(database.replica.port_groups.get(name).members == set() for name in spare)  # type: ignore[union-attr]
    converge(database, desired, PlanOptions("nqosd", spent=spare))
    assert spare.isdisjoint(row["name"] for row in database.tables["Port_Group"].values())


@given(databases(), desired_states())
def test_rows_of_others_stay_as_they_are(database: ModelDatabase, desired: Desired) -> None:
    """Rows, sets and attachments of others are the same before and after."""
    before = database.foreign()
    converge(database, desired)
    assert database.foreign() == before


@given(databases(), desired_states())
def test_nothing_is_taken_away_before_all_is_known(database: ModelDatabase, desired: Desired) -> None:
    """Without pruning a plan only adds: every row, attachment and member that was there still is, unchanged."""
    before = copy.deepcopy(database.tables)
    converge(database, desired, PlanOptions("nqosd", prune=False))
    for table, rows in before.items():
        for uuid, row in rows.items():
            now = database.tables[table][uuid]
            for column, value in row.items():
                current = now[column]
                if isinstance(value, frozenset):
                    assert isinstance(current, frozenset)
                    assert current >= value
                else:
                    assert current == value


@given(databases(), desired_states())
def test_what_is_left_open_is_said(database: ModelDatabase, desired: Desired) -> None:
    """Each desired row is written, or waits for a switch or a port that isn't there, or is blocked with a reason."""
    converge(database, desired)
    plan = plan_whole(database, desired)
    switches = {row["name"] for row in database.tables["Logical_Switch"].values()}
    written = set(contents_of(database).rows)
    assert written.isdisjoint(plan.waiting)
    assert written.isdisjoint(plan.blocked)
    assert written.isdisjoint(plan.without_ports)
    assert written | plan.waiting.keys() | plan.without_ports.keys() | plan.blocked.keys() == desired.rows.keys()
    absent = {key: key.switch for key in desired.rows if key.switch not in switches}
    assert plan.waiting == {key: switch for key, switch in absent.items() if key not in plan.blocked}
    for name, whose in plan.conflicts.items():
        tables = [*database.tables["Address_Set"].values(), *database.tables["Port_Group"].values()]
        owners = [row["external_ids"] for row in tables if row["name"] == name]
        assert any(isinstance(ids, dict) and not is_ours(ids, "nqosd") for ids in owners)
        assert name in whose


@given(databases(), desired_states())
def test_equal_states_give_equal_plans(database: ModelDatabase, desired: Desired) -> None:
    """A plan depends on what is desired and what is there, not on the order in which either came about."""
    first = plan_whole(database, desired)
    reverse = Desired(
        dict(reversed([*desired.rows.items()])),
        dict(reversed([*desired.address_sets.items()])),
        dict(reversed([*desired.port_groups.items()])),
    )
    database.refill()
    assert plan_whole(database, reverse).operations == first.operations


@given(databases(), desired_states())
def test_every_operation_on_a_row_is_guarded(database: ModelDatabase, desired: Desired) -> None:
    """Every row that an operation selects by its uuid is one that the same transaction waits for, and before that."""
    guarded = set()
    for operation in plan_whole(database, desired).operations:
        where = operation.body.get("where")
        if operation.body["op"] == "wait":
            guarded.add(repr(where))
        elif where is not None:
            assert repr(where) in guarded


@given(databases(), desired_states(), st.booleans(), st.booleans())
def test_nothing_is_named_twice(database: ModelDatabase, desired: Desired, stay: bool, detach: bool) -> None:  # noqa: FBT001
    """No row is changed by two operations, and no set of members names one twice, whatever lingered before."""
    idle_rows = IdleRows()
    idle_rows.add({key: frozenset({"set_a"}) for key in database.replica.rows.known_keys()}, 0.0)
    plan_options = PlanOptions("nqosd", may_wait=lambda _key: stay, idle_rows=idle_rows, detach=detach)
    bodies = [each.body for each in plan_whole(database, desired, plan_options).operations]
    targets = [(repr(each["where"]), each["op"], repr(each.get("row"))) for each in bodies if "where" in each]
    assert len(set(targets)) == len(targets)
    for mutation in (each for body in bodies for each in cast("list[list[object]]", body.get("mutations", []))):
        members = [repr(member) for member in cast("list[list[object]]", mutation[2])[1]]
        assert len(set(members)) == len(members)


def test_an_unreadable_row_is_removed() -> None:
    """A row of ours whose external_ids don't say what it is for goes, even if nothing else is to be done."""
    database = ModelDatabase()
    uuid = database.add("QoS", match="ip4", external_ids={OWNER: "nqosd"})
    other = database.add("QoS", match="ip6", external_ids={OWNER: "other"})
    database.add("Logical_Switch", name="node1", qos_rules=frozenset({uuid, other}))
    converge(database, Desired({}, {}, {}))
    assert database.rows("QoS") == [other]


@pytest.mark.parametrize("is_there", [True, False])
def test_sets_that_many_rows_refer_to_are_looked_at_once(monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:  # noqa: FBT001
    """A set costs the same however many rows refer to it; nothing for rows that wait for their switch."""
    database, names = ModelDatabase(), tuple(f"set_{number}" for number in range(10))
    rows = [
        desires.row(desires.key(rule=number, switch="node1"), source=names[0], others=names[1:]) for number in range(20)
    ]
    state = desires.desired(rows, [address_set(name, "10.0.0.1") for name in names])
    if is_there:
        database.add("Logical_Switch", name="node1")
    converge(database, state)
    looked, get = 0, SetTable.get

    def counted(table: SetTable, name: str) -> StoredSet | None:
        nonlocal looked
        looked += 1
        return get(table, name)

    monkeypatch.setattr(SetTable, "get", counted)
    plan = make_plan(
        state, database.replica, PlanScope(frozenset(state.rows), {}, unreadable=False), PlanOptions("nqosd")
    )
    assert plan.operations == ()
    assert looked == (len(names) if is_there else 0)


def test_idle_rows_of_a_set_that_nobody_fills_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of rows may do nothing only because one set is empty; who gives that up needs none of them.

    Where somebody has deleted it they are looked at.
    """
    database, idle = ModelDatabase(), IdleRows()
    rows = [desires.row(desires.key(rule=number, switch="node1"), source="set_a") for number in range(20)]
    database.add("Logical_Switch", name="node1")
    converge(database, desires.desired(rows, [address_set("set_a", "10.0.0.1")]))
    idle.add({row.key: frozenset({name}) for row, name in zip(rows, 10 * ["set_a", "set_b"], strict=True)}, 0.0)
    examined: list[RowKey] = []
    monkeypatch.setattr(RowPlanner, "examine", lambda _planner, found: examined.append(found))
    found = []
    for name, sets in (("set_a", []), ("set_a", [address_set("set_a", "10.0.0.1")]), ("set_b", [])):
        scope, plan_options = PlanScope(frozenset(), {name: None}, False), PlanOptions("nqosd", idle_rows=idle)  # noqa: FBT003
        make_plan(desires.desired(sets=sets), database.replica, scope, plan_options)
        found.append(len(examined))
    assert found == [0, 10, 20]
