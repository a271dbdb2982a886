"""Reports sets of which there is reason to think that nobody meant them to be so large.

In: what changed in a round, and what is desired. Out: one line in the log for each set that has outgrown LARGE. Rule:
nothing is cut off, since OVN has no limit either; but each member becomes a flow on every chassis, so a person should
know.
"""

import structlog

from nqosd.compiler.desired import Delta, Desired

LARGE = 50_000
"""Members. Beyond them a selection is more likely a mistake, such as a selector that matches every pod, than meant."""

_log = structlog.get_logger()


class LargeSets:
    """Remembers which sets it has told of."""

    def __init__(self, limit: int = LARGE) -> None:
        self._limit = limit
        self._told: set[str] = set()

    def look(self, delta: Delta, desired: Desired) -> None:
        """Look at the sets that changed."""
        for name in delta.sets:
            found = desired.address_sets.get(name)
            if found is None or len(found.addresses) <= self._limit:
                self._told.discard(name)
            elif name not in self._told:
                self._told.add(name)
                _log.warning(
                    "an address set has grown very large; each member is a flow on every chassis",
                    set=name,
                    members=len(found.addresses),
                    limit=self._limit,
                    selection=found.selection,
                )
