"""For how long the database has not been what Kubernetes says, and why.

In: how rounds begin and end, and the oldest change that waits for one. Out: seconds, and a reason. Rule: whatever isn't
known to be in the database counts from the moment at which it was to be there; a standby owes nothing as long as
whoever has the lock writes.
"""

import time
from collections.abc import Callable, Sequence

from nqosd.northbound.plan.operations import describe
from nqosd.northbound.results import RoundOutcome, RoundResult

GRACE = 5.0
"""Seconds that a change may take to the database: a slow server, or a large one, is no fault before."""


MOST = 3
"""Objects that a reason names."""


class Convergence:
    """One for each daemon; `pending` gives the moment of the oldest change that no round has taken, None if none."""

    def __init__(self, pending: Callable[[], float | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._pending = pending
        self._clock = clock
        self._since: float | None = None
        self.why = ""
        """What held the last round up; nothing if it was well."""

    def began(self) -> None:
        """Note that a round takes what waits."""
        pending = self._pending()
        moments = [self._clock(), *(each for each in (self._since, pending) if each is not None)]
        self._since = min(moments)

    def awaits(self, why: str) -> None:
        """Note that no round can be made, and why."""
        self.why = why

    def ended(self, result: RoundResult, *, pruned: bool = True) -> None:
        """Note how a round ended; `pruned`: it was free to remove what there shouldn't be."""
        left = _obstacles(result) or ("" if pruned else "nothing is removed before a second list says the same")
        is_others = result.outcome is RoundOutcome.LOST_LOCK or (
            result.outcome is RoundOutcome.STANDBY and not result.problem
        )
        if is_others or (result.settled and not left):
            self._since, self.why = None, ""
        else:
            rest = result.left and f"much of these namespaces is being written: {_some(sorted(result.left))}"
            problem = "" if result.problem in result.blocked.values() else result.problem  # there with its object
            self.why = problem or left or rest or result.outcome.value
            if result.succeeded and not left and result.left_since is not None:
                self._since = max(result.left_since, self._since or 0.0)
            elif result.outcome is RoundOutcome.STANDBY and result.left_since is not None:
                self._since = result.left_since

    @property
    def seconds(self) -> float:
        """The age of the oldest change, from Kubernetes or the database, that isn't in the database; 0 if none."""
        now = self._clock()
        return now - min((each for each in (self._since, self._pending()) if each is not None), default=now)

    @property
    def problem(self) -> str:
        """Say for how long and why; nothing while that is no fault."""
        if self.seconds < GRACE:
            return ""
        return f"not converged for {self.seconds:.0f} s: {self.why or 'a round has not ended yet'}"


def _obstacles(result: RoundResult) -> str:
    """Name what could not be written, as far as a person wants to read it."""
    found = [f"{describe(subject)}: {words}" for subject, words in result.blocked.items()]
    return _some([*found, *result.conflicts.values()])


def _some(found: Sequence[str]) -> str:
    """Name the first few, and how many more there are."""
    more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
    return "; ".join(found[:MOST]) + more
