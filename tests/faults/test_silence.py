"""A connection to the API server that hangs without closing."""

import asyncio
import contextlib
from collections.abc import Callable

from nqosd.api.changes import Change, ResourceKind
from nqosd.cache.tables import Tables
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.faults.site import Site


class Told:
    """A sink that keeps everything in tables."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.unsynced = set(ResourceKind)
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that depends on what was told."""
        while not condition():
            await self._news.wait()
            self._news.clear()

    def changed(self, changes: list[Change]) -> None:
        """Take changes."""
        for change in changes:
            self.tables.apply(change)
        self._news.set()

    def synced(self, kind: ResourceKind) -> None:
        """Take note."""
        self.unsynced.discard(kind)
        self._news.set()


async def test_a_connection_that_hangs_without_closing(bare_site: Site) -> None:
    """It is given up when the watch on it doesn't end in its time, and what happened meanwhile comes with a list."""
    site, told = bare_site, Told()
    kubeconfig = site.cluster.kubeconfig(site.directory / "hanging", port=site.api.port)
    async with KubeClient(KubeOptions(kubeconfig=str(kubeconfig))) as client, asyncio.timeout(60):
        source = ApiServerSource(client, options=ReflectorOptions(watch_time=1, grace=1))
        task = asyncio.create_task(source.run(told))
        await told.until(lambda: not told.unsynced)
        site.api.freeze()
        await asyncio.to_thread(site.add_pod, "unheard")
        await told.until(lambda: f"{site.namespace}/unheard" in told.tables.pods)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        site.api.cut()  # TLS waits half a minute for the goodbye of a connection that hangs
        await asyncio.sleep(0.1)
