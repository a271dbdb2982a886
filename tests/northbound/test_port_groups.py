"""Senders that are known by logical ports: rows and port groups come and go with these. The server is a model."""

import pytest

from nqosd.compiler.desired import Desired, PortGroup
from nqosd.northbound import contested, idle_groups
from nqosd.northbound.plan.operations import Operation, SetName
from nqosd.northbound.results import Lacking, RoundOutcome
from tests.northbound.cases import kinds
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents

pytestmark = pytest.mark.usefixtures("impatience")

CAMERAS = row(key("games/cameras"), source="group_a")


def senders(*ports: str) -> Desired:
    """Return a row whose senders have these logical ports."""
    return desired([CAMERAS], groups=[PortGroup("group_a", "cameras", set(ports))])


async def test_a_row_comes_with_the_first_port(database: ModelDatabase) -> None:
    """Group, row and attachment are written in one transaction with the first port; nothing is lacking before."""
    rounds = Rounds(database)
    result = await rounds.round(senders("ns_pod1", "ns_pod2"))
    assert (result.outcome, result.waiting) == (RoundOutcome.UNCHANGED, {})
    assert rounds.reconciler.lacking("games/cameras") == Lacking()
    database.add("Logical_Switch_Port", name="ns_pod2")
    (result,) = await rounds.settle()
    assert result.operations == {"wait": 1, "set_insert": 1, "row_insert": 1, "switch_mutate": 1}
    assert contents_of(database) == expected_contents(database, rounds.desired)
    database.add("Logical_Switch_Port", name="ns_pod1")
    (result,) = await rounds.settle()
    assert result.operations == {"wait": 1, "set_mutate": 1}


@pytest.mark.parametrize("first", ["pod", "port"])
async def test_a_row_leaves_with_the_last_port(database: ModelDatabase, first: str) -> None:
    """Whichever goes first, pod or port, the row is detached at once, its rule or not; the group stays empty."""
    rounds = await _with_port(database)
    rounds.may_wait = lambda _key: True
    if first == "pod":
        result = await rounds.round(desired())
        assert result.operations == {"wait": 3, "set_mutate": 1, "switch_mutate": 1}
    else:
        database.remove("Logical_Switch_Port", database.rows("Logical_Switch_Port", name="ns_pod1")[0])
        (result,) = await rounds.settle()
        assert result.operations == {"wait": 2, "switch_mutate": 1}
    assert (result.outcome, result.repaired) == (RoundOutcome.COMMITTED, frozenset())
    assert contents_of(database).rows == {}
    assert [group["ports"] for group in database.tables["Port_Group"].values()] == [frozenset()]


async def test_a_group_that_is_wanted_again_is_filled_again(database: ModelDatabase) -> None:
    """When the pod comes back its group is the one that stayed, so OVN never sees a group deleted and made again."""
    rounds = await _with_port(database)
    (group,) = database.tables["Port_Group"]
    await rounds.round(desired())
    await rounds.settle()
    result = await rounds.round(senders("ns_pod1"))
    assert result.operations == {"wait": 2, "set_mutate": 1, "row_insert": 1, "switch_mutate": 1}
    assert list(database.tables["Port_Group"]) == [group]
    assert contents_of(database) == expected_contents(database, rounds.desired)


async def test_a_group_goes_when_it_has_been_empty_for_long(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group that nobody wants is deleted alone, after its time and not before; that is no repair."""
    rounds = await _with_port(database)
    await rounds.round(desired())
    assert await rounds.settle() == []
    assert len(database.tables["Port_Group"]) == 1
    monkeypatch.setattr(idle_groups, "STAY", 0.0)
    result = await rounds.round()
    assert (result.operations, result.repaired) == ({"wait": 1, "set_delete": 1}, frozenset())
    assert database.tables["Port_Group"] == {}


async def test_the_daemon_wakes_to_delete_a_group(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to happen for a spare group to go."""
    monkeypatch.setattr(idle_groups, "STAY", 0.0)
    rounds = await _with_port(database)
    await rounds.round(desired())
    await rounds.settle()
    assert database.tables["Port_Group"] == {}


async def test_a_new_writer_counts_anew(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wins the lock doesn't know for how long a group has been empty, writes nothing, and waits the full time."""
    first = await _with_port(database)
    await first.round(desired())
    second = Rounds(database)
    assert (await second.round()).outcome is RoundOutcome.UNCHANGED
    first.reconciler.doubt()
    monkeypatch.setattr(idle_groups, "STAY", 0.0)
    assert (await first.round()).outcome is RoundOutcome.UNCHANGED
    assert kinds([each for each in await _operations(first) if each.body["op"] == "delete"]) == ["set_delete"]


async def test_ports_that_a_group_has_no_more_are_not_awaited(database: ModelDatabase) -> None:
    """Of a group that isn't there yet a port awakens the daemon only as long as it is one of its members."""
    rounds = Rounds(database)
    await rounds.round(senders("ns_pod1"))
    await rounds.round(senders("ns_pod2"))
    assert rounds.reconciler._absent_ports == {"group_a": {"ns_pod2"}}
    database.add("Logical_Switch_Port", name="ns_pod1")
    assert await rounds.settle() == []
    database.add("Logical_Switch_Port", name="ns_pod2")
    (result,) = await rounds.settle()
    assert result.operations == {"wait": 1, "set_insert": 1, "row_insert": 1, "switch_mutate": 1}


async def test_a_spare_group_that_somebody_keeps_filling_costs_no_rounds(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptied ten times at once, it has to wait; its time to be deleted counts from when it is empty again."""
    rounds = await _with_port(database)
    await rounds.round(desired())
    (group,), (port,) = database.tables["Port_Group"], database.rows("Logical_Switch_Port", name="ns_pod1")
    for _ in range(contested.AT_ONCE + 1):
        database.edit("Port_Group", group, ports=frozenset({port}))
        await rounds.settle()
    assert rounds.results[-1].blocked.keys() == {SetName("group_a")}
    monkeypatch.setattr(idle_groups, "STAY", 0.0)
    rounds.woken.set()
    await rounds.settle()
    assert database.tables["Port_Group"][group]["ports"] == {port}
    monkeypatch.setattr(contested, "FIRST_DELAY", 0.0)
    rounds.woken.set()
    await rounds.settle()
    assert database.tables["Port_Group"] == {}


async def test_a_port_that_somebody_renames_leaves_its_group(database: ModelDatabase) -> None:
    """The row leaves with it, and comes back with a port of the right name; that costs one comparison of everything."""
    rounds = await _with_port(database)
    (port,) = database.rows("Logical_Switch_Port", name="ns_pod1")
    database.edit("Logical_Switch_Port", port, name="by_hand")
    await rounds.settle()
    assert contents_of(database).rows == {}
    assert contents_of(database) == expected_contents(database, rounds.desired)
    database.add("Logical_Switch_Port", name="ns_pod1")
    rounds.tell()
    assert not rounds.reconciler._dirty.everything
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, rounds.desired)


async def _operations(rounds: Rounds) -> list[Operation]:
    """Return what the next rounds send."""
    rounds.driver.transactions.clear()
    await rounds.settle()
    return [operation for transaction in rounds.driver.transactions for operation in transaction]


async def _with_port(database: ModelDatabase) -> Rounds:
    """Return rounds that have written the row of one port."""
    database.add("Logical_Switch_Port", name="ns_pod1")
    rounds = Rounds(database)
    assert (await rounds.round(senders("ns_pod1"))).outcome is RoundOutcome.COMMITTED
    return rounds
