"""How late the event loop is: the one number that shows whether something blocks it.

In: a running loop. Out: a histogram of seconds between when a timer was due and when it ran.
"""

import asyncio

from prometheus_client import CollectorRegistry, Histogram

INTERVAL = 1.0
"""Seconds between two samples."""
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LoopMetrics:
    """The lag of the loop; `run` samples it for ever."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "nqosd_event_loop_lag_seconds",
            "How late the event loop runs a timer, sampled each second; large values mean that something blocks it.",
            registry=registry, buckets=BUCKETS,
        )  # fmt: skip

    async def run(self, interval: float = INTERVAL) -> None:
        """Sample for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + interval
            await asyncio.sleep(interval)
            self._lag.observe(max(0.0, loop.time() - due))
