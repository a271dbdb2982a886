"""The informers of an API server: one reflector and its driver for each resource, over a shared client.

In: a `KubeClient`. Out: changes and "synced" to a sink. Rules: one resource's trouble delays no other; but when the
resource versions of one went back, all are listed anew, since they come from one store. A kind may be heard by several
watches, each of some objects, which come and go while it runs (`watch`, `leave`): together they tell what one would.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

import structlog
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind, Sink
from nqosd.api.objects import Pod
from nqosd.informers.merged import Merged
from nqosd.informers.observer import InformerObserver
from nqosd.informers.pacing import CONFIRM
from nqosd.informers.pulse import Pulse
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_driver import InTouch, ReflectorDriver, Shared
from nqosd.informers.reflector_reports import Reporter
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.resource_versions import is_older
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
        self._observer = observer or InformerObserver()
        self._in_touch = in_touch or _nobody
        self._reflectors = {each: Reflector(each, time.monotonic(), self._options) for each in resources}
        self._begin: Callable[[Resource], asyncio.Task[None]] | None = None
        self._parts: dict[Resource, asyncio.Task[None]] = {}
        self._merged: Merged | None = None
        self._silent: dict[Resource, str] = {}
        self._said = ""
        self._lists = Pulse()
        self._went_back_at = float("-inf")

    @property
    def resource_versions(self) -> dict[ResourceKind, str]:
        """The resource version of each kind up to which every change has been told; empty before the first list."""
        found: dict[ResourceKind, str] = {}
        for resource, each in self._reflectors.items():
            known = found.get(resource.kind, "")
            if not known or (each.resource_version and is_older(each.resource_version, known)):
                found[resource.kind] = each.resource_version
        return found

    @property
    def parts(self) -> Collection[Resource]:
        """The watches that were begun by `watch`."""
        return self._parts.keys()

    async def run(self, sink: Sink) -> None:
        """Tell the sink of everything, until cancelled."""
        shared = Shared(self._client, sink, self._in_touch, self._options.grace, self._went_back, lists=self._lists)
        self._merged = Merged(sink)
        part = replace(shared, sink=self._merged)
        async with asyncio.TaskGroup() as group:

            def begin(resource: Resource, shared: Shared) -> asyncio.Task[None]:
                reporter = Reporter(resource, self._observer)
                driver = ReflectorDriver(self._reflectors[resource], shared, reporter)
                return group.create_task(driver.run(), name=f"informer of {resource}")

            self._begin = lambda resource: begin(resource, replace(part, in_touch=partial(self._say, resource)))
            for each in self._reflectors:
                begin(each, shared)

    def watch(self, resource: Resource) -> None:
        """Begin to hear of some more pods; "synced" is told again once all of them have been."""
        if self._begin is None or self._merged is None:
            raise RuntimeError(f"{resource}: nothing is watched yet")
        reflector = self._reflectors[resource] = Reflector(resource, time.monotonic(), self._options, is_shared=True)
        self._merged.add(reflector.store)
        self._parts[resource] = self._begin(resource)

    def leave(self, resource: Resource) -> None:
        """Hear no more of some pods: those that no other watch has are gone."""
        self._parts.pop(resource).cancel()
        reflector = self._reflectors.pop(resource)
        if self._merged is not None:
            self._merged.remove(reflector.store)
        self._say(resource, resource.kind, is_in_touch=True)

    def pods(self) -> Collection[Pod]:
        """Give all pods that such watches have told."""
        return () if self._merged is None else self._merged.objects()

    @property
    def copies(self) -> int:
        """How many pods several such watches have told, again for each but one of these."""
        return sum(self._reflectors[each].number_of_objects for each in self._parts) - len(self.pods())

    def is_synced(self, resource: Resource) -> bool:
        """Say whether a watch was begun and has told all that there is."""
        return resource in self._reflectors and self._reflectors[resource].lists > 0

    async def list_again(self, why: str, kinds: Collection[ResourceKind] = tuple(ResourceKind)) -> None:
        """List kinds anew, some seconds from now; return when that is done."""
        for each in (chosen := [each for each in self._reflectors.values() if each.resource.kind in kinds]):
            each.list_again(why, time.monotonic() + CONFIRM)
        while any(each.is_to_list for each in chosen if each in self._reflectors.values()):
            await self._lists.wait()

    def _went_back(self, why: str) -> None:
        """Have all kinds listed anew that weren't since the resource versions went back."""
        now = time.monotonic()
        if now - self._went_back_at > SAME_EVENT:
            self._went_back_at = now
            _log.warning("the API server's store was restored from a backup: listing everything anew", why=why)
        for each in self._reflectors.values():
            if each.listed_at < self._went_back_at:
                each.list_again(why, self._went_back_at)

    def _say(self, resource: Resource, kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        """Say how it is with a kind of which several watches tell: as with the worst of them."""
        self._silent.pop(resource, None)
        if not is_in_touch and resource in self._parts:  # what one tells may have led to its being left
            self._silent[resource] = reason
        worst = next(iter(self._silent.values()), "")
        if worst != self._said:
            self._said = worst
            self._in_touch(kind, is_in_touch=not worst, reason=worst)
