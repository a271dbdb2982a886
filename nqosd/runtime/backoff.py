"""How long to wait: exponential, with full jitter, so that many clients don't come back in step.

In: what happened. Out: seconds. Rule: the wait is below FIRST seconds after the first failure in a row and never above
CEILING, unless the server asks for more; and no server's wish is heeded for longer than LONGEST_WAIT, whoever hears it.
"""

import random
from collections.abc import Callable

FIRST = 0.1
CEILING = 10.0
LONGEST_WAIT = 20.0
"""The longest wait in seconds that a server's Retry-After can bring about: a wrong one must not stop the daemon. With
CEILING it makes 30, so that the daemon is right within 35 of the end of such a fault."""

_MAX_DOUBLINGS = 16


def bounded(retry_after: float) -> float:
    """Give for how many seconds a server's Retry-After, which may be any number, is heeded."""
    return max(0.0, min(retry_after, LONGEST_WAIT))


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
