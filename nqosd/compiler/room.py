"""Room: which policies take more rows, or more members of sets, than they or their namespace may.

In: contexts, and who is a member where. Out: the policies beyond a limit, with the words to say. Rule: in a namespace
the older policies have their room first; one for which there is none is left out, and a younger one may fit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

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


def _slack(policies: Iterable[tuple[int, bool]], limits: Limits) -> int:
    """Say how many members may come or go before `without_room` says anything else.

    `policies`: of each in the same order its members, and whether there is room for it.
    """
    step = max(1, limits.members // 10)
    slack = left = limits.namespace_members
    for number, has_room in policies:
        if number > limits.members:
            above = (number - 1) // step * step
            slack = min(slack, above + step - number, number - max(above, limits.members) - 1)
        else:
            slack = min(slack, limits.members - number, abs(left - number) - (not has_room))
        if has_room:
            left -= number
    return slack


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
        self._slack: dict[str, int] = {}
        """How many members may come or go before a namespace must be looked at; see `due`."""
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

    def due(self, users: Mapping[PodSelection, Mapping[str, AbstractSet[str]]]) -> list[str]:
        """List the namespaces that may have come beyond a limit of members by pods that came, or may have left one.

        `users` are the policies that need a selection, by namespace. What moved in one that is left out concerns it
        alone; what moved in the others, also what is left for younger ones.
        """
        applied: defaultdict[str, int] = defaultdict(int)
        left_out: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for selection, number in self._membership.moved().items():
            for namespace, keys in users.get(selection, {}).items():
                beyond = self._beyond.get(namespace, {}).keys() & keys  # goes through the fewer ones
                applied[namespace] += number * (len(keys) - len(beyond))
                for key in beyond:
                    left_out[namespace][key] += number
        for namespace, number in applied.items():
            most = max(left_out[namespace].values()) if namespace in left_out else 0
            self._slack[namespace] = self._slack.get(namespace, 0) - number - most
        return [namespace for namespace in applied if self._slack[namespace] < 0]

    def settle(self, namespace: str) -> Iterable[str]:
        """Look at a namespace anew; gives the policies of which something else is to be said than before."""
        mine, before = self._rows.get(namespace, {}), self._beyond.pop(namespace, {})
        members = self._members(namespace)
        oldest: Iterable[str] = members
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
        if members:
            self._slack[namespace] = _slack(((members.get(key, 0), key not in now) for key in oldest), self._limits)
        else:
            self._slack.pop(namespace, None)
        return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

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
