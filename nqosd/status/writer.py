"""Writes conditions and summaries into the status of policies, beside the rounds and never in their way.

In: how each policy stands after a committed round, and each change of a policy's object. Out: server-side applies on
the status subresource, one for each policy whose status doesn't say so yet. Rule: a policy waits only for its own last
write. Of several states only the newest is written; a write that is refused is tried again, ever more slowly, until the
daemon says that the object is gone.

This daemon's field manager owns this zone's condition and, together with the other zones', the summary. Every zone sums
up the same conditions in the same way, so whoever writes last writes what the others would have written.
"""

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from typing import Protocol

import attrs
import structlog

from nqosd.api.decoding.metadata import DecodeError
from nqosd.api.decoding.policies import decode_written
from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.compiler.policy_reports import PolicyReport
from nqosd.kube.writes import NOT_FOUND, Answer, ApiClient, Complaints, send
from nqosd.northbound.results import Lacking
from nqosd.status.conditions import NOTHING_LACKING, condition
from nqosd.status.entry import PolicyStatus, Removal, Write, ZoneCondition

_log = structlog.get_logger()

APPLY = "application/apply-patch+yaml"
CONCURRENT = 4
FIRST_PAUSE = 0.5
LAST_PAUSE = 60.0
"""Seconds between attempts for one policy: the first pause, doubled each time up to the last."""


class StatusObserver(Protocol):
    """Who counts writes."""

    def status_write(self, result: str) -> None:
        """Count an attempt: `written`, `refused` (tried again) or `gone` (the object is no more, or is another)."""

    def status_pending(self, number: int) -> None:
        """Take the number of policies whose status waits to be written."""


class Listener(Protocol):
    """Who hears of conditions that have changed, such as the one that makes Events of them."""

    def __call__(self, policy: NetworkQoS, old: Condition | None, new: Condition) -> None:
        """Take a condition that has just been written, and the one that stood there before."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def send_removal(client: ApiClient, removal: Removal, *, until_accepted: bool = False) -> Answer:
    """Take back what a zone has said; gives the last answer.

    With `until_accepted` only what nqosd has said, so that the condition stays if ovn-kubernetes has said it since.
    """
    for query in removal.queries:
        answer = await send(client, "PATCH", removal.path, removal.body, query=query, content_type=APPLY)
        if until_accepted and answer.accepted and query == removal.queries[0]:
            break
    return answer


@attrs.define(eq=False)
class _Job:
    """Where the writing of one policy stands: at rest, in the queue, under way, or waiting for another attempt."""

    entry: PolicyStatus
    queued: bool = False
    writing: bool = False
    retry: asyncio.TimerHandle | None = None
    failures: int = 0

    @property
    def at_rest(self) -> bool:
        return not (self.queued or self.writing or self.retry)


class StatusWriter:
    """Only the daemon that holds the lock may call `submit`; `run` writes, as long as it runs."""

    def __init__(
        self,
        client: ApiClient,
        observer: StatusObserver,
        *,
        listener: Listener | None = None,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        self._client = client
        self._observer = observer
        self._listener = listener
        self._now = now
        self._jobs: dict[str, _Job] = {}
        self._queue: asyncio.Queue[_Job] = asyncio.Queue()
        self._busy: set[_Job] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._complaints = Complaints("a status")

    def submit(
        self,
        policy: NetworkQoS,
        report: PolicyReport,
        zone: str,
        lacking: Lacking = NOTHING_LACKING,
        *,
        zones_with_sources: frozenset[str] | None = None,
        alive: frozenset[str] | None = None,
    ) -> None:
        """Take how a policy stands after a round that has been committed; returns at once.

        `zones_with_sources` are the zones whose word the summary takes; None takes every zone that has a condition.
        `alive` are the types of the conditions of all zones: those of others are removed; None removes none.
        """
        job = self._jobs.get(policy.key)
        if job is None or job.entry.policy.uid != policy.uid:
            self.forget(policy.key)
            job = self._jobs[policy.key] = _Job(PolicyStatus(policy))
        job.entry.policy = policy
        job.entry.verdict = ZoneCondition(zone, condition(policy, report, zone, lacking), zones_with_sources, alive)
        self._consider(job)

    def observe(self, policy: NetworkQoS) -> None:
        """Take an object that may have changed in its status only: another zone's condition, or another hand's edit."""
        job = self._jobs.get(policy.key)
        if job is not None and job.entry.policy.uid == policy.uid:
            job.entry.policy = policy
            self._consider(job)

    def forget(self, key: str) -> None:
        """Drop a policy that is gone."""
        job = self._jobs.pop(key, None)
        if job is not None:
            job.entry.verdict = None
            if job.retry is not None:
                job.retry.cancel()
                job.retry = None
            self._note(job)

    def clear(self) -> None:
        """Drop everything: this daemon doesn't hold the lock any more. A write under way is not called back."""
        for key in list(self._jobs):
            self.forget(key)

    async def run(self) -> None:
        """Write for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENT):
                group.create_task(self._work())

    async def drain(self) -> None:
        """Wait until no policy waits to be written; one that is refused keeps this waiting."""
        await self._idle.wait()

    def _consider(self, job: _Job) -> None:
        """Queue a policy if there is something to write and it isn't waiting already."""
        if job.at_rest and (self._write_of(job) or self._removal_of(job)) is not None:
            job.queued = True
            self._queue.put_nowait(job)
        self._note(job)

    def _write_of(self, job: _Job) -> Write | None:
        return job.entry.write(self._now().strftime("%Y-%m-%dT%H:%M:%SZ"), asyncio.get_running_loop().time())

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            job.queued, job.writing = False, True
            try:
                write = self._write_of(job)
                if write is not None:
                    self._take(job, write, await self._send(write))
                elif (removal := self._removal_of(job)) is not None:
                    self._take_removal(job, removal, await send_removal(self._client, removal))
            finally:
                job.writing = False
            self._consider(job)

    def _removal_of(self, job: _Job) -> Removal | None:
        return job.entry.removal(asyncio.get_running_loop().time())

    async def _send(self, write: Write) -> Answer:
        return await send(self._client, "PATCH", write.path, write.body, query=write.query, content_type=APPLY)

    def _take(self, job: _Job, write: Write, answer: Answer) -> None:
        """Take the answer to a write."""
        if self._is_done(job, answer):
            self._accepted(job, write, answer)

    def _take_removal(self, job: _Job, removal: Removal, answer: Answer) -> None:
        """Take the answer to a removal; the informer will show what it has left behind."""
        if self._is_done(job, answer):
            job.entry.removed(removal)
            self._observer.status_write("written")

    def _is_done(self, job: _Job, answer: Answer) -> bool:
        """Say whether the server did it; if not, see to another attempt."""
        if answer.status == NOT_FOUND:  # the informer is about to say so; if not, somebody else answers in its place
            self._observer.status_write("gone")
            self._retry_later(job, LAST_PAUSE)
        elif not answer.accepted:
            self._observer.status_write("refused")
            self._complaints.refused(answer, job.entry.policy.key)
            job.failures += 1
            pause = min(LAST_PAUSE, FIRST_PAUSE * 2 ** min(job.failures - 1, 10))
            self._retry_later(job, max(pause, answer.retry_after or 0.0))
        else:
            self._complaints.accepted()
            job.failures = 0
        return answer.accepted

    def _accepted(self, job: _Job, write: Write, answer: Answer) -> None:
        """Take note of a write that was done, if it was done on the object that was meant.

        The server can't be asked to look at the uid when it applies to a status (measured with kube-apiserver 1.36).
        """
        try:
            uid, status = decode_written(answer.body)
        except DecodeError as error:
            _log.warning("the answer to a status write isn't a NetworkQoS", policy=write.policy.key, error=str(error))
            self._observer.status_write("refused")
            self._retry_later(job, LAST_PAUSE)
            return
        if uid != write.policy.uid:
            self._observer.status_write("gone")
            if self._jobs.get(write.policy.key) is job:
                self.forget(write.policy.key)
            return
        job.entry.answered(status, asyncio.get_running_loop().time())
        following = self._write_of(job)
        if following is not None and following.says_the_same_as(write):
            _log.warning(
                "the API server took a status but doesn't keep it: is the CRD nqosd's?", policy=write.policy.key
            )
            self._observer.status_write("refused")
            self._retry_later(job, LAST_PAUSE)
            return
        self._observer.status_write("written")
        if self._listener is not None and write.old != write.condition:
            self._listener(write.policy, write.old, write.condition)

    def _retry_later(self, job: _Job, pause: float) -> None:
        """Try again after a pause, a little longer or shorter so that not all policies come at once."""
        if self._jobs.get(job.entry.policy.key) is job:
            pause *= random.uniform(0.8, 1.2)  # noqa: S311 - no secret depends on it
            job.retry = asyncio.get_running_loop().call_later(pause, self._retry, job)

    def _retry(self, job: _Job) -> None:
        job.retry = None
        self._consider(job)

    def _note(self, job: _Job) -> None:
        """Keep count of the policies that wait."""
        before = len(self._busy)
        (self._busy.discard if job.at_rest else self._busy.add)(job)
        if len(self._busy) != before:
            self._observer.status_pending(len(self._busy))
        (self._idle.clear if self._busy else self._idle.set)()
