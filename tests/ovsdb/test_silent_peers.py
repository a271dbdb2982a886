"""Nobody waits for ever for a peer that takes the connection, sends one byte and then nothing. The peer is a fake."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from nqosd.commands.get import GetError, ask_daemon
from nqosd.commands.southbound import SouthboundError, find_flows
from nqosd.config.options import HttpSection
from nqosd.northbound.visit import ReadError, read_replica
from nqosd.ovsdb.remotes import Remote
from nqosd.statistics import switch
from nqosd.statistics.controller import ControllerError, wanted_meters
from nqosd.statistics.switch import SwitchError
from tests.northbound.real import options_of

LIMIT = 0.3
"""Seconds that each of them is given."""
GENEROUS = 30.0
"""Seconds after which it waits for ever."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Peer = tuple[bytes, Callable[[str], Awaitable[object]], type[Exception], str]
"""What comes first, who asks, what is raised, and a part of its words."""

ON_SOCKETS: dict[str, Peer] = {
    "a command, of a database": (
        b"{", lambda path: read_replica(options_of(f"unix:{path}"), seconds=LIMIT), ReadError,
        "not readable within 0.3 s",
    ),
    "nqosd explain, of the Southbound database": (
        b"{", lambda path: find_flows(Remote(f"unix:{path}"), "row", "ip4", seconds=LIMIT), SouthboundError,
        "no answer within 0.3 s",
    ),
    "nqosd stats, of the bridge": (
        b"\x04", lambda path: switch.read(path, (), LIMIT), SwitchError, "no answer within 0.3 s",
    ),
    "nqosd stats, of ovn-controller": (
        b"{", lambda path: wanted_meters(str(Path(path).parent), LIMIT), ControllerError, "no ovn-controller answers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("peer", ON_SOCKETS.values(), ids=ON_SOCKETS)
async def test_a_socket_that_says_one_byte(tmp_path: Path, peer: Peer) -> None:
    """Who asks gives up after its time, and says so."""
    first, ask, error, words = peer
    path = tmp_path / "ovn-controller.1.ctl"
    async with mute(first, lambda serve: asyncio.start_unix_server(serve, path)), asyncio.timeout(GENEROUS):
        with pytest.raises(error, match=words):
            await ask(str(path))


async def test_a_port_that_says_one_byte() -> None:
    """`nqosd get` gives a daemon up that doesn't answer, and says so."""
    async with mute(b"H", lambda serve: asyncio.start_server(serve, "127.0.0.1", 0)) as server:
        section = HttpSection(listen=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with asyncio.timeout(GENEROUS):
            with pytest.raises(GetError, match="no daemon answers there: timed out"):
                await asyncio.to_thread(ask_daemon, section, "/state/policies", LIMIT)


@contextlib.asynccontextmanager
async def mute(first: bytes, listen: Callable[[Serve], Awaitable[asyncio.Server]]) -> AsyncIterator[asyncio.Server]:
    """Play a server that sends one byte to each connection, and then nothing until the end."""
    ended = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await ended.wait()
        writer.close()

    async with await listen(serve) as server:
        try:
            yield server
        finally:
            ended.set()
