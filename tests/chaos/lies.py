"""For how long daemons said that all was well while it wasn't.

In: moments: who has which role and who is ready, what differs, which faults are open. Out: lies, each with its length.
The rules: a lie lasts as long as one and the same thing differs at every moment while one and the same daemon says
ready; the active daemon answers for the database, a standby only while nobody that answers is active.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import attrs

ACTIVE = "active"
STANDBY = "standby"


@attrs.frozen
class Lie:
    """From the first moment at which it was seen to the first at which it wasn't any more."""

    seconds: float
    daemon: str
    role: str
    what: str
    faults: frozenset[str]
    """Those that were open in the time, or were the last ones before it."""


@attrs.define
class _Open:
    since: float
    moments: int
    faults: frozenset[str]


@attrs.define
class Lies:
    """Takes moments in their order; `told` holds what has ended."""

    told: list[Lie] = attrs.field(factory=list)
    _open: dict[tuple[str, str, str], _Open] = attrs.field(factory=dict)

    def take(
        self,
        at: float,
        roles: Mapping[str, str],
        ready: AbstractSet[str],
        differences: Iterable[str],
        faults: frozenset[str],
    ) -> None:
        """Take a moment."""
        answers_for_it = ACTIVE if ACTIVE in roles.values() else STANDBY
        who = {name: role for name, role in roles.items() if name in ready and role == answers_for_it}
        differences = frozenset(differences)
        now = {(name, role, what) for name, role in who.items() for what in differences}
        for key in self._open.keys() - now:
            self._close(key, at)
        for key in now:
            found = self._open.setdefault(key, _Open(at, 0, frozenset()))
            found.moments += 1
            found.faults |= faults

    def end(self, at: float) -> None:
        """Close what is open."""
        for key in tuple(self._open):
            self._close(key, at)

    def _close(self, key: tuple[str, str, str], at: float) -> None:
        """A difference that was seen once may have been a change on its way."""
        found = self._open.pop(key)
        if found.moments > 1:
            name, role, what = key
            self.told.append(Lie(at - found.since, name, role, what, found.faults))
