"""How long to wait: exponential, with full jitter, so that many clients don't come back in step.

In: what happened. Out: seconds. Rule: the wait is below FIRST seconds after the first failure in a row and never above
CEILING, unless the server asks for more; and no server's wish is longer than PATIENCE, whoever hears it.
"""

import random
from collections.abc import Callable

from nqosd.informers.transitions import Outcome, Pause, Phase

FIRST = 0.1
CEILING = 10.0
PATIENCE = 30.0
"""The longest wait in seconds that a server's Retry-After can bring about: a wrong one must not stop the daemon."""
LIVED = 1.0
"""Seconds: a watch that stood longer has worked, even if nothing happened; its end is no failure in a row."""
CONFIRM = 3.0
"""Seconds from a list, or a 404, that is hard to believe to a second one."""

_MAX_DOUBLINGS = 16
_STOOD = {Outcome.ENDED, Outcome.EARLY, Outcome.BROKEN, Outcome.ERROR, Outcome.EXPIRED, Outcome.BEHIND}


def bounded(retry_after: float) -> float:
    """Give for how many seconds a server's Retry-After, which may be any number, is heeded."""
    return max(0.0, min(retry_after, PATIENCE))


class Backoff:
    """Failures in a row, and the wait that follows from their number; `uniform` gives numbers in [0, 1)."""

    def __init__(self, uniform: Callable[[], float] = random.random) -> None:
        self._uniform = uniform
        self.failures = 0

    def failed(self, retry_after: float | None = None) -> float:
        """Count a failure and give the seconds to wait; `retry_after` is the server's own wish, in seconds."""
        limit = min(CEILING, FIRST * 2.0 ** min(self.failures, _MAX_DOUBLINGS))
        self.failures += 1
        return bounded(retry_after or 0.0) + self._uniform() * limit

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
        self._absences = 0

    @property
    def failures(self) -> int:
        """How many failures there were in a row."""
        return max(self._requests.failures, self._lists.failures)

    def answered(self) -> None:
        """Take note that the server gave an object, a bookmark or a page."""
        self._requests.succeeded()
        self._absences = 0

    def after(
        self, phase: Phase, outcome: Outcome, pause: Pause, stood: float, retry_after: float | None
    ) -> float | None:
        """Give the seconds to wait, None for none; `stood` is how long the request or stream took, in seconds."""
        if phase is Phase.WATCH and outcome in _STOOD and stood >= LIVED:
            self._lists.succeeded()
            self._requests.succeeded()
        if outcome in {Outcome.EXPIRED, Outcome.MISSING}:
            self._requests.succeeded()  # the server works
        match pause:
            case Pause.BACK_OFF:
                return self._requests.failed(retry_after)
            case Pause.BEFORE_LIST:
                return self._lists.failed(retry_after)
            case Pause.ABSENCE:
                self._absences += 1
                # the first look is repeated soon, for a server that has just started may not know of a definition yet
                absence = self._absence if self._absences > 1 else min(self._absence, CONFIRM)
                return absence * (0.9 + 0.2 * self._uniform())
            case Pause.CONFIRM:
                return CONFIRM
            case Pause.NONE:
                return None
