"""The bookkeeping of list and watch for one resource, without I/O: bytes and failures in, changes and requests out.

Theory of operation. A reflector always knows what to do next: `action` is to pause, to GET a page of a list, or to GET
a stream. Its driver does that and reports what came of it (`page`, `lines`, `ended`, `lost`, `refused`, `missing`,
`waited`); while `streaming`, it reads on without asking. Each report gives a `Step`: the changes that follow, and how
the reflector moved. Where it moves is `transitions.TRANSITIONS`; this module says what is learned on the way:

- A list, streamed or paged, tells what is there as it arrives, and what has vanished only at its end, because only a
  whole list says that. A list that is begun anew forgets what it had seen, never what it has told.
- Lists ask for no resource version, which means "the newest": a list never takes the reflector back in time.
- A watch begins after the last resource version that was seen, so a lost connection loses no event.
- A refusal, a lost connection, an authorization withdrawn: all objects stay as they were told. Only three things delete
  one: its DELETED event, its absence from a whole list, and the end of its CustomResourceDefinition.

Rule: whatever is reported in whatever order, once a list and the events after it have been taken, the objects told are
the server's.
"""

import math
import random
from collections.abc import Callable, Sequence

from nqosd.api.decoding import (
    DecodeError,
    Failure,
    WatchEvent,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_list,
)
from nqosd.informers.backoff import SHORT, Pacing
from nqosd.informers.changes import Object
from nqosd.informers.resources import Resource
from nqosd.informers.steps import Action, GetPage, GetStream, Move, ReflectorOptions, Step, Wait
from nqosd.informers.told import ToldObjects
from nqosd.informers.transitions import TRANSITIONS, Outcome, Phase, Target

BLAMES_REQUEST = (400, 405, 406, 415, 422)
GONE = 410
EXCERPT = 200
"""How many characters of an unexpected answer a message shows."""


class Reflector:
    """The state of one resource's list and watch. `now` is always monotonic time in seconds."""

    def __init__(
        self,
        resource: Resource,
        now: float,
        options: ReflectorOptions | None = None,
        *,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.resource = resource
        self._options = options or ReflectorOptions()
        self._uniform = uniform
        self._pacing = Pacing(self._options.absence, uniform)
        self._told = ToldObjects(resource.kind)
        self._seen: set[str] = set()
        self._synced = False
        self._streamable_from = -math.inf
        self._pause: float | None = None
        self._version = ""
        self._told_up_to = ""
        self._token = ""
        self._page_size = self._options.page_size
        self._phase = Phase.STREAMED_LIST
        self._began = now
        self._since = now
        self._heard = False
        self._stream_time = self._options.watch_time

    @property
    def action(self) -> Action:
        """What to do now."""
        if self._pause is not None:
            return Wait(self._pause)
        match self._phase:
            case Phase.PAGED_LIST:
                token = {"continue": self._token} if self._token else {}
                return GetPage({"limit": str(self._page_size), **token})
            case Phase.STREAMED_LIST:
                begin = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            case Phase.WATCH:
                begin = {"resourceVersion": self._version}
        time = str(math.ceil(self._stream_time))
        return GetStream({"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": time, **begin})

    @property
    def is_watching(self) -> bool:
        """Whether a stream, if one is open, is a watch that goes on where the last one ended."""
        return self._phase is Phase.WATCH

    @property
    def streaming(self) -> bool:
        """Whether the stream that was asked for last is to be read on."""
        return self._pause is None and self._phase is not Phase.PAGED_LIST

    @property
    def deadline(self) -> float | None:
        """When a stream that hasn't told all objects must be given up (`lost`), in monotonic seconds; None if never."""
        return self._since + self._options.initial_time if self._phase is Phase.STREAMED_LIST else None

    @property
    def resource_version(self) -> str:
        """Up to where every change has been told; empty before the first list is whole."""
        return self._told_up_to

    @property
    def number_of_objects(self) -> int:
        """How many objects have been told and not deleted."""
        return len(self._told)

    def objects(self) -> dict[str, Object]:
        """Give what has been told, by key."""
        return self._told.copy()

    def waited(self, now: float) -> None:
        """Report that the pause is over."""
        if self._pause is None:
            raise RuntimeError(f"{self.resource.full_name}: there was no pause")
        self._pause = None
        self._ask(now)

    def page(self, body: bytes, now: float) -> Step:
        """Report a page of a list, as it came with status 200."""
        if self._phase is not Phase.PAGED_LIST:
            raise RuntimeError(f"{self.resource.full_name}: a page was reported in the phase {self._phase}")
        try:
            page = decode_list(body)
        except DecodeError as error:
            return self._move(Step(), Outcome.REFUSED, now, f"{error}: {_excerpt(body)}")
        step = Step(events=len(page.items))
        for item in page.items:
            self._put(item, step, now)
        self._pacing.answered()
        self._token = page.continue_token
        self._version = page.resource_version
        more = Outcome.PAGE if page.continue_token else Outcome.COMPLETE
        return self._move(step, more, now)

    def lines(self, lines: Sequence[bytes], now: float) -> Step:
        """Report lines of a stream; those after an error are not looked at, since the watch begins anew before them."""
        if not self.streaming:
            raise RuntimeError(f"{self.resource.full_name}: lines were reported without a stream")
        step = Step()
        taken = 0
        for line in lines:
            try:
                event = decode_event(line)
            except DecodeError as error:
                self._move(step, Outcome.BROKEN, now, f"{error}: {_excerpt(line)}")
                break
            if event.type == "ERROR":
                self._fail(event.object, step, now)
                break
            self._take(event, step, now)
            taken += 1
        self._note_version()
        return Step(step.changes, step.moves, step.undecodable, taken)

    def ended(self, now: float) -> Step:
        """Report that the server ended the stream properly."""
        mute = self._phase is Phase.WATCH and not self._heard and now - self._since >= self._stream_time - SHORT
        return self._move(Step(), Outcome.MUTE if mute else Outcome.ENDED, now)

    def lost(self, detail: str, now: float, *, answered: bool, silent: bool = False) -> Step:
        """Report that there was no answer (not `answered`), that a stream broke, or that nothing came (`silent`)."""
        if silent and (answered or self._phase is Phase.STREAMED_LIST):
            outcome = Outcome.SILENT if self._heard else Outcome.MUTE
        else:
            outcome = Outcome.BROKEN if answered else Outcome.UNREACHABLE
        return self._move(Step(), outcome, now, detail)

    def refused(self, status: int, body: bytes, now: float, *, retry_after: float | None = None) -> Step:
        """Report an answer with another status than 200; `retry_after` is the header, in seconds."""
        try:
            message = decode_failure(body).message
        except DecodeError:
            message = _excerpt(body)
        return self._move(Step(), _outcome_of(status), now, f"{status} {message}".strip(), retry_after)

    def missing(self, now: float) -> Step:
        """Report that the server doesn't know the resource: there are no objects of it."""
        return self._move(Step(), Outcome.MISSING, now, f"{self.resource.full_name} is not installed")

    def _take(self, event: WatchEvent, step: Step, now: float) -> None:
        match event.type:
            case "ADDED" | "MODIFIED":
                self._put(event.object, step, now)
            case "DELETED":
                self._drop(event.object, step, now)
            case "BOOKMARK":
                self._mark(event.object, step, now)
            case _:
                step.undecodable.append(f"watch event of unknown type {event.type!r}")
        self._heard = True
        self._pacing.answered()

    def _put(self, raw: bytes, step: Step, now: float) -> None:
        try:
            decoded = self.resource.decode(raw)
        except DecodeError as error:
            step.undecodable.append(str(error))
            return
        key = decoded.value.key
        if self._phase is Phase.WATCH:
            self._version = decoded.resource_version
        else:
            self._seen.add(key)
        if change := self._told.put(key, decoded.value, now):
            step.changes.append(change)

    def _drop(self, raw: bytes, step: Step, now: float) -> None:
        try:
            decoded = self.resource.decode(raw)
        except DecodeError as error:
            step.undecodable.append(str(error))
            return
        self._version = decoded.resource_version
        if change := self._told.drop(decoded.value.key, now):
            step.changes.append(change)

    def _mark(self, raw: bytes, step: Step, now: float) -> None:
        try:
            bookmark = decode_bookmark(raw)
        except DecodeError as error:
            step.undecodable.append(str(error))
            return
        self._version = bookmark.resource_version
        if bookmark.initial_events_end and self._phase is Phase.STREAMED_LIST:
            self._move(step, Outcome.COMPLETE, now)

    def _fail(self, raw: bytes, step: Step, now: float) -> None:
        try:
            failure = decode_failure(raw)
        except DecodeError:
            failure = Failure(message=_excerpt(raw))
        outcome = Outcome.EXPIRED if failure.code == GONE or failure.reason == "Expired" else Outcome.ERROR
        detail = f"{failure.code} {failure.message}".strip()
        self._move(step, outcome, now, detail, float(failure.retry_after))

    def _move(
        self, step: Step, outcome: Outcome, now: float, detail: str = "", retry_after: float | None = None
    ) -> Step:
        if self._pause is not None:
            raise RuntimeError(f"{self.resource.full_name}: {outcome} was reported in a pause")
        phase = self._phase
        target, pause = TRANSITIONS[phase, outcome]
        synced = False
        if outcome in {Outcome.COMPLETE, Outcome.MISSING}:
            step.changes.extend(self._told.retain(self._seen if outcome is Outcome.COMPLETE else (), now))
            synced, self._synced = not self._synced, True
        self._pause = self._pacing.after(phase, outcome, pause, now - self._since, retry_after)
        seconds = now - self._began
        if outcome is Outcome.EXPIRED and self._token:
            self._page_size *= 2  # so that a server that expires tokens faster than it serves pages can't hold us here
        self._go(target, now)
        self._note_version()
        step.moves.append(Move(phase, outcome, detail, self._pause or 0.0, self._pacing.failures, seconds, synced))
        if outcome is Outcome.COMPLETE and phase is Phase.STREAMED_LIST:
            self._since = now  # the same stream goes on as the watch
        elif self._pause is None:
            self._ask(now)
        return step

    def _note_version(self) -> None:
        """Take note of how far everything has been told: only a watch, and a list at its end, tell everything."""
        if self._phase is Phase.WATCH:
            self._told_up_to = self._version

    def _go(self, target: Target, now: float) -> None:
        match target:
            case Target.SAME:
                return
            case Target.WATCH:
                self._phase = Phase.WATCH
                self._page_size = self._options.page_size
                self._seen = set()
                return
            case Target.PAGED_LIST:
                self._streamable_from = now + self._options.streaming_retry
                self._phase = Phase.PAGED_LIST
            case Target.ANCHOR:
                self._phase = Phase.STREAMED_LIST if now >= self._streamable_from else Phase.PAGED_LIST
        self._began = now
        self._token = ""
        self._seen = set()

    def _ask(self, now: float) -> None:
        self._since = now
        self._heard = False
        self._stream_time = self._options.watch_time * (1.0 + 0.2 * self._uniform())


def _outcome_of(status: int) -> Outcome:
    if status == GONE:
        return Outcome.EXPIRED
    return Outcome.UNSUPPORTED if status in BLAMES_REQUEST else Outcome.REFUSED


def _excerpt(body: bytes) -> str:
    return bytes(memoryview(body)[:EXCERPT]).decode(errors="replace")
