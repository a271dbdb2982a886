"""What a plan looks at: names of rows and sets that may differ from what is desired.

In: deltas of the compiler, changes of the replica. Out: a `PlanScope`. The rule: too much costs time and nothing else,
too little leaves a difference; so whoever doesn't know takes `PlanScope.whole`.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.compiler.desired import Desired, RowKey
from nqosd.northbound.replica.replica import Replica


class PlanScope(msgspec.Struct, frozen=True):
    """Rows by key; sets (address sets and port groups) by name.

    A set is compared in the members that are named, or in all of them and its other columns (None). Members of a port
    group are names of ports.
    """

    rows: frozenset[RowKey] = frozenset()
    sets: Mapping[str, AbstractSet[str] | None] = {}
    unreadable: bool = False
    """Look for rows of ours that don't say what they are for."""
    later: AbstractSet[str] = frozenset()
    """Sets that another plan looks at, and gives up if nobody wants them."""

    @classmethod
    def whole(cls, desired: Desired, view: Replica) -> "PlanScope":
        """Return the scope of everything that is desired or there."""
        names = dict.fromkeys(desired.address_sets)
        names |= dict.fromkeys(desired.port_groups)
        names |= dict.fromkeys(view.address_sets.names())
        names |= dict.fromkeys(view.port_groups.names())
        return cls(frozenset(desired.rows).union(view.rows.known_keys()), names, unreadable=True)

    def __bool__(self) -> bool:
        return bool(self.rows or self.sets or self.unreadable)
