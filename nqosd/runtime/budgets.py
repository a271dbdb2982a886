"""Budgets: how often something may be said of each of very many subjects.

In: a subject, and the time. Out: whether it has something left. Rule: a subject has `at_once`, and one more every
`refill` seconds; only those that spoke last are remembered.
"""

from collections import OrderedDict

import msgspec

REMEMBERED = 10_000
"""How many subjects' budgets are remembered."""


class _Budget(msgspec.Struct):
    left: float
    at: float


class Budgets:
    """The budgets of all subjects."""

    def __init__(self, at_once: int, refill: float) -> None:
        self._at_once = at_once
        self._refill = refill
        self._budgets: OrderedDict[str, _Budget] = OrderedDict()

    def spend(self, subject: str, now: float) -> bool:
        """Take one from a subject's budget, if there is one left."""
        budget = self._budgets.pop(subject, None) or _Budget(self._at_once, now)
        budget.left = min(self._at_once, budget.left + max(0.0, now - budget.at) / self._refill)
        budget.at = now
        self._budgets[subject] = budget
        if len(self._budgets) > REMEMBERED:
            self._budgets.popitem(last=False)
        if budget.left < 1:
            return False
        budget.left -= 1
        return True
