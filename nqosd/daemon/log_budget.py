"""How much the log says of what users of a namespace write.

In: the namespace of an object of which there is something to say. Out: whether there is a line left for it. Rule: one
pod that comes and goes turns as many policies as select it, and a pod may be written with another mistake each time, so
each namespace has a budget of lines.
"""

import time

import structlog

from nqosd.runtime.budgets import Budgets

LINES = 1000
"""Lines about one namespace at once: one for each policy, of as many as there may be by default."""
REFILL = 0.1
"""Seconds in which it earns one more."""

_log = structlog.get_logger()


class LogBudget:
    """The budgets of all namespaces for one kind of lines; `spent` is logged once for those that are left out."""

    def __init__(self, spent: str) -> None:
        self._spent = spent
        self._lines = Budgets(LINES, REFILL)
        self._unsaid: set[str] = set()

    def spend(self, namespace: str) -> bool:
        """Take a line from a namespace's budget, if there is one left."""
        has_line = self._lines.spend(namespace, time.monotonic())
        if has_line:
            self._unsaid.discard(namespace)
        elif namespace not in self._unsaid:
            self._unsaid.add(namespace)
            _log.warning(self._spent, namespace=namespace)
        return has_line
