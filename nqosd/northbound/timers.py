"""When a round is needed although nothing happened: to try again, to audit, to detach.

In: what the last round left. Out: one call of `wake` in due time. The rule: one timer for what is foreseen and one for
another attempt, whose delay doubles with each failure.
"""

import asyncio
from collections.abc import Callable

FIRST_RETRY = 0.05
LAST_RETRY = 5.0


class Timers:
    """Two timers on the running event loop, whose clock (`now`) counts seconds."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None
        self._foreseen: asyncio.TimerHandle | None = None

    @property
    def now(self) -> float:
        """The time, in seconds of a clock that only goes forward."""
        return self._loop.time()

    def failed(self) -> None:
        """Wake for another attempt: after 50 ms, then after twice as long each time, at most 5 s."""
        delay = min(FIRST_RETRY * 2**self._failures, LAST_RETRY)
        self._failures = min(self._failures + 1, 16)
        self._retry = self._again(self._retry, self.now + delay)

    def succeeded(self) -> None:
        """Forget failures."""
        self._failures = 0
        if self._retry is not None:
            self._retry.cancel()

    def foresee(self, moment: float) -> None:
        """Wake at a moment, and not at the one that was foreseen before."""
        if self._foreseen is None or self._foreseen.when() != moment or moment <= self.now:
            self._foreseen = self._again(self._foreseen, moment)

    def close(self) -> None:
        """Wake nobody any more."""
        for timer in (self._retry, self._foreseen):
            if timer is not None:
                timer.cancel()

    def _again(self, timer: asyncio.TimerHandle | None, moment: float) -> asyncio.TimerHandle:
        if timer is not None:
            timer.cancel()
        return self._loop.call_at(moment, self._wake)
