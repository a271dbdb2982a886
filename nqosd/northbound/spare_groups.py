"""Port groups that nobody wants, and that stay for a while without members.

In: what plans leave spare among the groups that they looked at, and the time. Out: the groups that have been spare for
so long that they may be deleted, and when the next one may. The rule: the time counts from when this daemon saw the
group empty as the writer, so that a restart or a failover makes it longer, never shorter.

Why they stay: OVN 25.09 to 26.03 gives no flows to a port group that was deleted with members and made again before
northd has seen it gone. One that is empty may be filled again, or deleted and made again, at any moment.
"""

import math
from collections.abc import Set as AbstractSet

STAY = 300.0
"""Seconds; longer than northd is ever busy with one computation."""


class SpareGroups:
    """Names of spare groups; times are in seconds of whatever clock the caller uses."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def note(self, spare: AbstractSet[str], looked_at: AbstractSet[str], now: float) -> None:
        """Take which of the sets that a plan looked at are spare; one that was spare already keeps its time."""
        for name in self._since.keys() & (looked_at - spare):
            del self._since[name]
        for name in spare:
            self._since.setdefault(name, now)

    def spent(self, now: float) -> frozenset[str]:
        """Return the groups that may be deleted."""
        return frozenset(name for name, since in self._since.items() if now >= since + STAY)

    @property
    def due(self) -> float:
        """When the next group may be deleted."""
        return min(self._since.values(), default=math.inf) + STAY
