"""The bookkeeping of list and watch for one resource, without I/O: bytes and failures in, changes and requests out.

Theory of operation. A reflector always knows what to do next: `action` is to pause, to GET a page of a list, or to GET
a stream. Its driver does that and reports what came of it (`page`, `lines`, `ended`, `lost`, `refused`, `missing`,
`waited`). Each report gives a `Step`: the changes that follow, and how the reflector moved; a move ends a stream. Where
it moves is `transitions.TRANSITIONS`; this module says what is learned on the way:

- A list, streamed or paged, tells what is there as it arrives, and what has vanished only at its end, because only a
  whole list says that. A list that is begun anew forgets what it had seen, never what it has told.
- Lists ask for no resource version, which means "the newest": a list never takes the reflector back in time.
- A watch begins after the last resource version that was seen, so a lost connection loses no event. It is short: its
  end in time shows that changes are heard. Whatever else ends it is followed by a list (`trust`).
- A refusal, a lost connection, an authorization withdrawn: all objects stay as they were told. Only three things delete
  one: its DELETED event, its absence from a whole list, and the end of its CustomResourceDefinition. Where the latter
  two would delete much, a second list must say the same. A few objects are much where a list names no kind, being of
  metadata alone, and where several reflectors share a kind.

Rule: whatever is reported in whatever order, once a list and the events after it have been taken, the objects told are
the server's.
"""

import math
import random
from collections.abc import Callable, Sequence

from nqosd.api.changes import Object
from nqosd.api.decoding import Bookmark, DecodeError, Failure, ObjectList
from nqosd.informers.answers import Event, ObjectEvent, Page, excerpt, read_event, read_failure, read_page, read_refusal
from nqosd.informers.listing import Listing
from nqosd.informers.pacing import CONFIRM, Pacing
from nqosd.informers.reflector_steps import Action, GetPage, GetStream, Move, ReflectorOptions, Step, Wait
from nqosd.informers.resource_versions import is_older
from nqosd.informers.resources import Resource
from nqosd.informers.store import FEW, Store
from nqosd.informers.transitions import FAULTS, TRANSITIONS, NextPhase, Phase, RequestOutcome
from nqosd.informers.trust import Trust

PROBE_SHARE = 0.6
"""How long a watch of the resource that is counted after each of them takes, as a share of the others."""
CLOCKS_DIFFER = 0.001
"""How much faster the server's clock may run than this one's, as a share: each is slewed by 0.05 % at most. A watch
that ends in its time by the server's clock has done so."""

AGAIN = 1.5
"""How long after a fault objects that may have been pruned are listed again, in units of the time between two looks at
a definition: one may have been in the place of another for less than that, and nobody has seen it."""


class Reflector:
    """The state of one resource's list and watch. `now` is always monotonic time in seconds.

    `is_shared`: others watch other objects of the kind, so what is told is put together by resource versions.
    """

    def __init__(
        self,
        resource: Resource,
        now: float,
        options: ReflectorOptions | None = None,
        *,
        is_shared: bool = False,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.resource = resource
        self._is_shared = is_shared
        self._options = options or ReflectorOptions()
        self._pacing = Pacing(self._options.absence, uniform)
        self._trust = Trust(self._options.list_interval, uniform)
        self.store = Store(resource.kind, keeps_versions=is_shared)
        self._listing = Listing()
        self._synced = False
        self._streamable_from = -math.inf
        self._pause: Wait | None = None
        self._version = ""
        self._told_up_to = ""
        self._page_size = self._options.page_size
        self._phase = self._asked = Phase.STREAMED_LIST
        self._began = now
        self._since = now
        self._heard = False
        self._watch_time = 0
        self.lists = 0
        """How many lists were completed; a definition that isn't there counts."""

    @property
    def action(self) -> Action:
        """What to do now."""
        if self._pause is not None:
            return self._pause
        silence: float | None = None
        match self._phase:
            case Phase.PAGED_LIST:
                token = {"continue": self._listing.token} if self._listing.token else {}
                return GetPage({"limit": str(self._page_size), **token})
            case Phase.COUNT:
                return GetPage({"limit": "1"})
            case Phase.STREAMED_LIST:
                begin = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
                seconds, silence = math.ceil(self._options.list_time), self._options.list_silence
            case Phase.WATCH:
                begin = {"resourceVersion": self._version}
                seconds = self._watch_time
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds), **begin}
        return GetStream(query, seconds + self._options.grace, silence)

    @property
    def resource_version(self) -> str:
        """Up to where every change has been told; empty before the first list is whole."""
        return self._told_up_to

    @property
    def doubt(self) -> str:
        """Why changes may have been missed; empty if none can have been."""
        return self._trust.doubt

    @property
    def listed_at(self) -> float:
        """When the last list was completed."""
        return self._trust.listed_at

    @property
    def is_to_list(self) -> bool:
        """Whether a list was asked for, and none has been completed that began when it was to, or later."""
        return self._trust.is_asked

    @property
    def number_of_objects(self) -> int:
        """How many objects have been told and not deleted."""
        return len(self.store)

    def objects(self) -> dict[str, Object]:
        """Give what has been told, by key."""
        return self.store.copy()

    def list_again(self, why: str, at: float) -> None:
        """Ask for a list at a time, because changes may have been missed."""
        self._trust.list_again(why, at)

    def waited(self, now: float) -> None:
        """Report that the pause is over."""
        if self._pause is None:
            raise RuntimeError(f"{self.resource.full_name}: there was no pause")
        self._pause = None
        self._ask(now)

    def page(self, body: bytes, now: float, read: Callable[[bytes, Resource], Page] = read_page) -> Step:
        """Report a page of a list, as it came with status 200; `read` says what is in it."""
        if self._phase not in {Phase.PAGED_LIST, Phase.COUNT}:
            raise RuntimeError(f"{self.resource.full_name}: a page was reported in the phase {self._phase}")
        try:
            page, objects = read(body, self.resource)
            if self._phase is Phase.COUNT:
                return self._counted(page, now)
            self._listing.turn(page, {each.value.key for each in objects})
        except DecodeError as error:
            return self._move(Step(undecodable=1), RequestOutcome.WRONG, now, f"{error}: {excerpt(body)}")
        step = Step(events=len(objects))
        for decoded in objects:
            if change := self.store.put(decoded.value.key, decoded.value, now, decoded.resource_version):
                step.changes.append(change)
        self._pacing.answered()
        self._version = page.resource_version
        return self._move(step, RequestOutcome.PAGE if page.continue_token else RequestOutcome.COMPLETE, now)

    def lines(self, lines: Sequence[bytes], now: float, read: Callable[[bytes, Resource], Event] = read_event) -> Step:
        """Report lines of a stream; those after a move are not looked at, since the next request brings them again.

        `read` says what is in a line.
        """
        if self._pause is not None or self._phase not in {Phase.STREAMED_LIST, Phase.WATCH}:
            raise RuntimeError(f"{self.resource.full_name}: lines were reported without a stream")
        step = Step()
        events = undecodable = 0
        for line in lines:
            try:
                events += self._take(read(line, self.resource), step, now)
            except DecodeError as error:
                undecodable += 1
                self._move(step, RequestOutcome.BROKEN, now, f"{error}: {excerpt(line)}")
            if step.moves:
                break
        self._note_version()
        return Step(step.changes, step.moves, events, undecodable)

    def ended(self, now: float) -> Step:
        """Report that the server ended the stream properly."""
        if self._phase is Phase.WATCH and now - self._since >= self._watch_time * (1 - CLOCKS_DIFFER):
            return self._move(Step(), RequestOutcome.ENDED, now)
        return self._move(Step(), RequestOutcome.EARLY, now, f"ended after {now - self._since:.1f} s")

    def lost(self, detail: str, now: float, *, answered: bool, silent: bool = False) -> Step:
        """Report that there was no answer (not `answered`), that a stream broke, or that it didn't end (`silent`)."""
        if silent and (answered or self._phase is Phase.STREAMED_LIST):
            outcome = RequestOutcome.SILENT
        else:
            outcome = RequestOutcome.BROKEN if answered else RequestOutcome.UNREACHABLE
        return self._move(Step(), outcome, now, detail)

    def refused(self, status: int, body: bytes, now: float, *, retry_after: float | None = None) -> Step:
        """Report an answer with another status than 200; `retry_after` is the header, in seconds."""
        outcome, detail = read_refusal(status, body)
        return self._move(Step(), outcome, now, detail, retry_after)

    def missing(self, now: float) -> Step:
        """Report that the server doesn't know the resource: there are no objects of it."""
        return self._move(Step(), RequestOutcome.MISSING, now, f"{self.resource.full_name} is not installed")

    def _take(self, event: Event, step: Step, now: float) -> bool:
        """Take an event; return whether it was one of those that a server sends while all is well."""
        if isinstance(event, Failure):
            outcome, detail = read_failure(event)
            self._move(step, outcome, now, detail, event.retry_after)
            return False
        version = event.resource_version if isinstance(event, Bookmark) else event.decoded.resource_version
        if self._phase is Phase.WATCH:
            if is_older(version, self._version):
                self._move(step, RequestOutcome.BEHIND, now, f"the version {version} came after {self._version}")
                return False
            self._version = version
        self._heard = True
        self._pacing.answered()
        if isinstance(event, ObjectEvent):
            self._tell(event, step, now)
        elif event.initial_events_end and self._phase is Phase.STREAMED_LIST:
            self._version = version
            self._move(step, RequestOutcome.COMPLETE, now)
        return True

    def _tell(self, event: ObjectEvent, step: Step, now: float) -> None:
        value = event.decoded.value
        if event.is_there:
            self._listing.seen.add(value.key)
            change = self.store.put(value.key, value, now, event.decoded.resource_version)
        else:
            self._listing.seen.discard(value.key)
            change = self.store.drop(value.key, now)
        if change:
            step.changes.append(change)

    def _counted(self, page: ObjectList, now: float) -> Step:
        """Compare what the server says of all objects with what was told."""
        if is_older(page.resource_version, self._version):
            detail = f"the newest version is {page.resource_version}, but {self._version} was seen"
            return self._move(Step(), RequestOutcome.BEHIND, now, detail)
        is_known = page.remaining is not None or not page.continue_token
        number = len(page.items) + (page.remaining or 0)
        if is_known and number != len(self.store):
            return self._move(
                Step(), RequestOutcome.DIFFERS, now, f"there are {number} objects, {len(self.store)} were told"
            )
        self._trust.shown(page.resource_version, now)
        return self._move(Step(), RequestOutcome.COMPLETE, now)

    def _move(
        self, step: Step, outcome: RequestOutcome, now: float, detail: str = "", retry_after: float | None = None
    ) -> Step:
        if self._pause is not None:
            raise RuntimeError(f"{self.resource.full_name}: {outcome} was reported in a pause")
        phase, synced = self._phase, False
        if outcome is RequestOutcome.MISSING or (outcome is RequestOutcome.COMPLETE and phase is not Phase.COUNT):
            if doubt := self._end_list(step, outcome, now):
                outcome, detail = RequestOutcome.DOUBTED, f"{detail}: {doubt}".lstrip(": ")
            else:
                synced, self._synced = not self._synced, True
        if (phase, outcome) in FAULTS:
            self._trust.missed(detail or outcome.value, now)
        target, pause = TRANSITIONS[phase, outcome]
        seconds = self._pacing.after(phase, outcome, pause, now - self._since, retry_after)
        self._pause = None if seconds is None else Wait(seconds, unreachable=outcome is RequestOutcome.UNREACHABLE)
        took = now - self._began
        if outcome is RequestOutcome.EXPIRED and self._listing.token:
            self._page_size *= 2  # so that a server that expires tokens faster than it serves pages can't hold us here
        self._go(target, now)
        self._note_version()
        step.moves.append(Move(phase, outcome, detail, seconds or 0.0, self._pacing.failures, took, synced))
        if self._pause is None:
            self._ask(now)
        return step

    def _end_list(self, step: Step, outcome: RequestOutcome, now: float) -> str:
        """Take the end of a list, or of the definition; return why it isn't believed yet."""
        is_list = outcome is RequestOutcome.COMPLETE
        keys = self._listing.seen if is_list else set()
        few = 0 if self._is_shared or self.resource.only_metadata or not is_list else FEW
        if doubt := self.store.doubt(keys, few):
            return doubt
        again = self._options.absence * AGAIN if self.resource.may_be_pruned else math.inf
        if self.store.is_doubted:  # who said twice that most is gone may say something else soon
            again = min(again, CONFIRM)
        step.changes.extend(self.store.retain(keys, now))
        self._trust.listed(self._began, now, again)
        self.lists += 1
        return ""

    def _note_version(self) -> None:
        """Take note of how far everything has been told: only a watch, and a list at its end, tell everything."""
        if self._phase is Phase.WATCH:
            self._told_up_to = self._version

    def _go(self, target: NextPhase, now: float) -> None:
        match target:
            case NextPhase.SAME:
                return
            case NextPhase.WATCH:
                self._phase = Phase.WATCH
                self._page_size = self._options.page_size
                self._listing = Listing()
                return
            case NextPhase.PAGED_LIST:
                self._streamable_from = now + self._options.streaming_retry
                self._phase = Phase.PAGED_LIST
            case NextPhase.ANCHOR:
                self._phase = Phase.STREAMED_LIST if now >= self._streamable_from else Phase.PAGED_LIST
        self._began = now
        self._listing = Listing()

    def _ask(self, now: float) -> None:
        if self._phase is Phase.WATCH:
            self._trust.reached(self._version, now)
            if self._trust.wants_list(now):
                self._go(NextPhase.ANCHOR, now)
            elif self._asked is Phase.WATCH and self._wants_count(now):
                self._trust.counted(now)
                self._phase = Phase.COUNT
        if self._phase in {Phase.STREAMED_LIST, Phase.PAGED_LIST} and not self._listing.token:
            self._began = now  # what was waited for before doesn't count: it says nothing of how dear a list is
        self._asked, self._since, self._heard = self._phase, now, False
        longest = self._options.watch_time * (PROBE_SHARE if self.resource.is_probe else 1.0)
        self._watch_time = math.ceil(min(longest, max(1.0, self._trust.due - now)))

    def _wants_count(self, now: float) -> bool:
        """Say whether objects are counted after a watch; no server counts those that a selector chooses."""
        is_quiet = not (self._heard or self.resource.selectors)
        return self.resource.is_probe or (is_quiet and self._trust.wants_count(now))
