"""How much of a plan is tried at once, to find what the server refuses when it doesn't say, or can't answer.

In: how the transaction of a part of the plan ended. Out: what the next part leaves out; at last the object to blame.
The rule: a part that fails is halved, a part that was committed is gone from the plan; so among N objects one is found
in about 2·log2 N transactions, and the others are committed on the way.
"""

from nqosd.northbound.plan.operations import Subject
from nqosd.northbound.plan.plan import Plan

MOST_UNANSWERED = 3
"""An object alone is blamed for so many transactions in a row without an answer; before that the server may be it."""


class Bisection:
    """Halves what is tried at once; it lasts from round to round, since a lost connection ends a round."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._least = 1  # of fewer of the first objects none can be written alone
        self._unanswered = 0

    def rest(self, plan: Plan) -> frozenset[Subject]:
        """Return which objects of a plan have to wait until those before them are done."""
        return frozenset() if self._limit is None else frozenset(plan.parts[self._limit :])

    def committed(self, *, whole: bool) -> None:
        """Note that a part was committed; after the `whole` of the rest nothing is limited any more."""
        self._unanswered, self._least = 0, 1
        if whole:
            self._limit = None

    def refused(self, plan: Plan) -> Subject | None:
        """Note that a plan was refused, and nobody named; return the one to blame, if no smaller part can be tried."""
        parts = plan.parts
        if len(parts) <= self._least:
            self._limit, self._least = None, 1
            return parts[0] if parts else None
        self._limit = max(len(parts) // 2, self._least)
        return None

    def unanswered(self, plan: Plan) -> Subject | None:
        """Note that the server gave no answer; return the object to blame, if it was alone again and again."""
        self._unanswered += 1
        if self._unanswered < MOST_UNANSWERED:
            return None
        if (blamed := self.refused(plan)) is not None:
            self._unanswered = 0
        return blamed

    def widen(self, plan: Plan) -> None:
        """Take more of a plan at once: the first part alone can't be written."""
        if self._limit is not None:
            self._least = self._limit + 1
            self._limit = self._limit * 2 if self._limit * 2 < len(plan.parts) else None
