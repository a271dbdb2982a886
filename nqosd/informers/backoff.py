"""How long to wait after a failure: exponential, with full jitter, so that many clients don't come back in step.

Rule: the wait is below FIRST seconds after the first failure in a row and never above CEILING, unless the server asks
for more.
"""

import random
from collections.abc import Callable

FIRST = 0.1
CEILING = 30.0
PATIENCE = 300.0
"""The longest wait in seconds that a server's Retry-After can bring about: a wrong one must not stop the daemon."""

_MAX_DOUBLINGS = 16


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
