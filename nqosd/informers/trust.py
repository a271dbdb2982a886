"""Whether a kind's objects are known to be all there are, and when they are listed or counted anew.

In: lists that were completed, and what may have hidden changes. Out: a reason for doubt, and times. Rules: whatever may
have hidden a change is followed by a list, since after a server was restored from a backup a watch that goes on from an
old resource version tells nothing of what was lost; lists take about a tenth of the time at most, and are spread over
time, so that many daemons don't list at the same moment.
"""

import math
from collections.abc import Callable

SPACING = 5.0
"""Seconds from the end of a list to the beginning of the next one at least."""
SHARE = 10.0
"""How many times longer than a list took its repetition waits, at most."""
LONGEST = 25.0
"""Seconds that the repetition of a list waits at most: who can be in touch again is so within half a minute."""
COUNT_EVERY = 60.0
"""Seconds between two counts of objects, up to a fifth more."""
PROBE_EVERY = 2.0
"""The same for the resource by which the server's store is probed."""


class Trust:
    """One for each reflector; `interval` is how often a list is repeated without any reason, in seconds.

    `is_probe`: objects are counted often, to see whether the server's store answers.
    """

    def __init__(self, interval: float, uniform: Callable[[], float], *, is_probe: bool = False) -> None:
        self._interval = interval
        self._count_every = PROBE_EVERY if is_probe else COUNT_EVERY
        self._uniform = uniform
        self.listed_at = -math.inf
        """When the last list was completed."""
        self._took = 0.0
        self._count_at = math.inf
        self.due = math.inf
        """When to list anew."""
        self.doubt = ""
        """Why changes may have been missed; empty if none can have been."""

    def listed(self, began: float, now: float) -> None:
        """Take note that a list was completed."""
        self.listed_at, self._took, self.doubt = now, now - began, ""
        self.due = now + self._interval * self._a_little_more()
        self.counted(now)

    def counted(self, now: float) -> None:
        """Take note that the server was asked for the number of objects."""
        self._count_at = now + self._count_every * self._a_little_more()

    def missed(self, why: str, now: float) -> None:
        """Take note that changes may have been missed."""
        if not self.doubt:
            later = self._uniform() * min(LONGEST, SHARE * self._took)
            self.due = min(self.due, max(now + later, self.listed_at + SPACING))
        self.doubt = why

    def list_again(self, why: str, at: float) -> None:
        """Ask for a list at a time."""
        self.due = min(self.due, max(at, self.listed_at + SPACING))
        self.doubt = why

    def wants_list(self, now: float) -> bool:
        """Return whether it is time to list anew."""
        return now >= self.due

    def wants_count(self, now: float) -> bool:
        """Return whether it is time to count."""
        return now >= self._count_at

    def _a_little_more(self) -> float:
        return 1.0 + 0.2 * self._uniform()
