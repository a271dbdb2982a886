"""Brings a plan into the database as far as the server takes it.

In: a plan, and how to plan again with some objects left out. Out: `Written`, what was committed and how it ended. The
rules: what the server refuses is left out and everything else is committed in the same round; whoever is told that it
isn't complete must compare everything anew; and one round takes no more than `MOST_TRIES` transactions.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import msgspec

from nqosd.northbound.bisection import Bisection
from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation, SetName, Subject
from nqosd.northbound.plan.plan import Plan
from nqosd.northbound.refusals import Refusals
from nqosd.northbound.results import Observer, RoundOutcome

MOST_TRIES = 64
"""Enough to find three objects to blame among a million that nobody names, or thirty that the server names."""

Replan: TypeAlias = Callable[[AbstractSet[Subject]], Awaitable[Plan]]


class Written(msgspec.Struct):
    """What was committed, what was tried last and how that ended, and the plan that was made last."""

    tried: Plan
    answer: Commit
    last: Plan
    """Where it is complete: what is left open, such as what was refused. What was tried last may be a part of it."""
    committed: list[Plan] = []
    is_complete: bool = False
    """Whether nothing is left to write but what was refused."""
    seconds: float = 0.0

    @property
    def outcome(self) -> RoundOutcome:
        """How it ended as a whole."""
        if self.is_complete:
            return RoundOutcome.COMMITTED if self.committed else RoundOutcome.UNCHANGED
        return RoundOutcome.REFUSED if self.answer.outcome is RoundOutcome.COMMITTED else self.answer.outcome

    @property
    def operations(self) -> Mapping[str, int]:
        """The operations that were committed, by kind; those that were tried, if none was."""
        return sum((each.counts for each in self.committed), Counter[str]()) or self.tried.counts

    @property
    def subjects(self) -> AbstractSet[Subject]:
        """The rows and sets that were written; those that were to be, if none was."""
        return frozenset().union(*(each.subjects for each in self.committed or [self.tried]))


class PlanWriter:
    """Writes plans; it keeps from one round to the next how much the server takes at once.

    `suspect` is told which set has a name that may be taken by somebody else.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Operation]], Awaitable[Commit]],
        refusals: Refusals,
        suspect: Callable[[AbstractSet[str]], None],
        observer: Observer,
        clock: Callable[[], float],
    ) -> None:
        self._write = write
        self._refusals = refusals
        self._suspect = suspect
        self._observer = observer
        self._clock = clock
        self._bisection = Bisection()

    async def write(self, plan: Plan, replan: Replan) -> Written:
        """Commit a plan that has operations, in one transaction unless the server refuses it."""
        written = Written(plan, Commit(RoundOutcome.UNCHANGED), plan)
        for _ in range(MOST_TRIES):
            rest = self._bisection.rest(plan)
            written.last = part = await replan(rest) if rest else plan
            if part.operations:
                started = time.perf_counter()
                answer = await self._write(part.operations)
                seconds = time.perf_counter() - started
                self._observer.transaction(answer.outcome, part.counts, seconds)
                written.tried, written.answer = part, answer
                written.seconds += seconds
                if answer.outcome is RoundOutcome.COMMITTED:
                    written.committed.append(part)
                    self._bisection.committed(whole=not rest)
                    written.is_complete = not rest
                elif not self._learn(part, answer):
                    return written
            else:
                self._bisection.widen(plan)
            if not written.is_complete:
                written.last = plan = await replan(frozenset())
                written.is_complete = not plan.operations
            if written.is_complete:
                return written
        return written

    def _learn(self, part: Plan, answer: Commit) -> bool:
        """Learn whom to leave out; return False if that isn't what made the transaction fail."""
        if answer.is_hard:
            named = answer.subject
            if named is None or named in self._refusals.left_out:  # left out, and yet it is named
                named = self._bisection.refused(part)
            blamed = named
        elif answer.is_unanswered:
            blamed = self._bisection.unanswered(part)
        else:
            return False
        if blamed is not None:
            self._refusals.add(blamed, answer.problem, self._clock(), is_answered=answer.is_hard)
            if isinstance(blamed, SetName) and blamed.name in part.new_sets:
                self._suspect({blamed.name})
        return answer.is_hard
