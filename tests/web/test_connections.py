"""How long a connection to the HTTP port may take to ask, and from then on to be answered. The client is real."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

import pytest
from prometheus_client import Metric
from prometheus_client.registry import Collector

from nqosd.web import connections
from nqosd.web.server import HttpOptions
from tests.web.serving import make_server

GENEROUS = 30.0
"""Seconds that no time limit of these tests reaches."""


class Held(Collector):
    """Keeps /metrics from being answered until `may_end` is set."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def collect(self) -> list[Metric]:
        """Wait."""
        self.begun.set()
        self.may_end.wait(GENEROUS)
        return []


@contextlib.asynccontextmanager
async def asking(held: Held) -> AsyncIterator[tuple[int, asyncio.Task[bytes]]]:
    """Serve, and ask /metrics; give the port, and what comes of the request, which is being worked on."""
    server = make_server(HttpOptions())
    await server.start()
    server._registry.register(held)
    port = int(server.url.rpartition(":")[2])
    try:
        asked = asyncio.create_task(answer_of(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert await asyncio.to_thread(held.begun.wait, GENEROUS)
        yield port, asked
    finally:
        held.may_end.set()
        await server.stop()


async def answer_of(port: int, request: bytes) -> bytes:
    """Send a request, if any, and give what comes until the connection ends; nothing if it is ended without."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        async with asyncio.timeout(GENEROUS):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_request_that_is_not_answered_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the request on a connection has its time, however much more it would have had to ask."""
    monkeypatch.setattr(connections, "TO_ASK", GENEROUS)
    monkeypatch.setattr(connections, "TO_ANSWER", 0.3)
    async with asking(Held()) as (_port, asked):
        assert await asked == b""


async def test_who_has_asked_may_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is answered though a connection that came later has been ended for asking nothing."""
    monkeypatch.setattr(connections, "TO_ASK", 1.0)
    held = Held()
    async with asking(held) as (port, asked):
        assert await answer_of(port, b"") == b""
        assert not asked.done()
        held.may_end.set()
        assert (await asked).startswith(b"HTTP/1.1 200 ")
