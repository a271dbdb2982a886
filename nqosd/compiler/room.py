"""Room: which policies take more rows, or more members of sets, than they or their namespace may.

In: contexts, and who is a member where. Out: the policies beyond a limit, with the words to say. Rule: in a namespace
the older policies have their room first; one for which there is none is left out, and a younger one may fit.
"""

import math
from collections.abc import Collection, Iterable, Mapping

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.problems import Problem
from nqosd.cache.selections import PodSelection
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.precedence import age
from nqosd.compiler.rows import rows_at_most
from nqosd.compiler.set_ids import SetId
from nqosd.compiler.set_members import Membership
from nqosd.compiler.settings import excess, no_room
from nqosd.config.options import Limits

_WAYS_OUT = {
    "rows": "select fewer pods, write fewer rules or let pods share limits",
    "members": "write fewer selectors, let them choose fewer pods, or name the pods' subnet in an ipBlock",
}

Takes = Mapping[str, int]
"""How much a policy can take, by the limit that bounds it: `rows`, and `members` of the sets of its selectors."""


def without_room(policies: Iterable[tuple[str, Takes]], limits: Limits) -> Mapping[str, Problem]:
    """Say for which policies of a namespace, the oldest first, there is no room.

    In round figures, since pods come and go.
    """
    found = {}
    left = {"rows": limits.namespace_rows, "members": limits.namespace_members}
    for key, takes in policies:
        problem = next(filter(None, (_problem(key, option, takes[option], left, limits) for option in _WAYS_OUT)), None)
        if problem is None:
            left = {option: room - takes[option] for option, room in left.items()}
        else:
            found[key] = problem
    return found


def _problem(key: str, option: str, number: int, left: Mapping[str, int], limits: Limits) -> Problem | None:
    allowed: int = getattr(limits, option)
    step = max(1, allowed // 10)
    rounded = number if number <= allowed else -(-number // step) * step
    problem = excess("spec", rounded, option, limits, _WAYS_OUT[option])
    if problem is None and number > left[option]:
        problem = no_room("spec", key, option, limits, _WAYS_OUT[option])
    return problem


class Room:
    """Keeps count of the rows and members that policies can take."""

    def __init__(self, policies: Mapping[str, NetworkQoS], membership: Membership, limits: Limits) -> None:
        self._policies = policies
        self._membership = membership
        self._limits = limits
        self._rows: dict[str, dict[str, int]] = {}
        self._peers: dict[str, dict[str, frozenset[PodSelection]]] = {}
        self._due: dict[str, int] = {}
        """After how many arrivals to look at a namespace with selectors: before, it can't come beyond a limit."""
        self._earliest = math.inf
        self._beyond: dict[str, Mapping[str, Problem]] = {}

    def __len__(self) -> int:
        """Count the namespaces of which something is remembered."""
        return len(self._rows.keys() | self._peers.keys() | self._beyond.keys())

    def problem(self, key: str) -> Problem | None:
        """Say why a policy's rows are not applied, if they aren't."""
        return self._beyond.get(key.partition("/")[0], {}).get(key)

    def policy_changed(self, key: str, effective: EffectivePolicy | None) -> None:
        """Take what a policy says now."""
        self.measure(key, effective)
        namespace = key.partition("/")[0]
        mine, peers = self._peers.setdefault(namespace, {}), frozenset() if effective is None else effective.peers
        mine.pop(key, None)
        if peers:
            mine[key] = peers
        if not mine:
            del self._peers[namespace]

    def measure(self, key: str, effective: EffectivePolicy | None) -> bool:
        """Count the rows that a policy can take now; say whether they are others than before."""
        namespace = key.partition("/")[0]
        before = self._rows.get(namespace, {}).pop(key, 0)
        now = 0 if effective is None else self._at_most(effective)
        if now:
            self._rows.setdefault(namespace, {})[key] = now
        return before != now

    def rows(self, namespace: str) -> int:
        """Say how many rows the policies of a namespace can take together."""
        return sum(self._rows.get(namespace, {}).values())

    def members(self, namespace: str) -> int:
        """Say how many members the sets of those policies of a namespace have that there is room for."""
        return sum(size for key, size in self._members(namespace).items() if self.problem(key) is None)

    def due(self) -> list[str]:
        """List the namespaces that may have come beyond a limit of members by pods that came, or may have left one."""
        arrivals = self._membership.arrivals
        return [name for name, due in self._due.items() if arrivals >= due] if arrivals >= self._earliest else []

    def settle(self, namespace: str) -> Iterable[str]:
        """Look at a namespace anew; gives the policies of which something else is to be said than before."""
        mine, before = self._rows.get(namespace, {}), self._beyond.pop(namespace, {})
        members = self._members(namespace)
        now: Mapping[str, Problem] = {}
        most_rows = min(self._limits.rows, self._limits.namespace_rows)
        most_members = min(self._limits.members, self._limits.namespace_members)
        if sum(mine.values()) > most_rows or sum(members.values()) > most_members:
            oldest = sorted(mine.keys() | members.keys(), key=lambda key: age(self._policies[key]))
            now = without_room(
                ((key, {"rows": mine.get(key, 0), "members": members.get(key, 0)}) for key in oldest), self._limits
            )
        if now:
            self._beyond[namespace] = now
        if not mine:
            self._rows.pop(namespace, None)
        self._foresee(namespace, members.values())
        return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

    def _foresee(self, namespace: str, members: Collection[int]) -> None:
        """Note when to look at a namespace again: an arrival is one member more of each of its selectors, at most."""
        if not members:
            self._due.pop(namespace, None)
        elif namespace in self._beyond:
            self._due[namespace] = 0
        else:
            left = min(self._limits.members - max(members), self._limits.namespace_members - sum(members))
            selectors = sum(map(len, self._peers[namespace].values()))
            self._due[namespace] = self._membership.arrivals + left // selectors + 1
        self._earliest = min(self._due.values(), default=math.inf)

    def _members(self, namespace: str) -> Mapping[str, int]:
        """Count the members of the sets of each policy of a namespace that has selectors."""
        size = self._membership.size
        return {key: sum(map(size, peers)) for key, peers in self._peers.get(namespace, {}).items()}

    def _at_most(self, effective: EffectivePolicy) -> int:
        number = 0
        for (network, switch), kinds in self._membership.sites(effective.sources).items():
            if effective.selects(network):
                sets = [SetId(effective.sources, network, switch, kind) for kind in kinds]
                senders = max(len(self._membership.members(each)) for each in sets)
                number += rows_at_most(effective.spec, len(kinds), senders)
        return number
