"""Databases in any state, and what they should hold in the end."""

import attrs
from hypothesis import strategies as st

from nqosd.compiler.desired import OWNER, Desired, QosRow, RowKey
from nqosd.northbound.plan.plan import Plan, make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import ADDRESSES, GROUPS, KEYS, PORTS, SETS, SWITCHES, row
from tests.northbound.ovsdb_types import RefusedError

OWNERS = ("nqosd", "nqosd", "other", None)
"""Whose a row may be; None: of somebody who doesn't know nqosd."""


@st.composite
def databases(draw: st.DrawFn) -> ModelDatabase:
    """Draw a database with rows of ours, right and wrong ones, and of others."""
    database = ModelDatabase()
    database.add("NB_Global", name="node1")
    for name in draw(st.sets(st.sampled_from(PORTS))):
        database.add("Logical_Switch_Port", name=name)
    switches = [database.add("Logical_Switch", name=name) for name in draw(st.lists(st.sampled_from(SWITCHES)))]
    for name in draw(st.sets(st.sampled_from(SETS))):
        _add(database, "Address_Set", draw(st.sampled_from(OWNERS)), name=name, addresses=draw(_subset(ADDRESSES)))
    ports = sorted(database.tables["Logical_Switch_Port"])
    for name in draw(st.sets(st.sampled_from(GROUPS))):
        members = draw(_subset(tuple(ports))) if ports else frozenset()
        _add(database, "Port_Group", draw(st.sampled_from(OWNERS)), name=name, ports=members)
    for _ in range(draw(st.integers(0, 5)) if switches else 0):
        add_row(database, draw(stored_rows()), draw(st.sampled_from(OWNERS)), draw(_subset(tuple(switches), least=1)))
    return database


@st.composite
def stored_rows(draw: st.DrawFn) -> QosRow:
    """Draw a row as somebody may have left it."""
    return row(
        draw(KEYS), source=draw(st.sampled_from(SETS + GROUPS)), priority=draw(st.sampled_from([10000, 10020, 5]))
    )


def add_row(database: ModelDatabase, stored: QosRow, owner: str | None, switches: frozenset[str]) -> str:
    """Put a row into a database and attach it to switches."""
    external_ids = {**stored.external_ids(owner or "")}
    if owner is None:
        del external_ids[OWNER]
    uuid = database.add(
        "QoS",
        direction=str(stored.direction),
        priority=stored.priority,
        match=stored.match,
        action=dict(stored.action),
        bandwidth=dict(stored.bandwidth),
        external_ids=external_ids,
    )
    for switch in switches:
        rules = database.tables["Logical_Switch"][switch]["qos_rules"]
        assert isinstance(rules, frozenset)
        database.edit("Logical_Switch", switch, qos_rules=rules | {uuid})
    return uuid


def plan_whole(database: ModelDatabase, desired: Desired, plan_options: PlanOptions | None = None) -> Plan:
    """Plan everything."""
    scope = PlanScope.whole(desired, database.replica)
    return make_plan(desired, database.replica, scope, plan_options or PlanOptions("nqosd"))


def converge(database: ModelDatabase, desired: Desired, plan_options: PlanOptions | None = None) -> Plan:
    """Plan and execute everything, as the reconciler does: when a name is taken, look whose it is; return the plan."""
    plan = plan_whole(database, desired, plan_options)
    try:
        database.execute(plan.operations)
    except RefusedError:
        database.watched |= plan.new_sets
        database.refill()
        plan = plan_whole(database, desired, plan_options)
        database.execute(plan.operations)
    return plan


@attrs.frozen
class Contents:
    """What a database holds of ours, without uuids: rows with the switches they are at, and sets with members."""

    rows: dict[RowKey, list[tuple[object, ...]]]
    address_sets: dict[str, tuple[frozenset[str], dict[str, str]]]
    port_groups: dict[str, tuple[frozenset[str], dict[str, str]]]


def contents_of(database: ModelDatabase) -> Contents:
    """Read what a database holds of ours; a port group without members is none."""
    replica, found = database.replica, Contents({}, {}, {})
    for each in replica.rows.known_keys():
        found.rows[each] = [
            (
                stored.direction,
                stored.priority,
                stored.match,
                dict(stored.action),
                dict(stored.bandwidth),
                dict(stored.external_ids),
                sorted(replica.switch_name(switch) or "" for switch in replica.rows.switches_of(stored.uuid)),
            )
            for stored in replica.rows.get(each)
        ]
    for name in replica.address_sets.names():
        if (stored_set := replica.address_sets.get(name)) and stored_set.external_ids.get(OWNER) == database.owner:
            found.address_sets[name] = frozenset(stored_set.members), dict(stored_set.external_ids)
    for name in replica.port_groups.names():
        stored_set = replica.port_groups.get(name)
        if stored_set and stored_set.members and stored_set.external_ids.get(OWNER) == database.owner:
            found.port_groups[name] = frozenset(stored_set.members), dict(stored_set.external_ids)
    return found


def expected_contents(database: ModelDatabase, desired: Desired) -> Contents:
    """Say what a database should hold of ours: all that is desired and possible."""
    foreign = database.foreign()
    taken = {str(each["name"]) for table in ("Address_Set", "Port_Group") for each in foreign[table].values()}
    address_names = {str(each["name"]) for each in foreign["Address_Set"].values()}
    group_names = {str(each["name"]) for each in foreign["Port_Group"].values()}
    ports = {str(each["name"]): uuid for uuid, each in database.tables["Logical_Switch_Port"].items()}
    switches = {str(each["name"]) for each in database.tables["Logical_Switch"].values()}
    groups = {
        name: members
        for name, each in desired.port_groups.items()
        if (members := frozenset(ports[port] for port in each.ports if port in ports))
    }
    usable = (desired.address_sets.keys() | groups.keys()) - taken
    return Contents(
        rows={
            each.key: [
                (
                    str(each.direction),
                    each.priority,
                    each.match,
                    dict(each.action),
                    dict(each.bandwidth),
                    dict(each.external_ids(database.owner)),
                    [each.key.switch],
                )
            ]
            for each in desired.rows.values()
            if each.key.switch in switches and usable.issuperset(each.sets)
        },
        address_sets={
            name: (frozenset(each.addresses), dict(each.external_ids(database.owner)))
            for name, each in desired.address_sets.items()
            if name not in address_names
        },
        port_groups={
            name: (members, dict(desired.port_groups[name].external_ids(database.owner)))
            for name, members in groups.items()
            if name not in group_names
        },
    )


def _add(database: ModelDatabase, table: str, owner: str | None, **columns: object) -> None:
    external_ids = {OWNER: owner} if owner else {"k8s.ovn.org/owner-type": "Namespace"}
    database.add(table, external_ids=external_ids, **columns)


def _subset(values: tuple[str, ...], least: int = 0) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), min_size=least, max_size=len(values))
