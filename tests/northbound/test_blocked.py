"""What the server refuses is left out, everything else is written in the same round. The server is a model."""

import asyncio
import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.compiler.desired import AddressSet, Desired, RowKey
from nqosd.northbound import idle_groups, refusals, timers
from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation, SetName, Subject, SwitchName
from nqosd.northbound.results import Lacking, RoundOutcome
from tests.examples import examples
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import KEYS, SETS, SWITCHES, address_set, desired, desired_states, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, databases, expected_contents


@pytest.fixture(autouse=True, scope="module")
def impatience() -> Iterator[None]:
    """Let another attempt follow a failed one at once."""
    before = timers.FIRST_RETRY, idle_groups.PAUSE
    timers.FIRST_RETRY = idle_groups.PAUSE = 0.0
    yield
    timers.FIRST_RETRY, idle_groups.PAUSE = before


MANY = desired(
    [row(key(f"games/p{number}"), source=f"set_{number}") for number in range(100)],
    [address_set(f"set_{number}", f"10.0.0.{number}") for number in range(100)],
)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("refused", [key("games/p70"), SetName("set_70")], ids=["row", "set"])
async def test_all_but_what_is_refused_is_written_at_once(
    database: ModelDatabase, refused: Subject, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    """Among 100 rows the one that is refused is left out in the same round, in few transactions, named or not."""
    monkeypatch.setattr(refusals, "FIRST_DELAY", 3600.0)
    rounds = Rounds(database)
    rounds.driver.refused, rounds.driver.names_what_it_refuses = {refused}, named
    result = await rounds.round(MANY)
    assert (result.outcome, set(result.blocked)) == (RoundOutcome.COMMITTED, {refused})
    assert contents_of(database).rows.keys() == MANY.rows.keys() - {key("games/p70")}
    assert len(rounds.driver.transactions) <= (2 if named else 20)
    (obstacle,) = rounds.reconciler.lacking("games/p70").obstacles
    assert "it doesn't like it" in obstacle
    assert await rounds.settle() == []


async def test_several_that_nobody_names_are_found(database: ModelDatabase) -> None:
    """Three refused rows among 100 are found in one round."""
    rounds = Rounds(database)
    rounds.driver.refused = {key(f"games/p{number}") for number in (3, 50, 51)}
    rounds.driver.names_what_it_refuses = False
    result = await rounds.round(MANY)
    assert (result.settled, set(result.blocked)) == (True, rounds.driver.refused)
    assert contents_of(database).rows.keys() == MANY.rows.keys() - rounds.driver.refused


async def test_more_than_a_round_can_find_take_several(database: ModelDatabase) -> None:
    """Where everything is refused a round ends after so many transactions, and the next ones go on."""
    rounds = Rounds(database)
    rounds.driver.refused = set(MANY.rows)
    result = await rounds.round(MANY)
    assert (result.outcome, len(rounds.driver.transactions)) == (RoundOutcome.REFUSED, 64)
    results = await rounds.settle()
    assert results[-1].settled
    assert results[-1].blocked.keys() == MANY.rows.keys()


async def test_what_was_refused_before_delays_nobody(database: ModelDatabase) -> None:
    """Though it is time to try a hundred rows again, a new one is committed in the next round, in few transactions."""
    rounds = Rounds(database)
    rounds.driver.refused = set(MANY.rows)
    await rounds.round(MANY)
    await rounds.settle()
    rounds.expire()
    rounds.driver.transactions.clear()
    result = await rounds.round(replace(MANY, rows={**MANY.rows, VIDEO.key: replace(VIDEO, sets=())}))
    assert (result.outcome, result.blocked.keys()) == (RoundOutcome.COMMITTED, MANY.rows.keys())
    assert database.replica.rows.get(VIDEO.key)
    assert len(rounds.driver.transactions) <= refusals.AT_ONCE + 1
    rounds.driver.refused = set()
    rounds.expire()
    await rounds.round()
    await rounds.settle()
    assert contents_of(database).rows.keys() == {*MANY.rows, VIDEO.key}
    assert not rounds.results[-1].blocked


async def test_what_is_blocked_is_tried_again_ever_more_seldom(database: ModelDatabase) -> None:
    """The pause doubles from 1 s up to 5 min, and an object that is accepted is forgotten."""
    rounds = Rounds(database)
    rounds.driver.refused = {VIDEO.key}
    pauses = []
    for _ in range(11):
        begun = asyncio.get_running_loop().time()
        await rounds.round(BOTH)
        next_try = rounds.reconciler._refusals.next_try
        assert next_try is not None
        pauses.append(round(next_try - begun))
        rounds.expire()
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    rounds.driver.refused = set()
    result = await rounds.round()
    assert (result.outcome, result.blocked, result.repaired) == (RoundOutcome.COMMITTED, {}, frozenset())
    assert contents_of(database) == expected_contents(database, BOTH)
    assert rounds.reconciler.lacking("games/video") == Lacking()


async def test_what_is_blocked_wakes_the_daemon_by_itself(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its pause is over a refused row is tried again, although nothing happened."""
    monkeypatch.setattr(refusals, "FIRST_DELAY", 0.01)
    rounds = Rounds(database)
    rounds.driver.refused = {VIDEO.key}
    await rounds.round(BOTH)
    rounds.driver.refused = set()
    await asyncio.wait_for(rounds.woken.wait(), 20)
    assert (await rounds.round()).outcome is RoundOutcome.COMMITTED
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_a_blocked_object_that_changes_is_tried_at_once(database: ModelDatabase) -> None:
    """A row, a set or a switch that isn't what it was when it was refused doesn't wait for its pause to be over."""
    rounds = Rounds(database)
    rounds.driver.refused = {VIDEO.key}
    await rounds.round(BOTH)
    rounds.driver.refused = {SetName("set_a")}
    await rounds.round(desired([replace(VIDEO, priority=10020), VOICE], [SENDERS, TALKERS]))
    assert rounds.results[-1].blocked == {}
    other = address_set("set_a", "10.0.0.7")
    await rounds.round(desired([VIDEO, VOICE], [other, TALKERS]))
    assert rounds.results[-1].blocked.keys() == {SetName("set_a")}
    rounds.driver.refused = set()
    await rounds.round(BOTH)
    assert rounds.results[-1].blocked == {}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_a_refused_switch_blocks_its_rows_only(database: ModelDatabase) -> None:
    """When a switch can't be changed, rows that are to come or go there wait; rows that are there may change."""
    rounds = await converged(database)
    rounds.driver.refused = {SwitchName("node1")}
    changed = replace(VIDEO, priority=10020)
    late, other = row(key("games/late")), row(key("games/other", switch="node2"))
    result = await rounds.round(desired([changed, VOICE, late, other], [SENDERS, TALKERS]))
    assert result.blocked.keys() == {SwitchName("node1")}
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key, other.key}
    assert contents_of(database).rows[VIDEO.key][0][1] == 10020
    assert rounds.reconciler.lacking("games/video") == Lacking()
    (obstacle,) = rounds.reconciler.lacking("games/late").obstacles
    assert "logical switch node1" in obstacle


async def test_a_row_that_has_to_leave_a_refused_switch_stays(database: ModelDatabase) -> None:
    """When the set of a row is stolen while its switch can't be changed, the row stays, and nothing is tried twice."""
    rounds = await converged(database)
    rounds.driver.refused = {SwitchName("node1")}
    (set_a,) = database.rows("Address_Set", name="set_a")
    database.edit("Address_Set", set_a, external_ids={})
    rounds.driver.transactions.clear()
    assert (await rounds.settle())[-1].settled
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key}
    assert len(rounds.driver.transactions) < 5
    assert rounds.reconciler.lacking("games/video").obstacles


async def test_a_row_that_cannot_be_planned_keeps_nobody_waiting(database: ModelDatabase) -> None:
    """What raises for one row, or for one set, leaves that one out, with the error in words."""
    broken = AddressSet("set_b", "x", {"10.0.0.1", None})  # type: ignore[arg-type] # what no compiler should give
    rounds = Rounds(database)
    result = await rounds.round(desired([VIDEO, VOICE], [SENDERS, broken]))
    assert (result.outcome, set(result.blocked)) == (RoundOutcome.COMMITTED, {SetName("set_b")})
    assert contents_of(database).rows.keys() == {VIDEO.key}
    assert "can't be written" in rounds.reconciler.lacking("games/voice").obstacles[0]
    rounds.driver.idl.holds_lock = False
    assert (await rounds.round()).blocked == {}, "a standby leaves nothing out"


@pytest.mark.parametrize("character", ["\0", "\ud800"])
async def test_text_that_no_database_holds_blocks_its_row(database: ModelDatabase, character: str) -> None:
    """A NUL or half of a surrogate pair, on which a server would close the connection, is never sent."""
    strange = row(RowKey("games/strange", 0, f"net{character}", "node1"))
    result = await (rounds := Rounds(database)).round(desired([VIDEO, VOICE, strange], [SENDERS, TALKERS]))
    assert (result.outcome, set(result.blocked)) == (RoundOutcome.COMMITTED, {strange.key})
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key}
    assert "can't hold" in rounds.reconciler.lacking("games/strange").obstacles[0]


@pytest.mark.parametrize("outcome", [RoundOutcome.TIMED_OUT, RoundOutcome.DISCONNECTED])
async def test_what_the_server_never_answers_is_found(database: ModelDatabase, outcome: RoundOutcome) -> None:
    """A row that makes the server hang or go away each time is found by smaller transactions, and left out."""
    rounds = Rounds(database)
    commit = rounds.driver.commit

    def answer(operations: Sequence[Operation]) -> Commit:
        if any(each.subject == key("games/p70") for each in operations):
            rounds.reconciler.doubt()
            return Commit(outcome, "no answer", is_unanswered=True)
        return commit(operations)

    rounds.driver.commit = answer  # type: ignore[method-assign]
    await rounds.round(MANY)
    results = await rounds.settle()
    assert results[-1].blocked == {key("games/p70"): "no answer"}
    assert contents_of(database).rows.keys() == MANY.rows.keys() - {key("games/p70")}
    rounds.driver.transactions.clear()
    await rounds.round(desired([*MANY.rows.values(), VOICE], [*MANY.address_sets.values(), TALKERS]))
    assert len(rounds.driver.transactions) == 1


async def test_a_connection_that_is_gone_blames_nobody(database: ModelDatabase) -> None:
    """What couldn't even be sent isn't to blame, however often that happens."""
    rounds = await converged(database)
    rounds.driver.faults += [lambda _operations: Commit(RoundOutcome.DISCONNECTED, "closed")] * 10
    await rounds.round(desired([VIDEO, VOICE], [address_set("set_a", "10.0.0.9"), TALKERS]))
    results = await rounds.settle()
    assert results[-1].outcome is RoundOutcome.COMMITTED
    assert not any(result.blocked for result in rounds.results)


async def test_a_transaction_that_is_too_large_goes_in_parts(database: ModelDatabase) -> None:
    """If the server can't take so much at once, everything is written in smaller transactions, and nobody is blamed."""
    rounds = Rounds(database)
    commit = rounds.driver.commit

    def answer(operations: Sequence[Operation]) -> Commit:
        return (
            commit(operations)
            if len(operations) < 30
            else Commit(RoundOutcome.TIMED_OUT, "too slow", is_unanswered=True)
        )

    rounds.driver.commit = answer  # type: ignore[method-assign]
    await rounds.round(MANY)
    results = await rounds.settle()
    assert (results[-1].settled, results[-1].blocked) == (True, {})
    assert contents_of(database) == expected_contents(database, MANY)


@pytest.mark.parametrize("is_there", [True, False], ids=["set there", "set new"])
async def test_a_refused_row_is_lacking_at_once_beside_a_taken_name(database: ModelDatabase, *, is_there: bool) -> None:
    """A round that meets a taken name, and a row that is refused without being named, ends with the row lacking."""
    database.add("Address_Set", name="set_b", external_ids={"made-by": "somebody"})
    rounds = Rounds(database)
    if is_there:
        await rounds.round(desired(sets=[SENDERS]))
    rounds.driver.refused, rounds.driver.names_what_it_refuses = {VIDEO.key}, False
    result = await rounds.round(desired([VIDEO], [SENDERS, TALKERS]))
    assert (result.settled, set(result.blocked)) == (True, {VIDEO.key})
    (obstacle,) = rounds.reconciler.lacking("games/video").obstacles
    assert "it doesn't like it" in obstacle
    assert contents_of(database).address_sets.keys() == {"set_a"}


SUBJECTS = st.one_of(KEYS, st.sampled_from(SETS).map(SetName), st.sampled_from(SWITCHES).map(SwitchName))


@settings(max_examples=examples(200))
@given(databases(), st.lists(desired_states(), min_size=1, max_size=5), SUBJECTS, st.integers(0, 4), st.booleans())
def test_the_end_is_the_definition_without_what_is_refused(
    database: ModelDatabase,
    states: list[Desired],
    refused: Subject,
    beginning: int,
    named: bool,  # noqa: FBT001
) -> None:
    """Whatever one object the server refuses from some moment on, all others are right after each round; then all."""

    async def scenario() -> None:
        rounds = Rounds(database)
        rounds.driver.names_what_it_refuses = named
        for place, state in enumerate(map(consistent, states)):
            if place == beginning:
                rounds.driver.refused = {refused}
            rounds.expire()
            assert (await rounds.round(state)).settled
            await rounds.settle()
            check_others(database, state, rounds)
        rounds.driver.refused = set()
        rounds.expire()
        assert (await rounds.round()).settled
        await rounds.settle()
        assert rounds.results[-1].blocked == {}
        assert contents_of(database) == expected_contents(database, rounds.desired)
        rounds.reconciler.close()

    asyncio.run(scenario())


def consistent(state: Desired) -> Desired:
    """Leave out rows that refer to sets that aren't desired; the compiler makes none."""
    names = state.address_sets.keys() | state.port_groups.keys()
    rows = {key: each for key, each in state.rows.items() if names.issuperset(each.sets)}
    return replace(state, rows=rows)


def check_others(database: ModelDatabase, state: Desired, rounds: Rounds) -> None:
    """Assert that all rows and sets that don't depend on a refused object, as they are or should be, are right."""
    found, expected = contents_of(database), expected_contents(database, state)
    blocked = rounds.reconciler._refusals.words.keys()

    def depends(key: RowKey, contents: list[tuple[object, ...]]) -> bool:
        if key in state.rows and not blocked.isdisjoint(map(SetName, state.rows[key].sets)):
            return True
        places = {SwitchName(place) for row in contents for place in (key.switch, *row[6])}  # type: ignore[misc]
        sets = {SetName(name) for row in contents for name in re.findall(r"[$@](\w+)", str(row[2]))}
        return not blocked.isdisjoint({key, *places, *sets})

    left = {key: rows for key, rows in found.rows.items() if depends(key, rows)}
    open_ = {key for key, rows in expected.rows.items() if depends(key, rows)} | left.keys()
    assert {k: v for k, v in found.rows.items() if k not in open_} == {
        k: v for k, v in expected.rows.items() if k not in open_
    }
    used = {name for rows in left.values() for row in rows for name in re.findall(r"[$@](\w+)", str(row[2]))}
    for mine, theirs in ((found.address_sets, expected.address_sets), (found.port_groups, expected.port_groups)):
        for name in mine.keys() | theirs.keys():
            if SetName(name) not in blocked and not (name in used and name not in theirs and not mine[name][0]):
                assert mine.get(name) == theirs.get(name), name
