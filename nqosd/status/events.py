"""Events (events.k8s.io/v1) about policies and pods, for people who run `kubectl describe` or `kubectl get events`.

In: notes. Out: one Event for each. Rule: Events are worth little enough to lose: they wait in a bounded queue in which
namespaces take turns, so that who has most loses first; they are tried a few times, and an object that keeps changing
gets ten at once and then one a minute.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.api.objects import Pod
from nqosd.kube.writes import CONFLICT, Answer, ApiClient, Complaints, send
from nqosd.runtime.budgets import Budgets
from nqosd.status.condition_changes import Note, transition
from nqosd.status.turns import Turns

CONTROLLER = "nqosd"
MAX_NOTE = 1024
"""Bytes of an Event's note."""
MAX_INSTANCE = 128
MAX_SUBJECT_NAME = 230
"""Characters of an object's name that an Event's name repeats; a name has 253 at most."""
QUEUE = 1000
ATTEMPTS = 4
PAUSE = 1.0
"""Seconds before the second attempt; the third waits twice as long, and so on."""
AT_ONCE = 10
"""How many Events an object may have at once; then it earns one more every REFILL seconds."""
REFILL = 60.0


class EventObserver(Protocol):
    """Who counts Events."""

    def event(self, result: str) -> None:
        """Count one: `written`, `limited` (the object had too many), `dropped` (the queue was full) or `refused`."""


class _Subject(msgspec.Struct, frozen=True):
    """The object that an Event is about; `uid` is empty where it isn't known."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class _Event(msgspec.Struct, frozen=True):
    subject: _Subject
    path: str
    body: Mapping[str, object]


class EventRecorder:
    """Writes Events while `run` runs; `instance` is what tells this daemon from others, such as its host's name."""

    def __init__(
        self, client: ApiClient, observer: EventObserver, *, instance: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._observer = observer
        self._instance = instance[:MAX_INSTANCE]
        self._clock = clock
        self._queue = Turns[_Event]()
        self._waiting = self._unwritten = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._budgets = Budgets(AT_ONCE, REFILL)
        self._complaints = Complaints("an Event")
        self._made = 0

    def record(self, policy: NetworkQoS, note: Note) -> None:
        """Take a note about a policy; returns at once."""
        self._record(_Subject("k8s.ovn.org/v1alpha1", "NetworkQoS", policy.namespace, policy.name, policy.uid), note)

    def record_for_pod(self, pod: Pod, note: Note) -> None:
        """Take a note about a pod; returns at once."""
        self._record(_Subject("v1", "Pod", pod.namespace, pod.name, ""), note)

    def _record(self, subject: _Subject, note: Note) -> None:
        now = self._clock()
        if not self._budgets.spend(subject.uid or str(subject), now):
            self._observer.event("limited")
            return
        event = self._event(subject, note, now)
        if self._waiting < QUEUE:
            self._queue.put(subject.namespace, event)
            self._waiting += 1
            self._unwritten += 1
            self._idle.clear()
        else:
            self._queue.put_in_place(subject.namespace, event)
            self._observer.event("dropped")

    def condition_changed(self, policy: NetworkQoS, old: Condition | None, new: Condition) -> None:
        """Make an Event of a condition that has just been written, if it is news; this is a `Listener`."""
        note = transition(old, new)
        if note is not None:
            self.record(policy, note)

    async def run(self) -> None:
        """Write Events for ever, one after the other."""
        while True:
            event = await self._queue.get()
            self._waiting -= 1
            try:
                await self._write(event)
            finally:
                self._unwritten -= 1
                if not self._unwritten:
                    self._idle.set()

    async def drain(self) -> None:
        """Wait until every Event so far has been written or given up."""
        await self._idle.wait()

    async def _write(self, event: _Event) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            answer = await send(self._client, "POST", event.path, event.body)
            # 409: it exists, so an attempt whose answer was lost had been done
            if answer.accepted or answer.status == CONFLICT:
                self._complaints.accepted()
                self._observer.event("written")
                return
            if not answer.may_pass or attempt == ATTEMPTS:
                break
            await asyncio.sleep(_pause(answer, attempt))
        self._complaints.refused(answer, str(event.subject))
        self._observer.event("refused")

    def _event(self, subject: _Subject, note: Note, now: float) -> _Event:
        self._made += 1
        time_ = dt.datetime.fromtimestamp(now, dt.UTC)
        name = subject.name[:MAX_SUBJECT_NAME].rstrip("-.")  # a dot follows
        regarding = {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            **({"uid": subject.uid} if subject.uid else {}),
        }
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{name}.{time_.timestamp() * 1_000_000:.0f}.{self._made:x}",
                "namespace": subject.namespace,
            },
            "eventTime": time_.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": note.action,
            "reason": note.reason,
            "type": "Warning" if note.warning else "Normal",
            "note": _clipped(note.text),
            "regarding": regarding,
        }
        return _Event(subject, f"/apis/events.k8s.io/v1/namespaces/{subject.namespace}/events", body)


def _pause(answer: Answer, attempt: int) -> float:
    return max(PAUSE * 2.0 ** (attempt - 1), answer.retry_after or 0.0)


def _clipped(text: str) -> str:
    """Cut a note to what the API takes, not in the middle of a character."""
    data = text.encode()
    return text if len(data) <= MAX_NOTE else data[: MAX_NOTE - 3].decode(errors="ignore") + "…"
