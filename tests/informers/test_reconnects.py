"""However often connections are lost, nothing is left of them."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind
from nqosd.runtime import backoff
from tests.informers.fake_silent_proxy import FakeSilentProxy
from tests.informers.informing import create_pod, informing
from tests.informers.listening import until
from tests.kube.test_client import options
from tests.services.kubernetes import ADMIN, ApiServer

RECONNECTS = 1000
CLOSING = 60.0
"""Seconds for connections that were cut during the TLS handshake: asyncio gives them 30 s to shut down."""


def counts() -> tuple[int, int]:
    """Count this process's open sockets and tasks; what else is open belongs to the tests before this one."""
    return sum(each.startswith("socket:") for each in _open_files()), len(asyncio.all_tasks())


def _open_files() -> Iterator[str]:
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(each.readlink())


async def test_a_thousand_lost_watches_leave_nothing_behind(
    api_server: ApiServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a thousand lost connections there are as many open files and tasks as after the first, and all is told."""
    monkeypatch.setattr(backoff, "FIRST", 0.0)
    async with FakeSilentProxy(api_server.port) as proxy:
        given = replace(options(api_server, tmp_path, api_server.tokens[ADMIN]), server=proxy.url)
        async with informing(given, ResourceKind.POD) as informed:
            await informed.listener.until_synced(ResourceKind.POD)
            create_pod(api_server, namespace, "one")
            await informed.listener.until(lambda: informed.keys(ResourceKind.POD, namespace) == {"one"}, "watching")
            before = counts()
            while proxy.connections < RECONNECTS:
                known = proxy.connections
                proxy.cut()
                again = lambda known=known: proxy.connections > known and proxy.open_connections == 1  # noqa: E731
                await until(again, "connected again")
            back = lambda: all(now <= then for now, then in zip(counts(), before, strict=True))  # noqa: E731
            await until(back, f"back at {before}, but at {counts()}", CLOSING)
            assert informed.counter.restarts
            create_pod(api_server, namespace, "two")
            await informed.listener.until(lambda: informed.keys(ResourceKind.POD, namespace) == {"one", "two"}, "told")
