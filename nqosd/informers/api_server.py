"""The informers of an API server: one reflector and its driver for each resource, over a shared client.

In: a `KubeClient`. Out: changes and "synced" to a sink. Rules: one resource's trouble delays no other; but when the
resource versions of one went back, all are listed anew, since they come from one store.
"""

import asyncio
import time
from collections.abc import Sequence

import structlog

from nqosd.api.changes import ResourceKind, Sink
from nqosd.informers.observer import InformerObserver, Unobserved
from nqosd.informers.pacing import CONFIRM
from nqosd.informers.pulse import Pulse
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_driver import InTouch, ReflectorDriver, Shared
from nqosd.informers.reflector_reports import Reporter
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.resources import RESOURCES, Resource
from nqosd.kube.client import KubeClient

SAME_EVENT = 10.0
"""Seconds within which resource versions that went back, of whatever kinds, have one cause."""

_log = structlog.get_logger()


def _nobody(kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
    """Tell nobody."""


class ApiServerSource:
    """Lists and watches resources for ever."""

    def __init__(
        self,
        client: KubeClient,
        *,
        options: ReflectorOptions | None = None,
        observer: InformerObserver | None = None,
        resources: Sequence[Resource] = RESOURCES,
        in_touch: InTouch | None = None,
    ) -> None:
        self._client = client
        self._options = options or ReflectorOptions()
        self._observer = observer or Unobserved()
        self._in_touch = in_touch or _nobody
        self._reflectors = [Reflector(resource, time.monotonic(), self._options) for resource in resources]
        self._lists = Pulse()
        self._went_back_at = float("-inf")

    @property
    def resource_versions(self) -> dict[ResourceKind, str]:
        """The resource version of each kind up to which every change has been told; empty before the first list."""
        return {each.resource.kind: each.resource_version for each in self._reflectors}

    async def run(self, sink: Sink) -> None:
        """Tell the sink of everything, until cancelled."""
        shared = Shared(self._client, sink, self._in_touch, self._options.grace, self._went_back, lists=self._lists)
        async with asyncio.TaskGroup() as group:
            for each in self._reflectors:
                driver = ReflectorDriver(each, shared, Reporter(each.resource, self._observer))
                group.create_task(driver.run(), name=f"informer of {each.resource.full_name}")

    async def list_again(self, why: str) -> None:
        """List every kind anew, some seconds from now; return when that is done."""
        before = {each.resource.kind: each.lists for each in self._reflectors}
        for each in self._reflectors:
            each.list_again(why, time.monotonic() + CONFIRM)
        while any(each.lists <= before[each.resource.kind] for each in self._reflectors):
            await self._lists.wait()

    def _went_back(self, why: str) -> None:
        """Have all kinds listed anew that weren't since the resource versions went back."""
        now = time.monotonic()
        if now - self._went_back_at > SAME_EVENT:
            self._went_back_at = now
            _log.warning("the API server's store was restored from a backup: listing everything anew", why=why)
        for each in self._reflectors:
            if each.listed_at < self._went_back_at:
                each.list_again(why, now)
