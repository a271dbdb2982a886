"""What a standby sees of whoever holds the lock: whether changes get into the database.

In: what changed, as desired and in the database, and plans that nobody sends. Out: in words, what the holder leaves
undone, since when, and whether it writes at all. The rule: each row, and each member of a set, has an age of its own,
whatever else is written: it counts from the first look that finds it undone, and anew only when a look doesn't, or when
the row was written and is to be something else by now.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import structlog

from nqosd.compiler.desired import RowKey
from nqosd.northbound.dirty import Cause, Dirty
from nqosd.northbound.plan.operations import Operation, OperationKind, SetName, Subject, describe
from nqosd.northbound.replica.updates import Changes

PAUSE = 1.5
"""Seconds between two looks."""
LATE = 2 * PAUSE
"""Seconds after which something is late: what is found once or twice is on its way."""
SAID_AFTER = 5 * PAUSE
"""Seconds after which the log says so, and for which a holder that wrote something counts as writing: a server may be
slow for a while."""
NO_WRITES = "doesn't write"
_NAMED = 3
"""How many objects the words name."""

_Item: TypeAlias = tuple[Subject, str]

log = structlog.get_logger(__name__)


class StandbyView:
    """One for each time as a standby; times are in seconds of whatever clock the caller uses."""

    def __init__(self, lock: str) -> None:
        self.dirty = Dirty()
        """What the next look is to be about."""
        self.words = ""
        """What is left undone; nothing while the holder does its work."""
        self.since: float | None = None
        """Since when the oldest of what isn't written has been found so; None if all is written."""
        self._lock = lock
        self._due: float | None = None
        self._undone: dict[_Item, tuple[float, object]] = {}
        self._written: set[Subject] = set()
        self._is_written = False
        self._written_at = -math.inf
        self._said = ""

    def wrote(self, changes: Changes) -> None:
        """Note that somebody changed rows or sets of ours, or that all of them were read anew."""
        if changes.cleared:
            self._undone.clear()
        self._written.update(changes.rows, map(SetName, changes.sets))
        self._is_written |= bool(self._written) and not changes.cleared

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

    def found(self, operations: Sequence[Operation], taken: Dirty, now: float) -> None:
        """Take what a plan for that would have written; it is looked at again."""
        operations = [each for each in operations if each.kind is not OperationKind.WAIT]
        before, self._undone = self._undone, {}
        for item, value in (found for each in operations for found in _items(each)):
            since, known = before.get(item, (now, value))
            self._undone[item] = (since if value == known or item[0] not in self._written else now, value)
        self._written.clear()
        if self._is_written:
            self._is_written, self._written_at = False, now
        does = "writes, but not yet" if self._writes(now) else NO_WRITES
        self.since = min((since for since, _ in self._undone.values()), default=None)
        late = dict.fromkeys(item[0] for item, (since, _) in self._undone.items() if now - since >= LATE)
        names = [describe(each) for each in late][:_NAMED]
        more = f"; and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
        self.words = (
            f"another client of the database holds the lock {self._lock!r} and {does} {'; '.join(names)}{more}: "
            "see what the daemon says whose role is active; if there is none, look for who else takes this lock"
            if late
            else ""
        )
        self._say(now)
        for each in operations:
            match each.subject:
                case RowKey() as key:
                    self.dirty.touch_rows([key], Cause.SURROUNDINGS)
                case SetName(name=name):
                    self.dirty.touch_set(name, None, Cause.SURROUNDINGS)
                case _:
                    self.dirty.restore(taken)

    def _writes(self, now: float) -> bool:
        """Say whether rows or sets of ours were written lately, though not all."""
        return now - self._written_at < SAID_AFTER

    def _say(self, now: float) -> None:
        """Tell the log, once when it begins, once when the holder stops writing, and once when it is over."""
        if self._said and not self.words:
            self._said = ""
            log.info("northbound: what wasn't written is as it should be now", lock=self._lock)
        elif self.since is not None and now - self.since >= SAID_AFTER:
            writes = self._writes(now)
            event = f"northbound: whoever has the lock {'has more to write' if writes else NO_WRITES}"
            if event != self._said:
                self._said = event
                (log.info if writes else log.warning)(event, lock=self._lock, reason=self.words)


def _items(operation: Operation) -> Iterator[tuple[_Item, object]]:
    """Give what an operation is to change, one by one, and what to: members come and go beside each other.

    A row that is to be inserted is an item by itself, so it is none among those of its switch.
    """
    mutations = operation.body.get("mutations")
    if not isinstance(mutations, list):
        yield (operation.subject, operation.kind), operation.body.get("row")
        return
    for column, mutator, (_, members) in mutations:
        for member in members:
            if not isinstance(member, str) and member[0] == "named-uuid":
                continue
            yield (operation.subject, f"{column} {mutator} {member}"), None
