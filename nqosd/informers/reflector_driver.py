"""The I/O of one reflector: does what it asks for, reports what came of it, and says when changes may go unheard.

In: a reflector and what all drivers share. Out: changes and "synced" to the sink. Rule: no decision is made here.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from nqosd.api.changes import ResourceKind, Sink
from nqosd.informers.answers import Answer, ReadAhead, read_event, read_page
from nqosd.informers.discovery import is_missing
from nqosd.informers.pulse import Pulse
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_reports import Reporter
from nqosd.informers.reflector_steps import GetPage, GetStream, Step, Wait
from nqosd.informers.resource_versions import is_older
from nqosd.informers.resources import Resource
from nqosd.informers.stream_lines import LineSplitter, LineTooLongError
from nqosd.informers.transitions import RequestOutcome
from nqosd.kube.client import KubeClient, KubeConnectionError, Stream
from nqosd.kube.credentials import KubeConfigError
from nqosd.runtime.threads import aside

OK = 200
NOT_FOUND = 404
LIGHT = 1 << 18
"""Bytes that may be read in the event loop; of pods 256 KiB take a millisecond."""
LIGHT_POLICIES = 1 << 12
"""The same for policies, of which 4 KiB can take 6 ms: whatever is wrong with them is told field by field."""
PAGE_TIMEOUT = 120.0
"""Seconds for a whole page of a list: 500 pods are some MiB, which a slow line carries in a minute."""


class InTouch(Protocol):
    """Who wants to know whether every change that the server knows of is heard at once."""

    def __call__(self, kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        """Take how it is with a kind; `reason` says why it is out of touch."""


class Shared(msgspec.Struct, frozen=True):
    """What the drivers of one server share."""

    client: KubeClient
    sink: Sink
    in_touch: InTouch
    grace: float
    """How many seconds an answer may be awaited before changes count as missed."""
    went_back: Callable[[str], None]
    """Called with the words to say when resource versions went back."""
    answers: Pulse = msgspec.field(default_factory=Pulse)
    """Beats when a server answers again."""
    lists: Pulse = msgspec.field(default_factory=Pulse)
    """Beats at the end of each list."""


class ReflectorDriver:
    """Runs for ever."""

    def __init__(self, reflector: Reflector, shared: Shared, reporter: Reporter) -> None:
        self._reflector = reflector
        self._resource = reflector.resource
        self._shared = shared
        self._reporter = reporter
        self._version = ""
        self._timer: asyncio.TimerHandle | None = None
        self._late = ""
        self._said = ""
        self._is_unreachable = False

    async def run(self) -> None:
        """Do what the reflector asks for, until cancelled."""
        try:
            while True:
                await self._act()
                self._stop_waiting()
        finally:
            self._stop_timer()

    async def _act(self) -> None:
        match self._reflector.action:
            case Wait(seconds, unreachable):
                await (self._shared.answers.wait(seconds) if unreachable else asyncio.sleep(seconds))
                self._reflector.waited(time.monotonic())
            case GetPage() as request:
                self._await_sign_of_life()
                await self._get_page(request)
            case GetStream() as request:
                self._await_sign_of_life()
                await self._get_stream(request)

    async def _get_page(self, request: GetPage) -> None:
        try:
            response = await self._shared.client.request(
                "GET",
                self._resource.path,
                query={**request.query, **self._resource.selectors},
                headers={"Accept": self._resource.accept(is_list=True)},
                timeout=PAGE_TIMEOUT,
            )
        except (KubeConnectionError, KubeConfigError) as error:
            self._take(self._reflector.lost(str(error), time.monotonic(), answered=False))
            return
        self._answered()
        if response.status == OK:
            read = await self._reader(read_page, [response.body])
            self._take(self._reflector.page(response.body, time.monotonic(), read))
        else:
            await self._refused(response.status, response.body, response.retry_after)

    async def _get_stream(self, request: GetStream) -> None:
        answered = False
        try:
            async with self._shared.client.stream(
                self._resource.path,
                query={**request.query, **self._resource.selectors},
                accept=self._resource.accept(is_list=False),
                limit=request.limit,
                silence=request.silence,
            ) as stream:
                answered = True
                self._answered()
                if stream.status != OK:
                    refusal = await stream.body()
                elif await self._read(stream, is_list=request.silence is not None):
                    return
        except (KubeConnectionError, KubeConfigError, LineTooLongError) as error:
            silent = isinstance(error, KubeConnectionError) and error.silent
            self._take(self._reflector.lost(str(error), time.monotonic(), answered=answered, silent=silent))
        else:
            if stream.status == OK:
                self._take(self._reflector.ended(time.monotonic()))
            else:
                await self._refused(stream.status, refusal, stream.retry_after)

    async def _read(self, stream: Stream, *, is_list: bool) -> bool:
        """Report the lines of a stream; return whether the reflector has moved on before its end."""
        if not is_list:
            self._stop_waiting()  # its end in time is the sign of life
        splitter = LineSplitter()
        async with contextlib.aclosing(stream.chunks()) as chunks:
            async for chunk in chunks:
                if is_list:
                    self._await_sign_of_life()
                lines = splitter.feed(chunk)
                read = await self._reader(read_event, lines)
                for portion in [lines] if read is read_event else [[line] for line in lines]:
                    step = self._reflector.lines(portion, time.monotonic(), read)
                    self._take(step)
                    if step.moves:
                        return True
                    if read is not read_event:  # to compare a long policy with the one before takes milliseconds
                        await asyncio.sleep(0)
        return False

    async def _reader(
        self, read: Callable[[bytes, Resource], Answer], texts: Sequence[bytes]
    ) -> Callable[[bytes, Resource], Answer]:
        """Give what reads some texts; where that takes long, a thread has read them.

        What they say is taken here all the same, so that versions and changes go together.
        """
        if sum(map(len, texts)) <= (LIGHT_POLICIES if self._resource.kind is ResourceKind.NETWORK_QOS else LIGHT):
            return read
        return await aside(lambda: ReadAhead(read, texts, self._resource))

    async def _refused(self, status: int, body: bytes, retry_after: float | None) -> None:
        if status == NOT_FOUND and self._resource.optional and await is_missing(self._shared.client, self._resource):
            self._take(self._reflector.missing(time.monotonic()))
        else:
            self._take(self._reflector.refused(status, body, time.monotonic(), retry_after=retry_after))

    def _take(self, step: Step) -> None:
        reflector, shared = self._reflector, self._shared
        if step.changes:
            shared.sink.changed(step.changes)
        if any(move.synced for move in step.moves):
            shared.sink.synced(self._resource.kind)
        self._reporter.report(step, reflector.number_of_objects)
        self._say()
        version = reflector.resource_version
        if is_older(version, self._version) or any(move.outcome is RequestOutcome.BEHIND for move in step.moves):
            shared.went_back(f"the resource versions of {self._resource} went back")
        self._version = version
        for move in step.moves:
            if move.outcome in {RequestOutcome.COMPLETE, RequestOutcome.MISSING}:
                shared.lists.beat()
            self._is_unreachable |= move.outcome is RequestOutcome.UNREACHABLE

    def _answered(self) -> None:
        """Tell those who wait for the server that it can be reached again."""
        if self._is_unreachable:
            self._is_unreachable = False
            self._shared.answers.beat()

    def _await_sign_of_life(self) -> None:
        """Count changes as missed if nothing arrives for a while, though the request isn't given up yet."""
        self._stop_waiting()
        self._timer = asyncio.get_running_loop().call_later(self._shared.grace, self._nothing_came)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_waiting(self) -> None:
        self._stop_timer()
        self._late = ""
        self._say()

    def _nothing_came(self) -> None:
        self._late = f"no answer for {self._shared.grace:g} s"
        self._say()

    def _say(self) -> None:
        """Say whether every change is heard, if that has changed."""
        reason = self._reflector.doubt or self._late
        if reason != self._said:
            self._said = reason
            self._shared.in_touch(self._resource.kind, is_in_touch=not reason, reason=reason)
