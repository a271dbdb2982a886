"""Namespaces that are late: whether there is room for their policies is to be seen, and others can't wait for that.

In: namespaces where pods may have turned that, with how much it can come to. Out: those in which a batch sees it.
Rules: what comes to little is seen at once; of the rest one after the other has its turn, the oldest first, but not
twice before what others change, nor while much is being written, unless that takes long.
"""

import math
from collections.abc import Callable, Mapping

LITTLE = 300
"""Rows, and what takes as long as one, for which others can wait: some 5 ms."""
PATIENCE = 5.0
"""Seconds after which one has its turn though much of others is being written."""


class LateNamespaces:
    """A queue; `weight` says how much a namespace's policies come to at most."""

    def __init__(self, weight: Callable[[str], int]) -> None:
        self._weight = weight
        self._turn_at = -math.inf
        self.since: dict[str, float] = {}
        """Those that are late, and since when; the oldest first."""
        self.had_turn = False
        """Whether one had its turn in the last batch."""

    def note(self, due: Mapping[str, int], most: int, now: float) -> set[str]:
        """Take namespaces that are due, with how many members came or left; gives those that don't become late.

        More than `most` that came are too many to let them enter the sets until it is seen that there is no room.
        """
        total, little = 0, set[str]()
        for weight, name in sorted((self._weight(name), name) for name in due):
            total += weight
            if total <= LITTLE or due[name] > most:
                little.add(name)
            else:
                self.since.setdefault(name, now)
        return little

    def turn(self, share: float, now: float, *, others: bool, is_writing: bool) -> set[str]:
        """Take out those that have their turn, up to a share; where that is infinite, all of them have."""
        self.had_turn, had_turn = False, self.had_turn
        if not self.since:
            return set()
        waited = now - max(self._turn_at, next(iter(self.since.values())))
        if share < math.inf and ((others and had_turn) or (is_writing and waited < PATIENCE)):
            return set()
        self.had_turn, self._turn_at = True, now
        weight, taken = 0, set[str]()
        while self.since and weight < share:
            name = next(iter(self.since))
            del self.since[name]
            taken.add(name)
            weight += self._weight(name)
        return taken
