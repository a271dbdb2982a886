"""What single rounds do, one behaviour at a time. The server is a model."""

from collections.abc import Iterator
from typing import NoReturn

import pytest
from msgspec.structs import replace

from nqosd.compiler.desired import AddressSet, Delta, Members, PortGroup
from nqosd.northbound.plan.operations import OperationKind, SetName
from nqosd.northbound.results import Lacking, RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE, converged, kinds
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents

pytestmark = pytest.mark.usefixtures("impatience")


async def test_everything_is_one_transaction_in_order(database: ModelDatabase) -> None:
    """New sets come before the rows that refer to them, rows before the switches that do, behind all guards."""
    rounds = Rounds(database)
    result = await rounds.round(BOTH)
    (operations,) = rounds.driver.transactions
    assert kinds(operations) == [
        *[OperationKind.WAIT] * 2,
        *[OperationKind.SET_INSERT] * 2,
        *[OperationKind.ROW_INSERT] * 2,
        *[OperationKind.SWITCH_MUTATE] * 2,
    ]
    assert result.operations == {"wait": 2, "set_insert": 2, "row_insert": 2, "switch_mutate": 2}
    assert result.written == {VIDEO.key, VOICE.key, SetName("set_a"), SetName("set_b")}
    assert result.policies == {"games/video", "games/voice"}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_a_round_without_a_difference_writes_nothing(database: ModelDatabase) -> None:
    """Once all is right there are no transactions and nothing wakes, whatever the delta claims."""
    rounds = await converged(database)
    assert await rounds.settle() == []
    claim = Delta(rows={VIDEO.key}, sets={"set_a": Members({"10.0.0.1"}, {"10.9.9.9"})}, policies={"games/video"})
    rounds.tell()
    result = await rounds.reconciler.reconcile(BOTH, claim, prune=True, may_wait=rounds.may_wait)
    assert (result.outcome, rounds.driver.transactions) == (RoundOutcome.UNCHANGED, [])


class NotToBeWalked(set[str]):
    """A set that may be asked for a member, but not walked through."""

    def __iter__(self) -> Iterator[NoReturn]:
        raise AssertionError("somebody walks through the whole set")


async def test_a_member_costs_the_same_in_a_large_set(database: ModelDatabase) -> None:
    """One address more is one guarded mutation of that address; nobody walks through the set."""
    rounds = await converged(database)
    members = NotToBeWalked(SENDERS.addresses | {"10.0.0.9"})
    rounds.desired = replace(BOTH, address_sets={**BOTH.address_sets, "set_a": AddressSet("set_a", "x", members)})
    delta = Delta(sets={"set_a": Members(added={"10.0.0.9"})})
    stored = database.replica.address_sets.get("set_a")
    assert stored is not None
    stored.external_ids["nqosd.io/selection"] = "x"
    stored.members = NotToBeWalked(stored.members)
    rounds.tell()
    result = await rounds.reconciler.reconcile(rounds.desired, delta, prune=True, may_wait=rounds.may_wait)
    assert result.operations == {"wait": 1, "set_mutate": 1}
    assert rounds.driver.transactions[0][1].body["mutations"] == [["addresses", "insert", ["set", ["10.0.0.9"]]]]


async def test_rows_wait_for_their_switch(database: ModelDatabase) -> None:
    """A row whose switch isn't there waits, its sets are written, and the switch's coming wakes the daemon."""
    rounds = Rounds(database)
    late = row(key(switch="node9"))
    result = await rounds.round(desired([late, VOICE], [SENDERS, TALKERS]))
    assert result.waiting == {"node9": {late.key}}
    assert rounds.reconciler.lacking("games/video") == Lacking(switches=("node9",))
    assert await rounds.settle() == []
    database.add("Logical_Switch", name="node9")
    (result,) = await rounds.settle()
    assert (result.operations, result.waiting) == ({"wait": 1, "row_insert": 1, "switch_mutate": 1}, {})
    assert (result.policies, result.repaired) == ({"games/video"}, frozenset())
    assert rounds.reconciler.lacking("games/video") == Lacking()


async def test_a_switch_that_comes_back_gets_its_rows_again(database: ModelDatabase) -> None:
    """Rows that went with their switch are written again when it is back, and nobody is blamed."""
    rounds = await converged(database)
    (node1,) = database.rows("Logical_Switch", name="node1")
    database.remove("Logical_Switch", node1)
    (result,) = await rounds.settle()
    assert result.waiting == {"node1": {VIDEO.key}}
    database.add("Logical_Switch", name="node1")
    (result,) = await rounds.settle()
    assert (result.outcome, result.repaired) == (RoundOutcome.COMMITTED, frozenset())
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_nothing_is_deleted_before_all_is_known(database: ModelDatabase) -> None:
    """With `prune=False` a round adds, and the first one with `prune=True` removes, without any delta."""
    await converged(database)
    rounds = Rounds(database)
    wanted = desired([VIDEO], [address_set("set_a", "10.0.0.9")])
    result = await rounds.round(wanted, prune=False)
    assert result.operations == {"wait": 1, "set_mutate": 1}
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key}
    assert contents_of(database).address_sets["set_a"][0] == {"10.0.0.1", "10.0.0.2", "10.0.0.9"}
    await rounds.round()
    assert contents_of(database) == expected_contents(database, wanted)


async def test_a_standby_writes_nothing_and_takes_over(database: ModelDatabase) -> None:
    """Without the lock a round plans nothing; with it the first round writes what is missing, and only that."""
    rounds = Rounds(database)
    rounds.driver.idl.holds_lock = False
    result = await rounds.round(BOTH)
    assert (result.outcome, rounds.driver.transactions) == (RoundOutcome.STANDBY, [])
    rounds.driver.idl.holds_lock = True
    assert (await rounds.round()).outcome is RoundOutcome.COMMITTED
    other = Rounds(database)
    other.desired = BOTH
    assert (await other.round()).outcome is RoundOutcome.UNCHANGED


async def test_without_a_connection_nothing_is_tried(database: ModelDatabase) -> None:
    """While the replica is not in step a round says so and does nothing."""
    rounds = Rounds(database)
    rounds.driver.idl.holds_lock = rounds.driver.idl.is_synced = False
    assert (await rounds.round(BOTH)).outcome is RoundOutcome.DISCONNECTED
    assert rounds.driver.transactions == []


async def test_ports_of_a_group_are_added_as_they_come(database: ModelDatabase) -> None:
    """A port group holds the ports that exist; one that comes later wakes the daemon and is added alone."""
    database.add("Logical_Switch_Port", name="ns_pod1")
    group = PortGroup("group_a", "pods without addresses", {"ns_pod1", "ns_pod2"})
    rounds = await converged(database, desired([row(key(), source="group_a")], groups=[group]))
    assert len(contents_of(database).port_groups["group_a"][0]) == 1
    late = database.add("Logical_Switch_Port", name="ns_pod2")
    (result,) = await rounds.settle()
    assert result.operations == {"wait": 1, "set_mutate": 1}
    assert rounds.driver.transactions[0][1].body["mutations"] == [["ports", "insert", ["set", [["uuid", late]]]]]
    database.remove("Logical_Switch_Port", late)
    (result,) = await rounds.settle()
    assert (result.outcome, result.repaired) == (RoundOutcome.UNCHANGED, frozenset())
    database.add("Logical_Switch_Port", name="ns_pod2")
    (result,) = await rounds.settle()
    assert result.operations == {"wait": 1, "set_mutate": 1}


async def test_two_switches_of_one_name_have_one_row(database: ModelDatabase) -> None:
    """Where two switches have one name the row is attached to exactly one of them, and stays there."""
    rounds = await converged(database)
    database.add("Logical_Switch", name="node1")
    assert [result.outcome for result in await rounds.settle()] in ([], [RoundOutcome.UNCHANGED])
    (stored,) = database.replica.rows.get(VIDEO.key)
    assert len(database.replica.rows.switches_of(stored.uuid)) == 1
