"""Two that write the same objects notice it, slow down and say so. The server is real, or a model for the counts."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from nqosd.northbound import contested
from nqosd.northbound.plan.operations import SetName
from nqosd.northbound.results import RoundOutcome, RoundResult
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired
from tests.northbound.real import Daemon, add_switches, options_of, running
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents
from tests.services.generation import every_generation
from tests.services.ovsdb import OvsdbServer

MORE_THAN_ENOUGH = 3 * contested.AT_ONCE
"""Transactions; two that fight unchecked make twenty and more a second each."""
OTHER = desired([replace(VIDEO, dscp=46), VOICE], [SENDERS, TALKERS])


@every_generation
async def test_two_daemons_of_one_instance_slow_down(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With different locks and settings they stop undoing each other's rows, say why, and go on when one has ended."""
    monkeypatch.setattr(contested, "LASTING", 1.0)
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as one:
        await one.write(BOTH)
        async with running(options_of(ovsdb_nb.unix, lock="another")) as two:
            await two.round(OTHER)
            await _fight(one, two)
            loser = one if one.results[-1].blocked else two
            assert loser.results[-1].blocked.keys() == {VIDEO.key}
            (obstacle,) = loser.northbound.lacking("games/video").obstacles
            assert "somebody else changes it again" in obstacle
            assert "the same daemon.instance and another northbound.lock" in obstacle
            assert loser.northbound.lacking("games/voice").obstacles == ()
            assert all(len(each.watcher.transactions) < MORE_THAN_ENOUGH for each in (one, two))
        await one.run_until(lambda: not one.results[-1].blocked and "dscp=20" in ovsdb_nb.nbctl("qos-list", "node1"))


async def _fight(one: Daemon, two: Daemon) -> None:
    """Let both run until one of them holds back."""

    def is_over() -> bool:
        return any(each.results[-1].blocked for each in (one, two))

    await asyncio.gather(one.run_until(is_over), two.run_until(is_over))


@pytest.mark.usefixtures("impatience")
async def test_edits_by_hand_meet_no_delay(database: ModelDatabase) -> None:
    """One edit after the other is repaired at once; only what is undone ten times in a row has to wait."""
    rounds = await converged(database)
    for _ in range(contested.AT_ONCE):
        _edit(database)
        (result,) = await rounds.settle()
        assert (result.repaired, result.blocked) == ({VIDEO.key}, {})
        assert contents_of(database) == expected_contents(database, BOTH)
    _edit(database)
    (result,) = await rounds.settle()
    assert (result.outcome, set(result.blocked)) == (RoundOutcome.UNCHANGED, {VIDEO.key})


@pytest.mark.usefixtures("impatience")
async def test_only_what_is_fought_for_waits(database: ModelDatabase) -> None:
    """While a row has to wait everything else is written, and the row too as soon as it is desired differently."""
    rounds = await _held(database)
    better = desired([VIDEO, replace(VOICE, priority=10020)], [SENDERS, TALKERS])
    result = await rounds.round(better)
    assert (result.written, set(result.blocked)) == ({VOICE.key}, {VIDEO.key})
    better = desired([replace(VIDEO, priority=10020), VOICE], [SENDERS, TALKERS])
    result = await rounds.round(better)
    assert (result.written, result.blocked) == ({VIDEO.key, VOICE.key}, {})
    assert contents_of(database) == expected_contents(database, better)


@pytest.mark.usefixtures("impatience")
async def test_what_waited_is_repaired_in_due_time(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon wakes by itself when the delay is over; undone again, the object waits for twice as long."""
    monkeypatch.setattr(contested, "FIRST_DELAY", 0.05)
    rounds = await _held(database)
    await asyncio.wait_for(rounds.woken.wait(), 20)
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, BOTH)
    known = rounds.reconciler._contested._known[VIDEO.key]
    assert (known.times, known.delay) == (contested.AT_ONCE + 1, 0.1)


@pytest.mark.usefixtures("impatience")
async def test_a_delayed_repair_has_to_last(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that all is well between a repair and the next change of the other; only what lasted is well."""
    monkeypatch.setattr(contested, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(contested, "LASTING", 5.0)
    rounds = await _held(database)
    for _ in range(2):
        result = await _next(rounds, lambda each: VIDEO.key in each.written)
        assert set(result.blocked) == {VIDEO.key}
        _edit(database)
        (result, *_more) = await rounds.settle()
        assert set(result.blocked) == {VIDEO.key}
    result = await _next(rounds, lambda each: not each.blocked)
    assert (result.outcome, rounds.reconciler._contested.words) == (RoundOutcome.UNCHANGED, {})
    assert contents_of(database) == expected_contents(database, BOTH)


async def _next(rounds: Rounds, is_it: Callable[[RoundResult], bool]) -> RoundResult:
    """Let rounds be made as the daemon wakes, until there is one of this kind."""
    while True:
        await asyncio.wait_for(rounds.woken.wait(), 20)
        for result in await rounds.settle():
            if is_it(result):
                return result


def test_what_is_left_alone_for_long_is_forgotten() -> None:
    """Changes by hand that are minutes apart never add up; a change soon after the repair does."""
    known, subject = contested.Contested(), SetName("set_a")
    for number in range(2 * contested.AT_ONCE):
        known.wrote({subject}, {subject}, 60.0 * number)
        assert known.hold({subject}, 60.0 * number + 1, lambda: "a test") == {}
    for number in range(contested.AT_ONCE):
        known.wrote({subject}, {subject}, 2000.0 + number / 100)
    assert known.hold({subject}, 2000.2, lambda: "a test").keys() == {subject}


async def _held(database: ModelDatabase) -> Rounds:
    """Return rounds in which a row has to wait."""
    rounds = await converged(database)
    for _ in range(contested.AT_ONCE + 1):
        _edit(database)
        (result,) = await rounds.settle()
    assert set(result.blocked) == {VIDEO.key}
    return rounds


def _edit(database: ModelDatabase) -> None:
    (uuid,) = (stored.uuid for stored in database.replica.rows.get(VIDEO.key))
    database.edit("QoS", uuid, priority=1)
