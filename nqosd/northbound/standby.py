"""What a standby sees of whoever holds the lock: whether changes get into the database.

In: what changed, as desired and in the database, and plans that nobody sends. Out: in words, what the holder leaves
undone. The rule: a plan runs ahead of the database while the holder is writing, so an operation counts only when two
looks in a row find it, or when nothing at all was written between them; and none counts while anything that the look
before found has been written since, for much is written in shares.
"""

from collections.abc import Mapping, Sequence

import structlog

from nqosd.compiler.desired import RowKey
from nqosd.northbound.dirty import Cause, Dirty
from nqosd.northbound.plan.operations import Operation, OperationKind, SetName, Subject, describe

PAUSE = 1.5
"""Seconds between two looks."""
SAID_AFTER = 4
"""Looks in a row that find something left undone until the log says so: a server may be slow for a while."""
_NAMED = 3
"""How many objects the words name."""

log = structlog.get_logger(__name__)


class StandbyView:
    """One for each time as a standby; times are in seconds of whatever clock the caller uses."""

    def __init__(self, lock: str) -> None:
        self.dirty = Dirty()
        """What the next look is to be about."""
        self.words = ""
        """What is left undone; nothing while the holder does its work."""
        self._lock = lock
        self._due: float | None = None
        self._before: Mapping[Subject, Sequence[Operation]] = {}
        self._is_written = False
        self._times = 0

    def wrote(self) -> None:
        """Note that somebody changed rows or sets of ours."""
        self._is_written = True

    def next_look(self, now: float) -> float | None:
        """Return when to look; None if nothing has changed."""
        if self._due is None and self.dirty:
            self._due = now + PAUSE
        return self._due

    def take(self, now: float) -> Dirty | None:
        """Return what to look at, if it is time to."""
        if self._due is None or now < self._due:
            return None
        self._due = None
        return self.dirty.take()

    def found(self, operations: Sequence[Operation], taken: Dirty) -> None:
        """Take what a plan for that would have written; it is looked at again."""
        operations = [each for each in operations if each.kind is not OperationKind.WAIT]
        found: dict[Subject, list[Operation]] = {}
        for each in operations:
            found.setdefault(each.subject, []).append(each)
        before, self._before = self._before, found
        left: list[Operation] = []
        if before and not (self._is_written and before.keys() - found.keys()):
            left = [each for each in operations if not self._is_written or each in before.get(each.subject, ())]
        self._is_written = False
        subjects = dict.fromkeys(each.subject for each in left)
        names = [describe(each) for each in subjects][:_NAMED]
        more = f"; and {len(subjects) - _NAMED} more" if len(subjects) > _NAMED else ""
        self.words = (
            f"another client of the database holds the lock {self._lock!r} and doesn't write {'; '.join(names)}{more}: "
            "see what the daemon says whose role is active; if there is none, look for who else takes this lock"
            if left
            else ""
        )
        self._say()
        for each in operations:
            match each.subject:
                case RowKey() as key:
                    self.dirty.touch_rows([key], Cause.SURROUNDINGS)
                case SetName(name=name):
                    self.dirty.touch_set(name, None, Cause.SURROUNDINGS)
                case _:
                    self.dirty.restore(taken)

    def _say(self) -> None:
        """Tell the log, once when it begins and once when it is over."""
        if not self.words and self._times >= SAID_AFTER:
            log.info("northbound: what wasn't written is as it should be now", lock=self._lock)
        self._times = self._times + 1 if self.words else 0
        if self._times == SAID_AFTER:
            log.warning("northbound: whoever has the lock doesn't write", lock=self._lock, reason=self.words)
