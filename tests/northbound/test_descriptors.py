"""A socket that python-ovs closes between two turns, and whose number somebody else then gets. The server is real."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator

import pytest

from nqosd.northbound.results import RoundOutcome
from nqosd.ovsdb.connection import FramedConnection
from tests.northbound.cases import BOTH
from tests.northbound.desires import desired
from tests.northbound.real import Daemon, add_switches, driver_of, options_of, running
from tests.services.ovsdb import OvsdbServer


def connection_of(daemon: Daemon) -> FramedConnection:
    """Return a running daemon's connection."""
    connection = driver_of(daemon).idl.session.connection
    assert connection is not None
    return connection


class Guest:
    """A transport of asyncio, such as those of aiohttp are, and whoever is at its other end."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self.numbers = {self._near.fileno(), self._far.fileno()}

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Guest"]:
        """Serve both ends with transports."""
        self.reader, self._writer = await asyncio.open_connection(sock=self._near)
        self._far_reader, self.far_writer = await asyncio.open_connection(sock=self._far)
        try:
            yield self
        finally:
            self._writer.close()
            self.far_writer.close()

    async def is_served(self) -> bool:
        """Say whether what is written at the other end still arrives."""
        self.far_writer.write(b"ping")
        return await asyncio.wait_for(self.reader.readexactly(4), 5) == b"ping"


@pytest.mark.parametrize("fault", ["a failed send", "an error"])
async def test_a_number_that_a_transport_has_got_meanwhile(ovsdb_nb: OvsdbServer, fault: str) -> None:
    """Neither the daemon's own connection nor the one that has got the number of its socket is left unserved."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        driver, connection = driver_of(daemon), connection_of(daemon)
        number = connection.stream.socket.fileno()
        if fault == "an error":
            connection.error(errno.EPIPE)
        else:
            connection.stream.socket.shutdown(socket.SHUT_WR)
            driver.idl.watch({"some_set"})
            driver.idl.send_cond_change()
        guest = Guest()
        assert number in guest.numbers
        async with guest.open():
            await daemon.run_until(lambda: daemon.facts.lock_held and connection_of(daemon) is not connection)
            assert await guest.is_served()
        assert (await daemon.round(desired())).outcome is RoundOutcome.COMMITTED
