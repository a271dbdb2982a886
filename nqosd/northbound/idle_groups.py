"""Port groups that nobody wants, which stay for a while without members, and those that somebody else deleted.

In: what plans leave spare among the groups that they looked at, names of sets that vanished, and the time. Out: the
groups that have been spare for so long that they may be deleted, and those that may not be made again yet. The rule:
the time until a group is deleted counts from when this daemon saw it empty as the writer, so that a restart or a
failover makes it longer, never shorter.

Why: OVN 25.09 to 26.03 gives no flows to a port group that was deleted with members and made again before northd has
seen it gone. One that is empty may be filled again, or deleted and made again, at any moment.
"""

import math
from collections.abc import Container, Iterable
from collections.abc import Set as AbstractSet

STAY = 300.0
"""Seconds; longer than northd is ever busy with one computation."""
PAUSE = 10.0
"""Seconds before a group that somebody else deleted is made again; northd is seldom busy for longer."""


class IdleGroups:
    """Names of groups; times are in seconds of whatever clock the caller uses."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._vanished: dict[str, float] = {}

    def note(self, spare: AbstractSet[str], looked_at: AbstractSet[str], now: float) -> None:
        """Take which of the sets that a plan looked at are spare; one that was spare already keeps its time."""
        for name in self._since.keys() & (looked_at - spare):
            del self._since[name]
        for name in spare:
            self._since.setdefault(name, now)

    def spent(self, now: float) -> frozenset[str]:
        """Return the groups that may be deleted."""
        return frozenset(name for name, since in self._since.items() if now >= since + STAY)

    def vanished(self, names: Iterable[str], now: float) -> None:
        """Take names of sets of any kind that aren't there any more."""
        self._vanished.update(dict.fromkeys(names, now))

    def back(self, wanted: Container[str], now: float) -> list[str]:
        """Return those of the vanished groups that are wanted and may be made again; they count as vanished no more."""
        found = [name for name, since in self._vanished.items() if now >= since + PAUSE]
        for name in found:
            del self._vanished[name]
        return [name for name in found if name in wanted]

    def forget_all_but(self, wanted: Container[str]) -> None:
        """Forget what vanished and isn't wanted, so that nobody is woken for its sake."""
        self._vanished = {name: since for name, since in self._vanished.items() if name in wanted}

    @property
    def pausing(self) -> frozenset[str]:
        """The groups that may not be made again yet."""
        return frozenset(self._vanished)

    @property
    def due(self) -> float:
        """When the next group may be deleted, or made again."""
        deleted, made = (min(each.values(), default=math.inf) for each in (self._since, self._vanished))
        return min(deleted + STAY, made + PAUSE)
