"""A port between a daemon and the API server that counts bytes and remembers requests.

In: an API server. Out: a plain HTTP port in front of it. Rule: every byte is passed on as it is, so that what is
counted is what a client without TLS would send and receive.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Self

import attrs

from tests.services.kubernetes import ApiServer

CHUNK = 2**18
END_OF_HEAD = b"\r\n\r\n"


@attrs.frozen
class Request:
    """A request as it was sent; header names are in lower case, `moment` is monotonic."""

    moment: float
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Recorder:
    """A port; a context manager of asyncio."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._tls = ssl.create_default_context(cafile=server.ca_file)
        self._listener: asyncio.Server | None = None
        self._connections = set[asyncio.Task[None]]()
        self.received = 0
        """Bytes from the API server."""
        self.sent = 0
        self.requests: list[Request] = []
        self._awaited: dict[bytes, asyncio.Future[float]] = {}

    def await_bytes(self, mark: bytes) -> asyncio.Future[float]:
        """Give the monotonic moment just before bytes from the API server with a mark in them are passed on."""
        return self._awaited.setdefault(mark, asyncio.get_running_loop().create_future())

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)  # nothing else refers to it
        task.add_done_callback(self._connections.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # also of one that is cancelled before it begins

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            cutter = _Cutter(self.requests.append)
            first = await reader.read(CHUNK)  # a request counts when it comes, not when the server's TLS stands
            self._count_sent(first, cutter)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._server.port, ssl=self._tls)
            up_writer.write(first)
            await asyncio.gather(
                self._pass_on(reader, up_writer, lambda data: self._count_sent(data, cutter)),
                self._pass_on(up_reader, writer, self._count_received),
            )

    def _count_sent(self, data: bytes, cutter: "_Cutter") -> None:
        self.sent += len(data)
        cutter.feed(data)

    def _count_received(self, data: bytes) -> None:
        self.received += len(data)
        for mark in [each for each in self._awaited if each in data]:
            self._awaited.pop(mark).set_result(time.monotonic())

    @staticmethod
    async def _pass_on(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[bytes], None]
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                count(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()


class _Cutter:
    """Cuts what a client sends on one connection into requests."""

    def __init__(self, took: Callable[[Request], None]) -> None:
        self._took = took
        self._rest = b""

    def feed(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(END_OF_HEAD)) >= 0:
            first, *lines = self._rest[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in lines)}
            begin = end + len(END_OF_HEAD)
            length = int(headers.get("content-length", "0"))
            if len(self._rest) < begin + length:
                return
            method, target, _version = first.split(" ")
            body, self._rest = self._rest[begin : begin + length], self._rest[begin + length :]
            self._took(Request(time.monotonic(), method, target, headers, body))
