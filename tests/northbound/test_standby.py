"""A standby sees whether whoever holds the lock writes. All servers are real."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from nqosd.northbound import shares
from nqosd.northbound import standby as standby_view
from nqosd.northbound.results import RoundOutcome
from nqosd.northbound.standby import NO_WRITES
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired
from tests.northbound.real import Daemon, add_switches, options_of, running
from tests.northbound.test_shares import LARGE
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


@every_generation
async def test_one_member_that_is_not_written_is_said(ovsdb_nb: OvsdbServer) -> None:
    """That others of its set come to the database, and more are wanted at each look, doesn't hide it."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as writer:
        await writer.write(BOTH)
    async with stolen(ovsdb_nb), running(options_of(ovsdb_nb.unix), writer=False) as standby:
        for number in range(LOOKS):
            senders = address_set(SENDERS.name, *SENDERS.addresses, "10.9.9.9", f"10.0.1.{number}")
            await standby.round(desired([VIDEO, VOICE], [senders, TALKERS]))
            ovsdb_nb.nbctl("add", "Address_Set", SENDERS.name, "addresses", f'"10.0.1.{number}"')
            await _looks(standby)
        await standby.run_until(lambda: f"set {SENDERS.name}" in standby.results[-1].problem)
        assert standby.results[-1].left_since is not None


async def test_a_holder_that_writes_a_long_backlog_is_not_said_to_write_nothing(
    ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What isn't there yet is named while share after share is written, and that nothing is written once that is so."""
    monkeypatch.setattr(shares, "MOST", 10)
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as writer:
        await writer.write(desired())
        async with running(options_of(ovsdb_nb.unix), writer=False) as standby:
            await standby.round(desired())
            with capture_logs() as logs:
                await standby.round(LARGE)
                assert (await writer.round(LARGE)).left
                for _ in range(LOOKS):
                    await _looks(standby)
                    assert (await writer.round()).left
                    assert NO_WRITES not in standby.results[-1].problem
                assert "writes, but not yet" in standby.results[-1].problem
                await standby.run_until(lambda: NO_WRITES in standby.results[-1].problem)
            assert [each["event"] for each in logs] == [
                "northbound: whoever has the lock has more to write",
                "northbound: whoever has the lock doesn't write",
            ]
            await writer.settle()
            await standby.run_until(lambda: not standby.results[-1].problem)


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
