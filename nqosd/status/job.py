"""Where the writing of one policy's status stands, and when it may be written again.

In: writes that were accepted, and the clock. Out: moments. No I/O. Rule: what turns is written at once; but what turns
again and again though nobody changes the policy, or has to be said again, since somebody else has changed it, is said
ever more slowly: one pod that comes and goes turns as many policies as select it.
"""

import asyncio

import msgspec

from nqosd.status.entry import PolicyStatus, Write
from nqosd.status.readiness import StatusVerdict

AT_ONCE = 3
"""How often in a row a status is written at once that somebody else has changed, or that turns."""
SOON = 10.0
"""Seconds; a change that comes later has nothing to do with the write before it."""
PACE = 10.0
"""Seconds at least between two writes of one policy that only say more of the same, such as other counts."""
LAST_PAUSE = 60.0
"""Seconds at most between two attempts for one policy."""
LAST_TURN = 30.0
"""Seconds at most until it is written that a policy has turned."""


class Job(msgspec.Struct, eq=False):
    """Where the writing of one policy stands: at rest, in the queue, under way, or waiting for another attempt.

    `later` looks again when the pace allows it, and keeps nothing from being written before.
    """

    entry: PolicyStatus
    queued: bool = False
    writing: bool = False
    retry: asyncio.TimerHandle | None = None
    later: asyncio.TimerHandle | None = None
    written: float = float("-inf")
    said: StatusVerdict | None = None
    undone: int = 0
    """How often in a row what was said had to be written again."""
    turned: int = 0
    """How often in a row it turned, soon after the time before and in one generation."""
    failures: int = 0

    @property
    def pause(self) -> float:
        """How long it waits until it says the same again."""
        return _slower(self.undone)

    def _is_soon(self, now: float) -> bool:
        return now < self.written + max(PACE, self.pause) + SOON

    def is_contested(self, now: float) -> bool:
        """Say whether somebody else keeps on changing what is written."""
        return self.undone >= AT_ONCE and self._is_soon(now)

    def may_write(self, write: Write) -> float:
        """Give when this may be written, after what was written before."""
        if write.verdict == self.said:
            pause = self.pause
        else:
            pause = min(LAST_TURN, _slower(self.turned)) if self._turns_again(write) else 0.0
        return self.written + max(0.0 if write.is_news else PACE, pause)

    def accepted(self, write: Write, now: float) -> bool:
        """Take note of a write; say whether somebody else had undone the one before."""
        repeats = write.verdict == self.said and self._is_soon(now)
        if not repeats and write.is_news:
            is_soon = now < self.written + max(PACE, _slower(self.turned)) + SOON
            self.turned = self.turned + 1 if is_soon and self._turns_again(write) else 0
        self.undone = self.undone + 1 if repeats else 0
        self.said, self.written = write.verdict, now
        return repeats

    def _turns_again(self, write: Write) -> bool:
        """Say whether something else is said of the generation of which something was said last."""
        said = self.said
        return said is not None and said.ready.observed_generation == write.verdict.ready.observed_generation

    @property
    def at_rest(self) -> bool:
        """Say whether nothing is to be written, as far as is known."""
        return not (self.queued or self.writing or self.retry)


def _slower(times: int) -> float:
    """Give the pause after something has happened so often in a row."""
    return 0.0 if times < AT_ONCE else min(LAST_PAUSE, 2.0 ** min(times - AT_ONCE, 10))
