"""What many latencies are together: their median, their 99th percentile and the worst.

In: seconds. Out: milliseconds. Rule: nothing is left out.
"""

import statistics
from collections.abc import Sequence

import attrs


@attrs.frozen
class Latency:
    """Milliseconds."""

    p50: float
    p99: float
    worst: float

    @property
    def times(self) -> tuple[float, float, float]:
        """All of them."""
        return self.p50, self.p99, self.worst

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Summarise some latencies."""
        ordered = sorted(each * 1000 for each in seconds)
        return cls(statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1])
