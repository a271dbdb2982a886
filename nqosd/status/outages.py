"""Outages of the API server, in which no zone can renew its report.

In: whether this daemon hears and is answered, again and again. Out: how old a report is, not counting outages. No I/O.
"""

from collections import deque

MOST = 100
"""How many outages are remembered; who has had more of them since it was renewed may as well be silent."""


class Outages:
    """The last ones; all moments are monotonic, in seconds."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._past: deque[tuple[float, float]] = deque(maxlen=MOST)

    def note(self, now: float, *, hears: bool) -> None:
        """Take whether every change is heard and requests are answered now."""
        if not hears and self._since is None:
            self._since = now
        elif hears and self._since is not None:
            self._past.append((self._since, now))
            self._since = None

    def heard(self, age: float, now: float) -> float:
        """Say for how many of the last `age` seconds it was no outage."""
        since, heard = now - age, age
        for began, ended in (*(() if self._since is None else ((self._since, now),)), *reversed(self._past)):
            if ended <= since:
                break
            heard -= ended - max(began, since)
        return heard
