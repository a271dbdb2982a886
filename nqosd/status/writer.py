"""Writes what was summed up into the status of policies, beside the rounds and never in their way.

In: the verdict on each policy, and each change of its object. Out: patches of the status subresource, one for each
policy whose status doesn't say so yet. Rule: a policy waits only for its own last write, and for its namespace's turn.
Of several verdicts only the newest is written; a write that is refused is tried again, ever more slowly, until the
daemon says that the object is gone.
"""

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from typing import Protocol

import structlog

from nqosd.api.decoding.metadata import DecodeError
from nqosd.api.decoding.policies import decode_written
from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.api.text import shortened
from nqosd.kube.writes import NOT_FOUND, UNPROCESSABLE, Answer, ApiClient, Complaints, send
from nqosd.status.entry import PolicyStatus, Write
from nqosd.status.job import LAST_PAUSE, Job
from nqosd.status.readiness import StatusVerdict
from nqosd.status.turns import Turns

_log = structlog.get_logger()

PATCH = "application/json-patch+json"
CONCURRENT = 4
TESTED = "the server rejected our request"
"""What an API server says where a patch's test failed; of a status that it finds invalid it says what is wrong."""
CONTESTED = (
    "somebody else writes the same statuses, so they are put right ever more slowly; who it is tells kubectl get "
    "networkqos --show-managed-fields -o yaml, and a second nqosd needs status.enabled = false:"
)
FIRST_PAUSE = 0.5
"""Seconds until a refused write is tried again, doubled each time up to the last pause."""


class StatusObserver(Protocol):
    """Who counts writes."""

    def status_write(self, result: str) -> None:
        """Count an attempt: `written`, `refused` (tried again) or `gone` (deleted, or another generation or object).

        `undone` comes besides: somebody else had changed what was written.
        """

    def status_pending(self, number: int) -> None:
        """Take the number of policies whose status waits to be written."""


class Listener(Protocol):
    """Who hears of conditions that have changed, such as the one that makes Events of them."""

    def __call__(self, policy: NetworkQoS, old: Condition | None, new: Condition) -> None:
        """Take `Ready` as it has just been written, and as it stood there before."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class StatusWriter:
    """Only the daemon that sums up may call `submit`; `run` writes, as long as it runs."""

    def __init__(
        self,
        client: ApiClient,
        observer: StatusObserver,
        *,
        listener: Listener | None = None,
        say: Callable[[str], None] = lambda _text: None,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        self._client = client
        self._observer = observer
        self._listener = listener
        self._say = say
        self._now = now
        self._jobs: dict[str, Job] = {}
        self._queue = Turns[Job]()
        self._busy: set[Job] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._complaints = Complaints("a status")
        self._contested: set[str] = set()

    def submit(self, policy: NetworkQoS, verdict: StatusVerdict) -> None:
        """Take what the status of a policy should say; returns at once."""
        job = self._jobs.get(policy.key)
        if job is None or job.entry.policy.uid != policy.uid:
            self.forget(policy.key)
            job = self._jobs[policy.key] = Job(PolicyStatus(policy))
        job.entry.policy, job.entry.verdict = policy, verdict
        self._consider(job)

    def forget(self, key: str) -> None:
        """Drop a policy that is gone."""
        job = self._jobs.pop(key, None)
        if job is not None:
            job.entry.verdict = None
            for timer in (job.retry, job.later):
                if timer is not None:
                    timer.cancel()
            job.retry = job.later = None
            job.undone = 0
            self._note(job)

    def clear(self) -> None:
        """Drop everything: this daemon doesn't sum up any more. A write under way is not called back."""
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

    def _consider(self, job: Job) -> None:
        """Queue a policy if there is something to write and it isn't waiting already."""
        if job.at_rest and self._due(job) is not None:
            job.queued = True
            self._queue.put(job.entry.policy.namespace, job)
        self._note(job)

    def _due(self, job: Job) -> Write | None:
        """Give what has to be written now; what the pace doesn't allow yet is looked at again."""
        write = self._write_of(job)
        loop = asyncio.get_running_loop()
        if job.later is not None:
            job.later.cancel()
            job.later = None
        if write is None or loop.time() >= (moment := job.may_write(write)):
            return write
        job.later = loop.call_at(moment, self._consider, job)
        return None

    def _write_of(self, job: Job) -> Write | None:
        return job.entry.write(self._now().strftime("%Y-%m-%dT%H:%M:%SZ"), asyncio.get_running_loop().time())

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            job.queued, job.writing = False, True
            try:
                if (write := self._due(job)) is not None:
                    answer = await send(
                        self._client, "PATCH", write.path, write.body, query=write.query, content_type=PATCH
                    )
                    if self._is_done(job, write, answer):
                        self._accepted(job, write, answer)
            finally:
                job.writing = False
            self._consider(job)

    def _is_done(self, job: Job, write: Write, answer: Answer) -> bool:
        """Say whether the server did it; if not, see to another attempt."""
        if answer.status == UNPROCESSABLE and TESTED in answer.message:
            self._observer.status_write("gone")
            if job.entry.policy.generation == write.policy.generation:  # else it has come, with a verdict of its own
                job.entry.verdict = None  # the informer is about to show another object, or another generation
        elif answer.status == NOT_FOUND:  # the informer is about to say so; if not, somebody else answers in its place
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

    def _accepted(self, job: Job, write: Write, answer: Answer) -> None:
        """Take note of a write that was done."""
        try:
            status = decode_written(answer.body)
        except DecodeError as error:
            _log.warning("the answer to a status write isn't a NetworkQoS", policy=write.policy.key, error=str(error))
            self._observer.status_write("refused")
            self._retry_later(job, LAST_PAUSE)
            return
        if job.accepted(write, asyncio.get_running_loop().time()):
            self._observer.status_write("undone")
        job.entry.answered(write, status, job.written)
        if not job.entry.keeps(write, status):
            _log.warning(
                "the API server took a status but doesn't keep it: is the CRD nqosd's?", policy=write.policy.key
            )
            self._observer.status_write("refused")
            self._retry_later(job, LAST_PAUSE)
            return
        self._observer.status_write("written")
        if self._listener is not None and write.old != write.ready:
            self._listener(write.policy, write.old, write.ready)

    def _retry_later(self, job: Job, pause: float) -> None:
        """Try again after a pause, a little longer or shorter so that not all policies come at once."""
        if self._jobs.get(job.entry.policy.key) is job:
            pause *= random.uniform(0.8, 1.2)  # noqa: S311 - no secret depends on it
            job.retry = asyncio.get_running_loop().call_later(pause, self._retry, job)

    def _retry(self, job: Job) -> None:
        job.retry = None
        self._consider(job)

    def _note(self, job: Job) -> None:
        """Keep count of the policies that wait, and say of which ones somebody else writes the status too."""
        before = len(self._busy)
        (self._busy.discard if job.at_rest else self._busy.add)(job)
        if len(self._busy) != before:
            self._observer.status_pending(len(self._busy))
        (self._idle.clear if self._busy else self._idle.set)()
        key = job.entry.policy.key
        is_contested = job.is_contested(asyncio.get_running_loop().time())
        if is_contested != (key in self._contested):
            (self._contested.add if is_contested else self._contested.discard)(key)
            if is_contested:
                _log.warning("somebody else writes a status too, so it is put right ever more slowly", policy=key)
            named = ", ".join(shortened(sorted(self._contested)))
            self._say(f"{CONTESTED} {named}" if named else "")
