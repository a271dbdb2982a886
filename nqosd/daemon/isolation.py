"""Leaves out the objects on which the compiler fails, so that a defect of ours costs them and nobody else.

In: changes on their way to the compiler; the objects, settings and switches with which it failed. Out: the changes
without those objects. Rule: an object is left out as long as it stays as it is; a policy that is left out says so, as
an invalid one says what is wrong with it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
import msgspec
from msgspec.structs import replace

from nqosd.api.changes import Change, ObjectKey, ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.problems import Problem
from nqosd.cache.tables import Tables
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.compiler.switches import Switches

_LAST = (ResourceKind.POD, ResourceKind.NETWORK_QOS)
"""What depends on objects of other kinds."""


class Culprit(msgspec.Struct, frozen=True):
    """An object with which compilation began to fail, as the change that brought it, and the error in words."""

    change: Change
    error: str

    def __str__(self) -> str:
        return f"{self.change.kind} {self.change.key}: {self.error}"


class Isolation:
    """The objects that are left out."""

    def __init__(self) -> None:
        self._culprits: dict[ObjectKey, Culprit] = {}

    @property
    def numbers(self) -> Mapping[str, int]:
        """How many objects are left out, by kind."""
        return Counter(kind.value for kind, _key in list(self._culprits))

    @property
    def policies(self) -> frozenset[str]:
        """The policies that are left out, by key."""
        return frozenset(key for kind, key in self._culprits if kind is ResourceKind.NETWORK_QOS)

    def leave_out(self, culprit: Culprit) -> bool:
        """Leave an object out when it is admitted next; says whether it wasn't left out before."""
        key = (culprit.change.kind, culprit.change.key)
        if key in self._culprits:
            return False
        self._culprits[key] = culprit
        return True

    def admit(self, changes: Iterable[Change]) -> list[Change]:
        """Give the changes without what is left out; an object that changed is no longer."""
        return [self._admit(change) for change in changes] if self._culprits else list(changes)

    def _admit(self, change: Change) -> Change:
        culprit = self._culprits.get((change.kind, change.key))
        if culprit is None:
            return change
        if _says_the_same(change, culprit.change):
            return _without(change, culprit.error)
        del self._culprits[change.kind, change.key]
        return change


def first_culprit(tables: Tables, settings: Settings, switches: Switches) -> Culprit | None:
    """Find the object with which compilation begins to fail, by halving what is compiled; None if it doesn't fail.

    It takes as long as some twenty compilations of everything.
    """
    changes = list(_changes(tables))
    fine, failing, error = 0, len(changes), _error(changes, settings, switches)
    if not error:
        return None
    while failing - fine > 1:
        middle = (fine + failing) // 2
        found = _error(changes[:middle], settings, switches)
        fine, failing, error = (fine, middle, found) if found else (middle, failing, error)
    return Culprit(changes[failing - 1], error) if changes else None


def _changes(tables: Tables) -> Iterator[Change]:
    """Give all objects, each after those that it depends on."""
    objects = tables.objects()
    for kind in sorted(objects, key=lambda kind: _LAST.index(kind) if kind in _LAST else -1):
        for key, value in objects[kind].items():
            yield Change(kind, key, None, value)


def _error(changes: Sequence[Change], settings: Settings, switches: Switches) -> str:
    """Compile these objects, and report on the policies; gives the words of what was raised, or none."""
    compiler = IncrementalCompiler(settings)
    compiler.switches = switches
    try:
        compiler.apply(changes)
        for key in compiler.tables.policies:
            compiler.report(key)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must cost no other object
        return repr(error)
    return ""


def _without(change: Change, error: str) -> Change:
    """Give a change that a policy comes to while it is left out; other objects aren't there."""
    if not isinstance(change.new, NetworkQoS):
        return replace(change, new=None)
    problem = Problem("spec", f"nqosd fails on it and leaves it out, please report that: {error}")
    return replace(change, new=attrs.evolve(change.new, spec=None, problems=(problem,)))


def _says_the_same(change: Change, before: Change) -> bool:
    """Say whether an object stays as it was, but for a policy's status and generation."""
    if isinstance(change.new, NetworkQoS) and isinstance(before.new, NetworkQoS):
        return change.new.spec == before.new.spec
    return change.new == before.new
