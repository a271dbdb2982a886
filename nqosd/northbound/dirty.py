"""What may differ between the desired state and the database, and who made it so.

In: deltas of the compiler, changes of the replica. Out: the scope of the next plan. The rule: nothing is forgotten
before a plan has found it right; when in doubt, everything is dirty.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from enum import Flag, auto

import attrs

from nqosd.compiler.desired import Desired, RowKey
from nqosd.northbound.plan.operations import SetName, Subject
from nqosd.northbound.replica.replica import View
from nqosd.northbound.replica.scope import Scope


class Cause(Flag):
    """Why something is dirty; several may come together."""

    DESIRED = auto()
    """What is desired changed."""
    DATABASE = auto()
    """The row or set itself changed in the database: the echo of our own transaction, somebody else, or a port that
    went and so left its groups."""
    SURROUNDINGS = auto()
    """A switch or a port came or went."""


_JOINED = tuple(map(Cause, range(1 << len(Cause))))
"""Every value of `Cause`, since joining two by `|` takes a microsecond, and there may be as many as rows."""


@attrs.define
class Dirty:
    """Rows and sets to look at; `everything` stands for all there are."""

    everything: bool = True
    rows: dict[RowKey, Cause] = attrs.field(factory=dict)
    sets: dict[str, Cause] = attrs.field(factory=dict)
    members: dict[str, set[str] | None] = attrs.field(factory=dict)
    """For each of `sets` the members to compare; None stands for all."""
    unreadable: bool = False
    ports: set[str] = attrs.field(factory=set)
    """Names of logical ports that came or went, which explains what their groups lack."""

    def touch_rows(self, rows: Iterable[RowKey], cause: Cause) -> None:
        """Look at these rows."""
        for key in rows:
            before = self.rows.get(key)
            self.rows[key] = cause if before is None else _JOINED[before._value_ | cause._value_]

    def touch_set(self, name: str, members: AbstractSet[str] | None, cause: Cause) -> None:
        """Look at these members of a set, or at all of it (None)."""
        self.sets[name] = self.sets.get(name, cause) | cause
        if members is None:
            self.members[name] = None
        elif (known := self.members.setdefault(name, set())) is not None:
            known.update(members)

    def touch_everything(self) -> None:
        """Look at everything, and remember no causes."""
        self.everything = True
        self._forget()

    def take(self) -> "Dirty":
        """Return what there is and start anew with nothing."""
        taken = Dirty(self.everything, self.rows, self.sets, self.members, self.unreadable, self.ports)
        self.everything = False
        self.rows, self.sets, self.members, self.unreadable, self.ports = {}, {}, {}, False, set()
        return taken

    def restore(self, taken: "Dirty") -> None:
        """Put back what was taken."""
        self.everything = self.everything or taken.everything
        if self.rows:
            for key, cause in taken.rows.items():
                self.touch_rows([key], cause)
        else:
            self.rows = dict(taken.rows)
        for name, cause in taken.sets.items():
            self.touch_set(name, taken.members[name], cause)
        self.unreadable = self.unreadable or taken.unreadable
        self.ports |= taken.ports

    def scope(self, desired: Desired, view: View) -> Scope:
        """Return what a plan has to look at."""
        if self.everything:
            return Scope.whole(desired, view)
        return Scope(frozenset(self.rows), dict(self.members), self.unreadable)

    def cause_of(self, subject: Subject) -> Cause | None:
        """Return why a row or set is dirty; None if it isn't, or nobody knows."""
        if isinstance(subject, RowKey):
            return self.rows.get(subject)
        return self.sets.get(subject.name) if isinstance(subject, SetName) else None

    def __bool__(self) -> bool:
        return bool(self.everything or self.rows or self.sets or self.unreadable)

    def _forget(self) -> None:
        self.rows.clear()
        self.sets.clear()
        self.members.clear()
        self.ports.clear()
        self.unreadable = False
