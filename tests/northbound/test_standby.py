"""A standby sees whether whoever holds the lock writes. All servers are real."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import attrs
import pytest
from structlog.testing import capture_logs

from nqosd.northbound import standby as standby_view
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.real import Daemon, add_switches, driver_of, options_of, running
from tests.services.generation import every_generation
from tests.services.ovsdb import OvsdbServer

LOOKS = 4
"""More looks than the two that it takes."""


@every_generation
async def test_a_lock_whose_holder_writes_nothing_is_said(ovsdb_nb: OvsdbServer) -> None:
    """A standby names what is missing, whatever else goes on changing, and says no more of it when it is there."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with stolen(ovsdb_nb), running(options_of(ovsdb_nb.unix), writer=False) as standby:
        with capture_logs() as logs:
            await standby.round(BOTH)
            await standby.run_until(lambda: bool(standby.results[-1].problem))
            for number in range(LOOKS):
                await standby.round(desired([VIDEO, VOICE], [address_set("set_a", f"10.0.0.{number}"), TALKERS]))
                await _looks(standby)
                assert standby.results[-1].outcome is RoundOutcome.STANDBY
                assert "another client of the database holds the lock 'nqosd'" in standby.results[-1].problem
            await standby.round(desired([], []))
            await standby.run_until(lambda: not standby.results[-1].problem)
        assert standby.watcher.transactions == []
        assert [each["event"] for each in logs] == [
            "northbound: whoever has the lock doesn't write",
            "northbound: what wasn't written is as it should be now",
        ]


@every_generation
async def test_what_another_hand_deletes_is_missed(ovsdb_nb: OvsdbServer) -> None:
    """Nothing of what is desired has changed: it is the database that doesn't hold it any more."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as writer:
        await writer.write(BOTH)
        async with running(options_of(ovsdb_nb.unix), writer=False) as standby:
            await standby.round(BOTH)
            for _ in range(LOOKS):
                await _looks(standby)
            assert standby.results[-1].problem == ""
            ovsdb_nb.nbctl("qos-del", "node1")  # the writer runs no round
            await standby.run_until(lambda: str(VIDEO.key) in standby.results[-1].problem)
            await writer.run_until(lambda: "dscp" in ovsdb_nb.nbctl("qos-list", "node1"))
            await standby.run_until(lambda: not standby.results[-1].problem)


async def test_a_writer_that_is_a_little_behind_leaves_nothing_undone(
    ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a standby looks while another change is on its way, it isn't the same one."""
    monkeypatch.setattr(standby_view, "PAUSE", 0.0)  # each round is a look
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as writer:
        await writer.write(BOTH)
        async with running(options_of(ovsdb_nb.unix), writer=False) as standby:
            await standby.round(BOTH)
            before = desired([VIDEO, VOICE], [SENDERS, TALKERS])
            for number in range(LOOKS):
                after = desired([attrs.evolve(VIDEO, dscp=number), VOICE], [SENDERS, TALKERS])
                await writer.write(before)
                await _sees(standby, ovsdb_nb)
                await standby.round(after)
                before = after
            assert {each.problem for each in standby.results} == {""}


async def test_a_writer_that_writes_much_in_shares_is_at_work(
    ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two looks find missing is on its way as long as other things of the look before come; then it isn't."""
    monkeypatch.setattr(standby_view, "PAUSE", 0.0)  # each round is a look
    add_switches(ovsdb_nb, "node1", "node2")
    before = [row(key(f"games/p{number}")) for number in range(2 * LOOKS)]
    after = [attrs.evolve(each, dscp=30) for each in before]
    async with (
        running(options_of(ovsdb_nb.unix)) as writer,
        running(options_of(ovsdb_nb.unix), writer=False) as standby,
    ):
        await writer.write(desired(before, [SENDERS]))
        await _sees(standby, ovsdb_nb)
        await standby.round(desired(after, [SENDERS]))
        for number in range(1, LOOKS + 1):
            await writer.write(desired([*after[:number], *before[number:]], [SENDERS]))
            await _sees(standby, ovsdb_nb)
            await standby.round()
        assert {each.problem for each in standby.results} == {""}
        await standby.round()
        assert str(after[LOOKS].key) in standby.results[-1].problem


async def _sees(standby: Daemon, server: OvsdbServer) -> None:
    """Wait until a standby has heard of all that was written before."""
    last = f"last{len(standby.results)}"
    server.nbctl("ls-add", last)
    await standby.wait_until(lambda: driver_of(standby).idl.replica.switch(last) is not None)


async def _looks(standby: Daemon) -> None:
    """Let a standby look at least once."""
    end = asyncio.get_running_loop().time() + 1.2 * standby_view.PAUSE
    await standby.run_until(lambda: asyncio.get_running_loop().time() > end)


@contextlib.asynccontextmanager
async def stolen(server: OvsdbServer) -> AsyncIterator[None]:
    """Hold the lock on a connection that does nothing else."""
    reader, writer = await asyncio.open_unix_connection(server.socket)
    writer.write(b'{"id":1,"method":"steal","params":["nqosd"]}')
    await writer.drain()
    assert b'"locked":true' in await reader.read(1000)
    yield
    writer.close()
