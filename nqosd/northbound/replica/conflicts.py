"""Address sets and port groups of others that have the names of ours.

In: what plans find, and names whose insertion the server refused. Out: whose each one is, in words. The rule: others'
sets are monitored only while they are suspected or known to be in the way, since there may be very many of them.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

import structlog

from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import is_ours

log = structlog.get_logger(__name__)


class Conflicts:
    """Known conflicts by name of the set; `watch` is told which names to monitor whoever owns them."""

    def __init__(self, view: Replica, owner: str, watch: Callable[[frozenset[str]], None]) -> None:
        self._view = view
        self._owner = owner
        self._watch = watch
        self._watched: frozenset[str] = frozenset()
        self.known: Mapping[str, str] = {}

    def suspect(self, names: AbstractSet[str]) -> None:
        """Monitor these names too: the server says that one of them is taken."""
        self._watch_only(self._watched | names)

    def concerns(self, names: AbstractSet[str]) -> bool:
        """Say whether one of these sets is in our way, or was until now."""
        return any(map(self._is_theirs, self._watched & names))

    def note(self, found: Mapping[str, str], looked_at: AbstractSet[str]) -> None:
        """Take what a plan found among the sets that it looked at."""
        for name, whose in found.items():
            if name not in self.known:
                log.warning("northbound: the name of a set is taken", set=name, reason=whose)
        self.known = {name: self.known[name] for name in self.known if name not in looked_at} | dict(found)

    def narrow(self) -> None:
        """Monitor no other names than those that are known to be taken."""
        self._watch_only(frozenset(self.known))

    def _watch_only(self, names: frozenset[str]) -> None:
        if names != self._watched:
            self._watched = names
            self._watch(names)

    def _is_theirs(self, name: str) -> bool:
        stored = self._view.address_sets.get(name) or self._view.port_groups.get(name)
        return name in self.known or (stored is not None and not is_ours(stored.external_ids, self._owner))
