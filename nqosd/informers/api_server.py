"""The informers of an API server: drives one reflector for each resource over a shared client.

In: a `KubeClient`. Out: changes and "synced" to a sink. Rule: no decision is made here; what came of a request is
reported to the reflector, and what the reflector asks for is done. One resource's trouble delays no other.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from nqosd.informers.changes import Kind, Sink
from nqosd.informers.kube_client import KubeClient, KubeConnectionError
from nqosd.informers.kube_credentials import KubeConfigError
from nqosd.informers.lines import LineSplitter, LineTooLongError
from nqosd.informers.observer import InformerObserver, Unobserved
from nqosd.informers.reflector import Reflector
from nqosd.informers.reporting import Reporter
from nqosd.informers.resources import RESOURCES, Resource
from nqosd.informers.steps import GetPage, GetStream, ReflectorOptions, Step, Wait
from nqosd.informers.transitions import Outcome

OK = 200
NOT_FOUND = 404
PAGE_TIMEOUT = 120.0
"""Seconds for a whole page of a list: 500 pods are some MiB, which a slow line carries in a minute."""


SET_BACK = frozenset(Outcome) - {Outcome.PAGE, Outcome.COMPLETE, Outcome.ENDED, Outcome.MISSING}
"""What leaves a gap until the server answers again: changes may have happened that nobody heard of."""


class InTouch(Protocol):
    """Who wants to know whether every change that the server knows of is heard at once."""

    def __call__(self, kind: Kind, *, is_in_touch: bool, reason: str = "") -> None:
        """Take how it is with a kind; `reason` says why it is out of touch."""


def _nobody(kind: Kind, *, is_in_touch: bool, reason: str = "") -> None:
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

    @property
    def resource_versions(self) -> dict[Kind, str]:
        """The resource version of each kind up to which every change has been told; empty before the first list."""
        return {each.resource.kind: each.resource_version for each in self._reflectors}

    async def run(self, sink: Sink) -> None:
        """Tell the sink of everything, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._reflectors:
                driver = _Driver(each, self._client, sink, self._options, self._observer, in_touch=self._in_touch)
                group.create_task(driver.run(), name=f"informer of {each.resource.full_name}")


class _Driver:
    """The I/O of one reflector."""

    def __init__(
        self,
        reflector: Reflector,
        client: KubeClient,
        sink: Sink,
        options: ReflectorOptions,
        observer: InformerObserver,
        *,
        in_touch: InTouch,
    ) -> None:
        self._in_touch = in_touch
        self._resource = reflector.resource
        self._client = client
        self._sink = sink
        self._silence = options.silence
        self._reflector = reflector
        self._reporter = Reporter(reflector.resource, observer)

    async def run(self) -> None:
        while True:
            match self._reflector.action:
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                    self._reflector.waited(time.monotonic())
                case GetPage(query):
                    await self._get_page(query)
                case GetStream(query):
                    await self._get_stream(query)

    async def _get_page(self, query: Mapping[str, str]) -> None:
        try:
            response = await self._client.request("GET", self._resource.path, query=query, timeout=PAGE_TIMEOUT)
        except (KubeConnectionError, KubeConfigError) as error:
            self._take(self._reflector.lost(str(error), time.monotonic(), answered=False))
            return
        if response.status == OK:
            self._take(self._reflector.page(response.body, time.monotonic()))
        else:
            await self._refused(response.status, response.body, response.retry_after)

    async def _get_stream(self, query: Mapping[str, str]) -> None:
        answered = False
        try:
            async with (
                asyncio.timeout(self._time_left()) as limit,
                self._client.stream(self._resource.path, query=query, silence=self._silence) as stream,
            ):
                answered = True
                if stream.status != OK:
                    refusal = await stream.body()
                else:
                    if self._reflector.is_watching:
                        self._in_touch(self._resource.kind, is_in_touch=True)
                    splitter = LineSplitter()
                    async with contextlib.aclosing(stream.chunks()) as chunks:
                        async for chunk in chunks:
                            self._take(self._reflector.lines(splitter.feed(chunk), time.monotonic()))
                            if not self._reflector.streaming:
                                return
                            if limit.when() is not None and self._reflector.deadline is None:
                                limit.reschedule(None)
        except (KubeConnectionError, KubeConfigError, LineTooLongError) as error:
            silent = isinstance(error, KubeConnectionError) and error.silent
            self._take(self._reflector.lost(str(error), time.monotonic(), answered=answered, silent=silent))
        except TimeoutError:
            detail = "the list was not complete in time"
            self._take(self._reflector.lost(detail, time.monotonic(), answered=answered, silent=True))
        else:
            if stream.status == OK:
                self._take(self._reflector.ended(time.monotonic()))
            else:
                await self._refused(stream.status, refusal, stream.retry_after)

    async def _refused(self, status: int, body: bytes, retry_after: float | None) -> None:
        if status == NOT_FOUND and self._resource.optional and await self._is_api_server():
            self._take(self._reflector.missing(time.monotonic()))
        else:
            self._take(self._reflector.refused(status, body, time.monotonic(), retry_after=retry_after))

    async def _is_api_server(self) -> bool:
        """Ask whether it really was an API server that doesn't know the resource.

        A load balancer without a backend says 404 as well, and to believe it would delete every policy's rows.
        """
        try:
            response = await self._client.request("GET", "/apis")
            return response.status == OK and bool(_groups.decode(response.body).groups)
        except (KubeConnectionError, KubeConfigError, ValueError):
            return False

    def _time_left(self) -> float | None:
        deadline = self._reflector.deadline
        return None if deadline is None else deadline - time.monotonic()

    def _take(self, step: Step) -> None:
        if step.changes:
            self._sink.changed(step.changes)
        if any(move.synced for move in step.moves):
            self._sink.synced(self._resource.kind)
        for move in step.moves:
            if move.outcome in SET_BACK:
                reason = move.detail or move.outcome.value
                self._in_touch(self._resource.kind, is_in_touch=False, reason=reason)
            elif move.outcome in {Outcome.COMPLETE, Outcome.MISSING}:
                self._in_touch(self._resource.kind, is_in_touch=True)
        self._reporter.report(step, self._reflector.number_of_objects)


class _Groups(msgspec.Struct, gc=False):
    kind: Literal["APIGroupList"]
    groups: list[msgspec.Raw]


_groups = msgspec.json.Decoder(_Groups)
