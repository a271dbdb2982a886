"""A fake: a relay that stands before a real ovsdb-server and lies to the daemon in one way, until it is told to stop.

In: where the server listens, and which lie. Out: a unix socket that looks like the server. The rule: whole messages are
passed on unchanged and in order, but for those that the lie is about; once it is over, new connections meet the truth.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from nqosd.ovsdb.framing import Framer

Json = dict[str, object]

Lie = Callable[["Exchange", bytes], list[bytes]]
"""What the daemon gets in place of a message of the server, which comes with what is known of the exchange."""


class Exchange:
    """One connection: which request each answer is for."""

    def __init__(self) -> None:
        self.requests: dict[object, str] = {}
        self.sent: list[Json] = []
        """What the daemon has sent."""

    def note(self, message: bytes) -> None:
        """Take a message of the daemon."""
        said = json.loads(message)
        self.sent.append(said)
        params = said.get("params") or [""]
        self.requests[said.get("id")] = f"{said.get('method')} {params[0]}" if isinstance(params[0], str) else ""

    def step(self, message: bytes) -> str:
        """Name the request that a message of the server answers, `METHOD DATABASE`; empty if it answers none."""
        said = json.loads(message)
        return "" if said.get("method") else self.requests.get(said.get("id"), "")


class LyingRelay:
    """Serves `path` with what the server at `target` says, and with lies."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self.lie: Lie | None = None
        self.told = 0
        """How often a lie was told, in place of the truth."""
        self.pause = 0.0
        """Seconds before each part of a lie but the first."""
        self._clients: set[asyncio.StreamWriter] = set()

    @property
    def remote(self) -> str:
        """How OVSDB names it."""
        return f"unix:{self.path}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["LyingRelay"]:
        """Serve."""
        server = await asyncio.start_unix_server(self._serve, self.path)
        try:
            yield self
        finally:
            server.close()
            self.cut()
            while self._clients:  # noqa: ASYNC110 (their tasks end by themselves)
                await asyncio.sleep(0.01)

    def cut(self) -> None:
        """Close every connection."""
        for client in self._clients:
            client.close()

    def inject(self, message: bytes) -> None:
        """Say something on every connection that nobody asked for."""
        self.told += 1
        for client in self._clients:
            client.write(message)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = Exchange()
        from_server, to_server = await asyncio.open_unix_connection(self._target)
        self._clients.add(writer)
        up = asyncio.create_task(self._pass_on(reader, to_server, exchange))
        try:
            with contextlib.suppress(OSError):
                await self._pass_down(from_server, writer, exchange)
        finally:
            self._clients.discard(writer)
            up.cancel()
            for each in (writer, to_server):
                each.close()

    async def _pass_down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, exchange: Exchange) -> None:
        framer = Framer()
        while data := await source.read(1 << 16):
            for message in framer.feed(data):
                for number, each in enumerate(self._tell(exchange, message)):
                    if number and self.pause:
                        await asyncio.sleep(self.pause)
                    sink.write(each)
            await sink.drain()

    def _tell(self, exchange: Exchange, message: bytes) -> list[bytes]:
        if self.lie is None:
            return [message]
        told = self.lie(exchange, message)
        self.told += told != [message]
        return told

    async def _pass_on(self, reader: asyncio.StreamReader, sink: asyncio.StreamWriter, exchange: Exchange) -> None:
        framer = Framer()
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                for message in framer.feed(data):
                    exchange.note(message)
                sink.write(data)
                await sink.drain()
        sink.close()
