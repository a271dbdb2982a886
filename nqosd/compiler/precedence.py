"""Precedence: which rule applies, as OVN priorities.

In: the valid policies of one namespace. Out: each one's rank among those of its priority, and from it the priority of
each row: 10000 + priority*200 + rank*20 + rule index. Rule: no two rules that can match one packet share a priority;
it stays under OVN's limit of 32767 (10000 + 100*200 + 9*20 + 19 = 30199).
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.problems import Problem

BASE = 10000
PER_PRIORITY = 200
PER_RANK = 20
WINNER = 9
"""The rank of the winner of a tie; ten policies fit."""

HIGHEST = BASE + 100 * PER_PRIORITY + WINNER * PER_RANK + PER_RANK - 1
"""The highest priority that a row of a policy can have."""

_NEVER = "9999"
"""A policy that never was in a cluster has no age: it counts as the youngest."""


class Rank(msgspec.Struct, frozen=True):
    """A policy among those of its namespace that share its priority.

    `rank` is 9 for the winner and None for one that found no room. `tied` counts the others, as far as they fit: so
    that one that comes or goes changes the standing of a few, however many there are. `excess` says which limit it is
    beyond; such a policy takes no part.
    """

    rank: int | None
    tied: int = 0
    excess: Problem | None = None


def standings(policies: Iterable[NetworkQoS]) -> Mapping[str, Rank]:
    """Order the valid policies of one namespace, by key. Of equal priority the older wins, then the name."""
    by_priority: defaultdict[int, list[NetworkQoS]] = defaultdict(list)
    for policy in policies:
        if policy.spec is not None:
            by_priority[policy.spec.priority].append(policy)
    found = {}
    for tied in by_priority.values():
        tied.sort(key=age)
        others = min(len(tied) - 1, WINNER + 1)
        for position, policy in enumerate(tied):
            found[policy.key] = Rank(WINNER - position if position <= WINNER else None, others)
    return found


def age(policy: NetworkQoS) -> tuple[str, str]:
    """Give what policies are sorted by, the oldest first."""
    return policy.created or _NEVER, policy.name


class KeysByAge:
    """The keys of each namespace's objects by age, at a cost that hardly grows with their number."""

    def __init__(self) -> None:
        self._ages: dict[str, tuple[str, ...]] = {}
        self._sorted: dict[str, list[tuple[str, ...]]] = {}

    def put(self, key: str, age: tuple[str, ...] | None) -> None:
        """Take the age of an object as it is now, the oldest has the lowest; None for one that is gone."""
        now = None if age is None else (*age, key)
        before = self._ages.pop(key, None)
        if now is not None:
            self._ages[key] = now
        if before == now:
            return
        namespace = key.partition("/")[0]
        mine = self._sorted.setdefault(namespace, [])
        if before is not None:
            del mine[bisect_left(mine, before)]
        if now is not None:
            insort(mine, now)
        if not mine:
            del self._sorted[namespace]

    def oldest(self, namespace: str, number: int) -> Sequence[str]:
        """Give so many keys of a namespace, the oldest first."""
        return [each[-1] for each in self._sorted.get(namespace, ())[:number]]

    def __len__(self) -> int:
        """Count the namespaces that have any."""
        return len(self._sorted)


def row_priority(priority: int, rank: int, rule: int) -> int:
    """Give the priority of a row; a later rule of a policy wins over an earlier one."""
    return BASE + priority * PER_PRIORITY + rank * PER_RANK + rule


def lowest_limit(policies: Iterable[NetworkQoS], ranks: Mapping[str, Rank]) -> int | None:
    """Give the lowest row priority of a limited rule in one namespace; None if nothing is limited."""
    return min(
        (
            row_priority(policy.spec.priority, rank, index)
            for policy in policies
            if policy.spec is not None and (rank := ranks[policy.key].rank) is not None
            for index, rule in enumerate(policy.spec.egress)
            if rule.limit is not None
        ),
        default=None,
    )
