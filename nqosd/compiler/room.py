"""Room: which policies take more rows, or more members of sets, than they or their namespace may.

In: effective policies, and who is a member where. Out: those beyond a limit, with the words to say. Rules: in a
namespace the older policies have their room first; one for which there is none is left out, and a younger one may fit.
Members are looked at before rows: a policy has sets of senders, which say how many rows it takes, if there is room for
them. A policy without senders in this database takes nothing of what others may have, and nothing is said of it, as by
a daemon that hears of no peers but those of senders; its sets are filled if there is room left.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.problems import Problem
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.precedence import age
from nqosd.compiler.rows import rows_at_most
from nqosd.compiler.set_ids import SetId
from nqosd.compiler.set_members import Membership
from nqosd.compiler.settings import excess, no_room
from nqosd.config.options import Limits

ROWS, MEMBERS = "rows", "members"
"""What is limited, by the names of the options."""

_WAYS_OUT = {
    ROWS: "select fewer pods, write fewer rules or let pods share limits",
    MEMBERS: "write fewer selectors, let them and podSelector choose fewer pods, or name the subnet of peers in an "
    "ipBlock",
}


class Takes(msgspec.Struct, frozen=True):
    """How much a policy can take: `alone`, and `shared` by the policies of its namespace with the same `senders`."""

    alone: int
    shared: int = 0
    senders: PodSelection | None = None

    @classmethod
    def of_members(cls, effective: EffectivePolicy, size: Callable[[PodSelection], int]) -> "Takes":
        """Count the members that the selectors of a policy choose, by how many each of these does."""
        return cls(sum(map(size, effective.peers)), size(effective.sources), effective.sources)

    @property
    def total(self) -> int:
        """All of it, which is held to a policy's limit."""
        return self.alone + self.shared

    @property
    def is_idle(self) -> bool:
        """Whether these are members for a policy without senders."""
        return self.senders is not None and not self.shared


_UNSAID = Problem("spec", "has no room for the peers of senders that aren't there")
"""Of policies without senders; nobody reads it."""


class _Looked(msgspec.Struct, frozen=True):
    """A policy that was looked at: what it takes of its own limit, of its namespace's, and whether there is room."""

    total: int
    number: int
    has_room: bool


def without_room(
    option: str, policies: Iterable[tuple[str, Takes]], limits: Limits, looked: list[_Looked] | None = None
) -> dict[str, Problem]:
    """Say for which policies of a namespace, the oldest first, there is no room.

    In round figures, since pods come and go. What several share, the oldest takes that there is room for.
    """
    found: dict[str, Problem] = {}
    left = _most(option, limits)[1]
    taken = set[PodSelection | None]()
    for key, takes in policies:
        number = takes.alone if takes.senders in taken else takes.total
        problem = _problem(option, takes.total, limits)
        if problem is None and number > left:
            problem = no_room("spec", key, option, limits, _WAYS_OUT[option])
        if problem is None:
            left -= number
            taken.add(takes.senders)
        else:
            found[key] = problem
        if looked is not None:
            looked.append(_Looked(takes.total, number, problem is None))
    return found


def _slack(policies: Iterable[_Looked], limits: Limits) -> int:
    """Say how many members may come or go before `without_room` says anything else; policies in the same order."""
    step = max(1, limits.members // 10)
    slack = left = limits.namespace_members
    for each in policies:
        if each.total > limits.members:
            above = (each.total - 1) // step * step
            slack = min(slack, above + step - each.total, each.total - max(above, limits.members) - 1)
        else:
            slack = min(slack, limits.members - each.total, abs(left - each.number) - (not each.has_room))
        if each.has_room:
            left -= each.number
    return slack


def _most(option: str, limits: Limits) -> tuple[int, int]:
    """Give what a policy may take, and what all of its namespace may."""
    if option == ROWS:
        return limits.rows, limits.namespace_rows
    return limits.members, limits.namespace_members


def _problem(option: str, number: int, limits: Limits) -> Problem | None:
    allowed, _of_namespace = _most(option, limits)
    return excess("spec", number, option, limits, _WAYS_OUT[option], step=max(1, allowed // 10))


class Room:
    """Keeps count of the rows and members that policies can take."""

    def __init__(self, policies: Mapping[str, NetworkQoS], membership: Membership, limits: Limits) -> None:
        self._policies = policies
        self._membership = membership
        self._limits = limits
        self._rows: dict[str, dict[str, Takes]] = {}
        self._effective: dict[str, dict[str, EffectivePolicy]] = {}
        self._slack: dict[str, int] = {}
        """How many members may come or go before a namespace must be looked at; see `due`."""
        self._beyond: Mapping[str, dict[str, Mapping[str, Problem]]] = {MEMBERS: {}, ROWS: {}}

    def __len__(self) -> int:
        """Count the namespaces of which something is remembered."""
        return len(set[str]().union(self._rows, self._effective, *self._beyond.values()))

    def problem(self, key: str) -> Problem | None:
        """Say why a policy's rows are not applied, if they aren't."""
        found = self.lacks(MEMBERS, key) or self.lacks(ROWS, key)
        return None if found is _UNSAID else found

    def has_room(self, key: str) -> bool:
        """Say whether the sets of a policy may be filled."""
        return self.lacks(MEMBERS, key) is None and self.lacks(ROWS, key) is None

    def has_room_for_senders(self, key: str) -> bool:
        """Say whether the sets of a policy's senders may be filled: those of one without any here take nothing."""
        return self.lacks(MEMBERS, key) in (None, _UNSAID)

    def lacks(self, option: str, key: str) -> Problem | None:
        """Say of which limit a policy is beyond, if it is beyond that one."""
        return self._beyond[option].get(key.partition("/")[0], {}).get(key)

    def policy_changed(self, key: str, effective: EffectivePolicy | None) -> None:
        """Take what a policy says now."""
        namespace = key.partition("/")[0]
        mine = self._effective.setdefault(namespace, {})
        mine.pop(key, None)
        if effective is not None:
            mine[key] = effective
        if not mine:
            del self._effective[namespace]

    def measure(self, key: str) -> bool:
        """Count the rows that a policy can take now; say whether they are others than before."""
        namespace = key.partition("/")[0]
        before = self._rows.get(namespace, {}).pop(key, None)
        effective = self._effective.get(namespace, {}).get(key)
        number = 0 if effective is None or self.lacks(MEMBERS, key) else self._at_most(effective)
        now = Takes(number) if number else None
        if now is not None:
            self._rows.setdefault(namespace, {})[key] = now
        return before != now

    def rows(self, namespace: str) -> int:
        """Say how many rows the policies of a namespace can take together."""
        return sum(each.total for each in self._rows.get(namespace, {}).values())

    def members(self, namespace: str) -> int:
        """Say how many members the sets of those policies of a namespace have that there is room for."""
        applied = [takes for key, takes in self._members(namespace).items() if self.has_room(key)]
        return sum(each.alone for each in applied) + sum({each.senders: each.shared for each in applied}.values())

    def due(self, users: Mapping[PodSelection, Mapping[str, AbstractSet[str]]]) -> list[str]:
        """List the namespaces that may have come beyond a limit of members by pods that came, or may have left one.

        `users` are the policies that need a selection, by namespace. What moved in one that is left out concerns it
        alone; what moved in the others, also what is left for younger ones. Senders count for one of them; their first
        and last one says, besides, which policies come first, if there isn't room for all.
        """
        turned = set[str]()
        applied: defaultdict[str, int] = defaultdict(int)
        left_out: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for moved in self._membership.sizes.moved():
            is_peer = moved.selection.role is SelectionUse.PEER
            for namespace, keys in users.get(moved.selection, {}).items():
                others, lacking = len(keys), self._beyond[MEMBERS].get(namespace)
                for key in lacking.keys() & keys if lacking else ():  # goes through the fewer ones
                    left_out[namespace][key] += moved.places
                    others -= 1
                applied[namespace] += moved.places * (others if is_peer else bool(others))
                if moved.turned and lacking and not is_peer:
                    turned.add(namespace)
        for namespace, number in applied.items():
            most = max(left_out[namespace].values()) if namespace in left_out else 0
            self._slack[namespace] = self._slack.get(namespace, 0) - number - most
        return [namespace for namespace in applied if namespace in turned or self._slack[namespace] < 0]

    def settle(self, option: str, namespace: str) -> Iterable[str]:
        """Look at a namespace anew; gives the policies of which something else is to be said than before."""
        takes = self._members(namespace) if option == MEMBERS else self._rows.get(namespace, {})
        limits, before, looked = self._limits, self._beyond[option].pop(namespace, {}), list[_Looked]()
        oldest: Iterable[str] = takes
        if sum(each.total for each in takes.values()) > min(_most(option, limits)):
            oldest = sorted(takes, key=lambda key: (takes[key].is_idle, age(self._policies[key])))
        now = without_room(option, ((key, takes[key]) for key in oldest), limits, looked)
        now |= {key: _UNSAID for key in now if takes[key].is_idle}
        if now:
            self._beyond[option][namespace] = now
        if option == MEMBERS:
            self._slack[namespace] = _slack(looked, limits)
        if not takes:
            (self._slack if option == MEMBERS else self._rows).pop(namespace, None)
        return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

    def _members(self, namespace: str) -> Mapping[str, Takes]:
        """Count the members of the sets of each policy of a namespace."""
        size = self._membership.sizes.of
        return {key: Takes.of_members(each, size) for key, each in self._effective.get(namespace, {}).items()}

    def _at_most(self, effective: EffectivePolicy) -> int:
        number = 0
        for (network, switch), kinds in self._membership.sets.sites(effective.sources).items():
            if effective.selects(network):
                sets = [SetId(effective.sources, network, switch, kind) for kind in kinds]
                senders = max(len(self._membership.sets.members(each)) for each in sets)
                number += rows_at_most(effective.spec, len(kinds), senders)
        return number
