"""Reports for this daemon's zone: writes its Lease when there is news, and renews it.

In: the zone's state. Out: one small request each 20 s, or at once when somebody waits for what it says. Rule: nothing
is reported by who doesn't hold the zone's lock, or doesn't hear of every change: its word would be old.
"""

import asyncio
import random
from collections.abc import Callable

from nqosd.kube.writes import Answer
from nqosd.runtime.waiting import wait_anew
from nqosd.status.leases import Leases
from nqosd.status.reports import RENEWAL
from nqosd.status.zone_state import ZoneState

SPREAD = 0.003
"""Seconds for each zone of the cluster over which all of them report what they all heard at the same moment."""
LONGEST_SPREAD = 3.0
GAP = 0.2
"""Seconds at least between two reports of a zone; with many zones as long as the spread, if that is more."""
AT_ONCE = 10
"""How many reports in a row have no other pause between them than that."""
BUSY = 0.01
"""Seconds for each zone of the cluster between further ones, `RENEWAL` at most: all zones together report a hundred
times a second, or as often as they renew, though somebody changes a policy all the time."""
LOOK = 1.0
"""Seconds after which it is looked again whether anything may be reported."""
ROUND = 0.5
"""Seconds for a round that brings the report up to what has been heard since."""
LAST_PAUSE = RENEWAL
"""Seconds at most until a report that was refused is tried again."""


class ZoneReporter:
    """Reports while `run` runs.

    `took` takes each answer; `refresh` asks for a round, without which a report would reach no further than the last.
    """

    def __init__(
        self,
        leases: Leases,
        state: Callable[[], ZoneState],
        may_report: Callable[[], bool],
        *,
        holder: str,
        took: Callable[[str, Answer], None],
        refresh: Callable[[], None],
    ) -> None:
        self._leases = leases
        self._state = state
        self._may_report = may_report
        self._holder = holder
        self._took = took
        self._refresh = refresh
        self.wake = asyncio.Event()
        self._failures = 0
        self._left = float(AT_ONCE)
        self._paused = float("-inf")

    async def run(self) -> None:
        """Report for ever."""
        last = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            await self._await_news(last)
            spread = self._spread()
            await asyncio.sleep(random.uniform(0, spread))  # noqa: S311 - no secret depends on it
            if self._state().report is not None and not self._state().is_urgent:
                self._refresh()
                await asyncio.sleep(ROUND)
            state = self._state()
            report = state.report
            if report is None or not self._may_report():
                await asyncio.sleep(LOOK)
                continue
            state.is_urgent = False
            last = loop.time()
            answer = await self._leases.report(report, self._holder)
            self._took("this zone's report", answer)
            if answer.accepted:
                self._failures, state.is_reported = 0, True
                await asyncio.sleep(self._pause(spread, loop.time()))
            else:
                state.is_urgent = True
                self._failures += 1
                await asyncio.sleep(max(min(LAST_PAUSE, 2.0 ** min(self._failures - 1, 6)), answer.retry_after or 0.0))

    async def _await_news(self, last: float) -> None:
        """Wait until there is something that others wait for, or it is time to renew."""
        while not (self._state().is_urgent and self._state().report is not None):
            left = last + RENEWAL - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await wait_anew(self.wake, left)

    def _spread(self) -> float:
        return min(LONGEST_SPREAD, SPREAD * (self._zones() - 1))

    def _pause(self, spread: float, now: float) -> float:
        """Give the seconds until there may be another report, after one more of a number that grows again with time."""
        busy = min(RENEWAL, BUSY * self._zones())
        self._left = min(AT_ONCE, self._left + (now - self._paused) / busy) - 1
        self._paused = now
        return max(GAP, spread, busy if self._left < 1 else 0.0)

    def _zones(self) -> int:
        progress = self._state().progress
        return len(progress.zones) if progress is not None else 1
