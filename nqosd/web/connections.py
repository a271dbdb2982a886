"""The connections to the HTTP port: how many there are at a time, and how long each may last.

In: listening sockets, and what makes the protocol that serves a connection. Out: connections until `close`. Rules:
there are never more than MOST, so that this port can't use up the descriptors of the process; a new one is always
taken, and ends the oldest of those that have asked for nothing yet, or else the oldest; none lasts longer than it takes
to ask and to answer, whether it is silent, slow to send its headers or its body, or slow to read.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable

import structlog

_log = structlog.get_logger()

MOST = 100
"""Connections at a time."""
TO_ASK = 10.0
"""Seconds until a connection must have sent the headers of a request, the TLS handshake included."""
TO_ANSWER = 60.0
"""Seconds from then on until it must have taken the answer."""
PAUSE = 1.0
"""Seconds without accepting after a connection couldn't be accepted."""


class Connection(asyncio.Protocol):
    """One connection; whatever happens to it is handed on to `inner`, the protocol that serves it."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.has_asked = False
        self.limit = asyncio.timeout(TO_ASK)
        self.lost = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take what came in."""
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Note that nothing more comes in."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """Note that the other end doesn't read fast enough."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Note that it has caught up."""
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.inner.connection_lost(exc)
        self.lost.set()

    def abort(self) -> None:
        """Close it at once, whatever is still to be sent."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()


class Connections:
    """All of one port; `serve` makes the protocol for one. `tls` is for connections from now on."""

    def __init__(self, serve: Callable[[], asyncio.Protocol], *, most: int = MOST) -> None:
        self.tls: ssl.SSLContext | None = None
        self._serve = serve
        self._most = most
        self._listeners: tuple[socket.socket, ...] = ()
        self._accepting: list[asyncio.Task[None]] = []
        self._open: dict[asyncio.Task[None], Connection] = {}

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where connections are accepted."""
        return [each.getsockname()[:2] for each in self._listeners]

    def listen(self, listeners: Iterable[socket.socket]) -> None:
        """Accept connections from now on."""
        self._listeners = tuple(listeners)
        self._accepting = [asyncio.create_task(self._accept(each)) for each in self._listeners]

    def asked(self, inner: asyncio.BaseProtocol) -> None:
        """Note that a request has come in whole, on the connection that `inner` serves."""
        for each in self._open.values():
            if each.inner is inner and not each.has_asked and not each.limit.expired():
                each.has_asked = True
                each.limit.reschedule(asyncio.get_running_loop().time() + TO_ANSWER)

    async def deafen(self) -> None:
        """Accept no more, and give the port up."""
        await _cancelled(self._accepting)
        for each in self._listeners:
            each.close()

    async def close(self) -> None:
        """End all that are still open."""
        await _cancelled(self._open)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _address = await loop.sock_accept(listener)
            except OSError as error:  # no descriptor is left, or the other end has given up already
                _log.warning("a connection to the HTTP port can't be accepted", why=error.strerror)
                self._end_one()
                await asyncio.sleep(PAUSE)
                continue
            if len(self._open) >= self._most:
                self._end_one()
            connection = Connection(self._serve())
            task = asyncio.create_task(self._hold(connection, accepted))
            self._open[task] = connection
            task.add_done_callback(lambda done: self._open.pop(done, None))
            await asyncio.sleep(0)  # `sock_accept` doesn't give way while others are waiting already

    async def _hold(self, connection: Connection, accepted: socket.socket) -> None:
        """See a connection through to its end."""
        loop = asyncio.get_running_loop()
        try:
            async with connection.limit:
                await loop.connect_accepted_socket(lambda: connection, accepted, ssl=self.tls)
                await connection.lost.wait()
        except OSError:  # a handshake that failed, or a time limit
            pass
        finally:
            connection.abort()

    def _end_one(self) -> None:
        """End the oldest that has asked for nothing yet, or else the oldest."""
        silent = (task for task, each in self._open.items() if not each.has_asked)
        task = next(silent, None) or next(iter(self._open), None)
        if task is not None:
            del self._open[task]
            task.cancel()


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for their end."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
