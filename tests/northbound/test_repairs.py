"""What others did to our rows, and what the server doesn't like. The server is a model."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from nqosd.compiler.desired import OWNER
from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation, SetName
from nqosd.northbound.plan.plan import Plan
from nqosd.northbound.results import Lacking, RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents

pytestmark = pytest.mark.usefixtures("impatience")


async def test_edits_by_others_are_repaired_and_reported(database: ModelDatabase) -> None:
    """A changed row, a changed set and a deleted set are put right, and the result names exactly these."""
    rounds = await converged(database)
    (uuid,) = (stored.uuid for stored in database.replica.rows.get(VIDEO.key))
    database.edit("QoS", uuid, priority=1)
    (set_b,) = database.rows("Address_Set", name="set_b")
    database.edit("Address_Set", set_b, addresses=frozenset({"10.6.6.6"}))
    (result,) = await rounds.settle()
    assert result.repaired == {VIDEO.key, SetName("set_b")}
    assert result.operations == {"wait": 2, "row_update": 1, "set_mutate": 1}
    database.remove("Address_Set", set_b)
    (result,) = await rounds.settle()
    assert result.repaired == {SetName("set_b")}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_our_own_changes_are_not_repairs(database: ModelDatabase) -> None:
    """What a delta changes is not reported as repaired, even when somebody edits the same set at the same time."""
    rounds = await converged(database)
    (set_b,) = database.rows("Address_Set", name="set_b")
    database.edit("Address_Set", set_b, addresses=frozenset({"10.6.6.6"}))
    result = await rounds.round(desired([VIDEO, VOICE], [SENDERS, address_set("set_b", "10.0.0.4")]))
    assert (result.outcome, result.repaired) == (RoundOutcome.COMMITTED, frozenset())
    assert contents_of(database).address_sets["set_b"][0] == {"10.0.0.4"}


async def test_an_edit_during_a_transaction_is_repaired_after_it(database: ModelDatabase) -> None:
    """What somebody changes while our transaction is on its way is found when the commit is checked."""
    rounds = await converged(database)

    def commit(operations: Sequence[Operation]) -> Commit:
        answer = rounds.driver.commit(operations)
        (set_a,) = database.rows("Address_Set", name="set_a")
        database.edit("Address_Set", set_a, addresses=frozenset({"10.6.6.6"}))
        rounds.tell()
        return answer

    rounds.driver.faults.append(commit)
    wanted = desired([VIDEO, VOICE], [address_set("set_a", "10.0.0.1"), TALKERS])
    await rounds.round(wanted)
    (result,) = await rounds.settle()
    assert result.repaired == {SetName("set_a")}
    assert contents_of(database) == expected_contents(database, wanted)


async def test_an_audit_finds_what_nobody_reported(database: ModelDatabase) -> None:
    """When it is time everything is compared; a difference that no change announced is repaired and reported."""
    rounds = await converged(database)
    rounds.reconciler.options = attrs.evolve(rounds.reconciler.options, audit_interval=1e-9)
    (uuid,) = (stored.uuid for stored in database.replica.rows.get(VIDEO.key))
    database.edit("QoS", uuid, priority=1)
    database.replica.take_changes()
    result = await rounds.round()
    assert result.repaired == {VIDEO.key}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_a_taken_name_blocks_only_its_rows(database: ModelDatabase) -> None:
    """A set that belongs to somebody else is left alone and reported; all else is written; later it resolves itself."""
    taken = database.add("Address_Set", name="set_a", external_ids={OWNER: "other"}, addresses=frozenset({"10.1.1.1"}))
    rounds = Rounds(database)
    first = await rounds.round(BOTH)
    assert first.outcome is RoundOutcome.COMMITTED
    results = await rounds.settle()
    assert results[-1].conflicts.keys() == {"set_a"}
    assert "belongs to the nqosd instance 'other'" in results[-1].conflicts["set_a"]
    assert rounds.reconciler.lacking("games/video").obstacles == (results[-1].conflicts["set_a"],)
    assert contents_of(database).rows.keys() == {VOICE.key}
    assert database.tables["Address_Set"][taken]["addresses"] == {"10.1.1.1"}
    database.remove("Address_Set", taken)
    results = await rounds.settle()
    assert results[-1].conflicts == {}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_what_may_be_written_since_the_commit_is_not_said_to_be(database: ModelDatabase) -> None:
    """A switch that comes while a transaction is on its way: nobody is told that its row is there before it is."""
    (node2,) = database.rows("Logical_Switch", name="node2")
    database.remove("Logical_Switch", node2)
    rounds = Rounds(database)
    await rounds.round()

    def commit(operations: Sequence[Operation]) -> Commit:
        answer = rounds.driver.commit(operations)
        database.add("Logical_Switch", name="node2")
        return answer

    rounds.driver.faults.append(commit)
    result = await rounds.round(BOTH)
    assert contents_of(database).rows.keys() == {VIDEO.key}
    assert (result.outcome, result.left, result.settled) == (RoundOutcome.COMMITTED, {"games"}, False)
    result = await rounds.round()
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key}
    assert (result.left, result.settled) == (frozenset(), True)


async def test_a_row_comes_with_the_set_that_it_lacked(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set that somebody deletes just before a row is planned is put back, and the row is written with it."""
    rounds = await converged(database)
    make_plan = rounds.reconciler._planner.plan_without

    async def plan_without_set(*arguments: Any) -> Plan:  # noqa: ANN401 - passed on as they came
        for uuid in database.rows("Address_Set", name="set_b"):
            database.remove("Address_Set", uuid)
        rounds.tell()
        return await make_plan(*arguments)

    monkeypatch.setattr(rounds.reconciler._planner, "plan_without", plan_without_set)
    state = desired([VIDEO, VOICE, row(key("games/chat"), source="set_b")], [SENDERS, TALKERS])
    await rounds.round(state)
    assert rounds.reconciler.lacking("games/chat").obstacles == ("the set set_b isn't there",)
    monkeypatch.undo()
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, state)
    assert rounds.reconciler.lacking("games/chat") == Lacking()


async def test_a_stolen_set_takes_its_row_along(database: ModelDatabase) -> None:
    """When somebody makes our set theirs, the row that refers to it is removed: its members aren't ours."""
    rounds = await converged(database)
    (set_a,) = database.rows("Address_Set", name="set_a")
    database.edit("Address_Set", set_a, external_ids={})
    results = await rounds.settle()
    assert "wasn't made by nqosd" in results[-1].conflicts["set_a"]
    assert contents_of(database).rows.keys() == {VOICE.key}


async def test_a_refused_object_does_not_delay_the_others(database: ModelDatabase) -> None:
    """What the server refuses by name is left alone and reported until it changes; all else is written."""
    rounds = Rounds(database)

    def refuse(_operations: Sequence[Operation]) -> Commit:
        return Commit(RoundOutcome.REFUSED, "constraint violation: 99 is out of range", VIDEO.key, is_hard=True)

    rounds.driver.faults.append(refuse)
    result = await rounds.round(BOTH)
    assert result.outcome is RoundOutcome.COMMITTED
    assert contents_of(database).rows.keys() == {VOICE.key}
    (obstacle,) = rounds.reconciler.lacking("games/video").obstacles
    assert "99 is out of range" in obstacle
    better = replace(VIDEO, priority=10020)
    await rounds.round(desired([better, VOICE], [SENDERS, TALKERS]))
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key}
    assert rounds.reconciler.lacking("games/video") == Lacking()
