"""Whether a kind's objects are known to be all there are, and when they are listed or counted anew.

In: lists that were completed, versions that counts have shown, and what may have hidden changes. Out: a reason for
doubt, and times. Rules: whatever may have hidden a change is followed by a list, since after a server was restored from
a backup a watch that goes on from an old resource version tells nothing of what was lost; so are watches that don't get
to the version that a count has shown; lists take about a tenth of the time at most, and are spread over time, so that
many daemons don't list at the same moment.
"""

import math
from collections.abc import Callable

from nqosd.informers.resource_versions import is_older

SPACING = 5.0
"""Seconds from the end of a list to the beginning of the next one at least."""
SHARE = 10.0
"""How many times longer than a list took its repetition waits, at most."""
LONGEST = 25.0
"""Seconds that the repetition of a list waits at most: who can be in touch again is so within half a minute."""
COUNT_EVERY = 60.0
"""Seconds between two counts of objects, up to a fifth more."""
CATCH_UP = 15.0
"""Seconds that watches are given to get to the version that a count has shown. An API server with a watch cache says in
the next watch, by a bookmark, how far it has told everything; one without may never say so, which is why the time is
doubled with each list that had to show it instead."""


class Trust:
    """One for each reflector; `interval` is how often a list is repeated without any reason, in seconds."""

    def __init__(self, interval: float, uniform: Callable[[], float]) -> None:
        self._interval = interval
        self._uniform = uniform
        self.listed_at = -math.inf
        """When the last list was completed."""
        self._took = 0.0
        self._asked_for = -math.inf
        self._count_at = math.inf
        self._shown = ""
        self._reach_by = math.inf
        self._catch_up = CATCH_UP
        self.due = math.inf
        """When to list anew."""
        self.doubt = ""
        """Why changes may have been missed; empty if none can have been."""

    @property
    def is_asked(self) -> bool:
        """Whether a list was asked for that hasn't been completed."""
        return self._asked_for > -math.inf

    def listed(self, began: float, now: float, again: float = math.inf) -> None:
        """Take note that a list was completed; one that began too early isn't the one that was asked for.

        One that had a reason is repeated after `again` seconds.
        """
        self.listed_at, self._took = now, now - began
        if began >= self._asked_for:
            interval = min(self._interval, again) if self.doubt else self._interval
            self._asked_for, self.doubt = -math.inf, ""
            self.due = now + interval * self._a_little_more()
        else:
            self.due = max(self._asked_for, now + SPACING)
        if self._shown:
            self._catch_up = min(2 * self._catch_up, self._interval)
            self._shown = ""
        self.counted(now)

    def counted(self, now: float) -> None:
        """Take note that the server was asked for the number of objects."""
        self._count_at = now + COUNT_EVERY * self._a_little_more()

    def shown(self, version: str, now: float) -> None:
        """Take note of the version that a count has shown: the watches are to get there."""
        if not self._shown:
            self._shown, self._reach_by = version, now + self._catch_up

    def reached(self, version: str, now: float) -> None:
        """Take note of how far the watches have told everything."""
        if self._shown and not is_older(version, self._shown):
            self._shown, self._catch_up = "", CATCH_UP
        elif self._shown and now >= self._reach_by:
            self.due = min(self.due, now)

    def missed(self, why: str, now: float) -> None:
        """Take note that changes may have been missed."""
        if not self.doubt:
            later = self._uniform() * min(LONGEST, SHARE * self._took)
            self.due = min(self.due, max(now + later, self.listed_at + SPACING))
        self.doubt = why

    def list_again(self, why: str, at: float) -> None:
        """Ask for a list at a time, or later."""
        self._asked_for = max(self._asked_for, at)
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
