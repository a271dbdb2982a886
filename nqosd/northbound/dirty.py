"""What may differ between the desired state and the database, and who made it so.

In: deltas of the compiler, changes of the replica. Out: the scope of the next plan. The rules: nothing is forgotten
before a plan has found it right, and when in doubt everything is dirty; a change that follows from a switch or port
that came or went is nobody's edit; rows of a port group are looked at with it, because they stand and fall with its
members.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import Flag, auto

import msgspec

from nqosd.compiler.desired import Delta, Desired, RowKey
from nqosd.northbound.pending_rows import PendingRows
from nqosd.northbound.plan.idle_rows import IdleRows
from nqosd.northbound.plan.operations import SetName, Subject
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.updates import Changes


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
"""Every value of `Cause`, since joining two by `|` takes a microsecond, and there may be as many as rows and sets."""


class Dirty(msgspec.Struct):
    """Rows and sets to look at; `everything` stands for all there are."""

    everything: bool = True
    rows: dict[RowKey, Cause] = {}
    sets: dict[str, Cause] = {}
    members: dict[str, set[str] | None] = {}
    """For each of `sets` the members to compare; None stands for all."""
    unreadable: bool = False
    surroundings: set[str] = msgspec.field(default_factory=set)
    """Names of switches and logical ports that came or went, which explains what their rows and groups lack."""

    def touch_rows(self, rows: Iterable[RowKey], cause: Cause) -> None:
        """Look at these rows."""
        for key in rows:
            before = self.rows.get(key)
            self.rows[key] = cause if before is None else _JOINED[before._value_ | cause._value_]

    def touch_set(self, name: str, members: AbstractSet[str] | None, cause: Cause) -> None:
        """Look at these members of a set, or at all of it (None)."""
        before = self.sets.get(name)
        self.sets[name] = cause if before is None else _JOINED[before._value_ | cause._value_]
        if members is None:
            self.members[name] = None
        elif (known := self.members.setdefault(name, set())) is not None:
            known.update(members)

    def touch(self, subjects: Iterable[Subject], cause: Cause) -> None:
        """Look at these rows and at all of these sets; other objects are none of either."""
        for subject in subjects:
            if isinstance(subject, RowKey):
                self.touch_rows([subject], cause)
            elif isinstance(subject, SetName):
                self.touch_set(subject.name, None, cause)

    def touch_everything(self) -> None:
        """Look at everything, and remember no causes."""
        self.everything = True
        self._forget()

    def take(self) -> "Dirty":
        """Return what there is and start anew with nothing."""
        taken = Dirty(self.everything, self.rows, self.sets, self.members, self.unreadable, self.surroundings)
        self.everything = False
        self.rows, self.sets, self.members, self.unreadable, self.surroundings = {}, {}, {}, False, set()
        return taken

    def part(self, rows: AbstractSet[RowKey], sets: AbstractSet[str]) -> "Dirty":
        """Take these rows and sets out."""
        taken = Dirty(everything=False)
        taken.rows = {key: self.rows.pop(key) for key in self.rows.keys() & rows}
        taken.sets = {name: self.sets.pop(name) for name in self.sets.keys() & sets}
        taken.members = {name: self.members.pop(name) for name in taken.sets}
        return taken

    def only(self, subjects: AbstractSet[Subject]) -> "Dirty":
        """Copy those rows and sets that are among some objects."""
        found = Dirty(everything=False, unreadable=self.unreadable, surroundings=set(self.surroundings))
        found.rows = {key: cause for key, cause in self.rows.items() if key in subjects}
        found.sets = {name: cause for name, cause in self.sets.items() if SetName(name) in subjects}
        found.members = {name: self.members[name] for name in found.sets}
        return found

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
        self.surroundings |= taken.surroundings

    def scope(self, desired: Desired, view: Replica, later: "Dirty") -> PlanScope:
        """Return what a plan has to look at, where another one looks at the rest."""
        if self.everything:
            return PlanScope.whole(desired, view)
        return PlanScope(frozenset(self.rows), dict(self.members), self.unreadable, frozenset(later.sets))

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
        self.surroundings.clear()
        self.unreadable = False


def note_delta(dirty: Dirty, delta: Delta, idle_rows: IdleRows, pending_rows: PendingRows, view: Replica) -> None:
    """Note what is desired differently; a policy that changed may have no use for its idle rows any more."""
    if dirty.everything:
        return
    dirty.touch_rows(delta.rows, Cause.DESIRED)
    for name, members in delta.sets.items():
        changed = (members.added | members.removed or None) if is_there(name, view) else None
        dirty.touch_set(name, changed, Cause.DESIRED)
        if rows := _rows_of_group(name, pending_rows, view):
            dirty.touch_rows(rows, Cause.DESIRED)
    for policy in delta.policies:
        dirty.touch_rows(idle_rows.of_policy(policy), Cause.DESIRED)


def note_changes(
    dirty: Dirty,
    changes: Changes,
    pending_rows: PendingRows,
    absent_ports: Mapping[str, AbstractSet[str]],
    view: Replica,
    *,
    theirs: bool,
) -> None:
    """Note what changed in the database.

    `absent_ports`: by port group the names of the ports that it waits for; `theirs`: a set of somebody else that is
    in our way came, changed or went.
    """
    if changes.cleared or changes.renamed or theirs:
        dirty.touch_everything()
    if dirty.everything:
        return
    for key in changes.rows:
        dirty.touch_rows([key], Cause.SURROUNDINGS if key.switch in changes.switches else Cause.DATABASE)
    for switch in changes.switches:
        dirty.touch_rows(pending_rows.waiting_for(switch), Cause.SURROUNDINGS)
    for name, members in changes.sets.items():
        dirty.touch_set(name, members, Cause.DATABASE)
        dirty.touch_rows(_rows_of_group(name, pending_rows, view), Cause.SURROUNDINGS)
    for name in changes.unused:
        dirty.touch_set(name, frozenset(), Cause.SURROUNDINGS)
    dirty.surroundings |= changes.ports | changes.switches
    for group, ports in absent_ports.items() if changes.ports else ():
        if came := changes.ports & ports:
            dirty.touch_set(group, came, Cause.SURROUNDINGS)
            dirty.touch_rows(_rows_of_group(group, pending_rows, view), Cause.SURROUNDINGS)
    dirty.unreadable = dirty.unreadable or changes.unreadable


def is_there(name: str, view: Replica) -> bool:
    """Say whether a set of that name is in the database."""
    return view.address_sets.get(name) is not None or view.port_groups.get(name) is not None


def _rows_of_group(name: str, pending_rows: PendingRows, view: Replica) -> AbstractSet[RowKey]:
    """Return the rows whose senders are in a port group, stored or not; none for an address set."""
    if view.address_sets.get(name) is not None:
        return frozenset()
    return view.rows.keys_of_users(name) | pending_rows.without_ports.get(name, frozenset())
