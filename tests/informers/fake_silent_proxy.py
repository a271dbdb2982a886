"""A TCP proxy on loopback that can fall silent, or cut a connection after so many bytes.

It is a fake because no real service hangs, or breaks in the middle of an event, at a word. It passes TLS through.
"""

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

CHUNK = 16_384
TICK = 0.02


class FakeSilentProxy:
    """Forwards to a port of loopback. `refusing`: no new connection is taken."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.refusing = False
        self.cut_after: int | None = None
        """Bytes from the server to let pass before all connections are cut; counts down."""
        self.connections = 0
        """How many were taken so far."""

    @property
    def url(self) -> str:
        """The address for clients."""
        assert self._server is not None
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._connections) // 2

    def fall_silent(self) -> None:
        """Let connections stand, and nothing pass."""
        self._passing.clear()

    def speak_again(self) -> None:
        """Let pass what has piled up, and what follows."""
        self._passing.set()

    def cut(self) -> None:
        """Reset all connections."""
        for connection in self._connections:
            connection.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, family=socket.AF_INET)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if not self.refusing:
                self.connections += 1
                there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
                self._connections |= {writer, there_writer}
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(reader, there_writer, counts=False))
                    group.create_task(self._pump(there_reader, writer, counts=True))
        writer.transport.abort()
        self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._passing.wait()
                if counts and self.cut_after is not None:
                    chunk = chunk[: self.cut_after]
                    self.cut_after -= len(chunk)
                writer.write(chunk)
                await writer.drain()
                if self.cut_after == 0:
                    self.cut_after = None
                    await asyncio.sleep(TICK)  # what was let pass is to arrive
                    self.cut()
        writer.transport.abort()
        self._connections.discard(writer)
