"""How long to wait: exponential, with full jitter, so that many clients don't come back in step.

In: what happened. Out: seconds. Rule: the wait is below FIRST seconds after the first failure in a row and never above
CEILING, unless the server asks for more.
"""

import random
from collections.abc import Callable

from nqosd.informers.transitions import Outcome, Pause, Phase

FIRST = 0.1
CEILING = 30.0
PATIENCE = 300.0
"""The longest wait in seconds that a server's Retry-After can bring about: a wrong one must not stop the daemon."""
SHORT = 10.0
"""Seconds: a watch that stood longer has worked, even if nothing happened."""

_MAX_DOUBLINGS = 16
_STOOD = {Outcome.ENDED, Outcome.BROKEN, Outcome.SILENT, Outcome.ERROR, Outcome.EXPIRED}


class Backoff:
    """Failures in a row, and the wait that follows from their number; `uniform` gives numbers in [0, 1)."""

    def __init__(self, uniform: Callable[[], float] = random.random) -> None:
        self._uniform = uniform
        self.failures = 0

    def failed(self, retry_after: float | None = None) -> float:
        """Count a failure and give the seconds to wait; `retry_after` is the server's own wish, in seconds."""
        limit = min(CEILING, FIRST * 2.0 ** min(self.failures, _MAX_DOUBLINGS))
        self.failures += 1
        return min(retry_after or 0.0, PATIENCE) + self._uniform() * limit

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


class Pacing:
    """The waits of one reflector; requests and lists are counted apart, see `Pause`."""

    def __init__(self, absence: float, uniform: Callable[[], float]) -> None:
        self._absence = absence
        self._uniform = uniform
        self._requests = Backoff(uniform)
        self._lists = Backoff(uniform)

    @property
    def failures(self) -> int:
        """How many failures there were in a row."""
        return max(self._requests.failures, self._lists.failures)

    def answered(self) -> None:
        """Take note that the server gave an object, a bookmark or a page."""
        self._requests.succeeded()

    def after(
        self, phase: Phase, outcome: Outcome, pause: Pause, stood: float, retry_after: float | None
    ) -> float | None:
        """Give the seconds to wait, None for none; `stood` is how long the request or stream took, in seconds."""
        lived = outcome in _STOOD and stood >= SHORT
        if lived and phase is Phase.WATCH:
            self._lists.succeeded()
        if outcome in {Outcome.EXPIRED, Outcome.MISSING}:
            self._requests.succeeded()  # the server works
        match pause:
            case Pause.BACK_OFF:
                return self._requests.failed(retry_after)
            case Pause.BEFORE_LIST:
                return self._lists.failed(retry_after)
            case Pause.UNLESS_LIVED:
                return None if lived else self._requests.failed(retry_after)
            case Pause.ABSENCE:
                return self._absence * (0.9 + 0.2 * self._uniform())
            case Pause.NONE:
                return None
