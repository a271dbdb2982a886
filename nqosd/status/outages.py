"""Outages of the API server, in which no zone can renew its report.

In: whether this daemon hears of every change, again and again. Out: the seconds by which reports may be older than they
look. No I/O. Rule: outages between which zones may not have had the time to renew their reports count together.
"""

import math

from nqosd.status.reports import OLD


class Outages:
    """The last one; all moments are monotonic, in seconds."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._seconds, self._ended = 0.0, -math.inf

    def note(self, now: float, *, hears: bool) -> None:
        """Take whether every change is heard now."""
        if not hears and self._since is None:
            self._since = now
        elif hears and self._since is not None:
            self._seconds = self.unheard(self._since) + now - self._since
            self._since, self._ended = None, now

    def unheard(self, now: float) -> float:
        """Say for how many seconds nothing was heard of late."""
        return self._seconds if now - self._ended < OLD else 0.0
