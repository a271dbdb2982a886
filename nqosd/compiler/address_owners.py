"""Address owners: whose an address is that live pods of several namespaces claim.

In: pods with the addresses that their annotations say. Out: the addresses that count, and those that don't, each with
the reason. Rules: an address counts for the namespace of the oldest pod that claims it on a network, so that a tenant
who writes another's address into a pod takes nothing, and a virtual machine that migrates has both of its pods; for the
oldest few pods of that namespace, so that it passes from a crowd to a crowd at the cost of few; and only within the
network's ranges. `counted` is the definition; `AddressClaims` keeps it up to date at the cost of what changed.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import msgspec

from nqosd.api.objects import Pod
from nqosd.compiler.address_ranges import ANYTHING, Address, Ranges, bucket_of, packed
from nqosd.compiler.pod_addresses import PodAddress

SHARERS = 8
"""Pods of one namespace for which an address on one network counts; a virtual machine that migrates has two."""

Claimant = tuple[str, str]
"""When a pod was created, and its key: the lowest is the oldest."""

Sharers = Callable[[str, str, Address], Sequence[Claimant]]
"""Finds the pods for which an address on a network counts, the oldest first; it is given as it is on the wire, too."""

_YOUNGEST = "9999"
"""A pod that never was in a cluster has no age."""


@attrs.frozen
class Refused:
    """An address of a pod that doesn't count: `owner` is the oldest pod that has it, or empty: it is out of range.

    `in_crowd`: that is one of many of the pod's own namespace. Whoever the owner is, to the pod it is the same.
    `is_kept`: it is one of the first of a node's range, which are no pod's.
    """

    network: str
    address: str
    owner: str = attrs.field(eq=bool)
    in_crowd: bool = attrs.field(default=False, eq=False)
    is_kept: bool = False

    def __str__(self) -> str:
        where = f"{self.address} on network {self.network}"
        if self.in_crowd:
            return f"{where} belongs to {SHARERS} older pods of the namespace already, such as {self.owner}"
        if self.owner:
            return f"{where} belongs to the older pod {self.owner}"
        if self.is_kept:
            return f"{where} is one of the first addresses of a node's range, which no pod has"
        return f"{self.address} is outside of the ranges of network {self.network}"


class Counted(msgspec.Struct, frozen=True):
    """What of a pod's places counts, and what doesn't."""

    places: tuple[PodAddress, ...] = ()
    refused: tuple[Refused, ...] = ()


def counted(
    places: Mapping[str, tuple[PodAddress, ...]], pods: Mapping[str, Pod], ranges: Mapping[str, Ranges]
) -> Mapping[str, Counted]:
    """Say of all pods' places which count, by the pods' keys."""
    claimants: defaultdict[tuple[str, str], list[Claimant]] = defaultdict(list)
    for key, mine in places.items():
        for address in _addresses(mine):
            claimants[address].append(claimant_of(key, pods[key]))
    sharers = {address: _sharers(sorted(each)) for address, each in claimants.items()}
    return {key: _count(key, mine, ranges, lambda *where: sharers[where[:2]]) for key, mine in places.items()}


def claimant_of(key: str, pod: Pod) -> Claimant:
    """Give a pod as it claims its addresses."""
    return (pod.created or _YOUNGEST, key)


class AddressClaims:
    """All claims, pod by pod."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[Claimant, tuple[PodAddress, ...]]] = {}
        self._oldest: dict[str, dict[bytes, dict[str, Claimant]]] = {}
        self.shared: dict[tuple[str, str], dict[str, list[Claimant]]] = {}
        """All claimants of an address that has several, by namespace, each the oldest first."""

    def __len__(self) -> int:
        return len(self._claims) + len(self._oldest) + len(self.shared)

    def take(self, key: str, claimant: Claimant | None, places: tuple[PodAddress, ...]) -> set[str]:
        """Take a pod's places, and None where it is gone; gives other pods of which other places may count now."""
        former, before = self._claims.pop(key, (None, ()))
        if claimant is not None and places:
            self._claims[key] = (claimant, places)
        if former == claimant and before == places:
            return set()
        old, new = _addresses(before) if before else set(), _addresses(places)
        affected: set[str] = set()
        for network, address in old:
            if former is not None and (former != claimant or (network, address) not in new):
                affected |= self._release(network, address, former)
        for network, address in new:
            if claimant is not None and (former != claimant or (network, address) not in old):
                affected |= self._claim(network, address, claimant)
        return affected - {key}

    def concerned(self, key: str, places: tuple[PodAddress, ...]) -> int:
        """Say at most of how many other pods, again for each address, something else counts if a pod has these places.

        Where an address passes to another namespace, these are all for which it counted and will count.
        """
        _claimant, before = self._claims.get(key, (None, ()))
        shared = (self.shared.get(each, {}) for each in _addresses(before) ^ _addresses(places))
        return sum(min(2 * SHARERS, sum(map(len, each.values()))) for each in shared)

    def count(self, key: str, ranges: Mapping[str, Ranges]) -> Counted:
        """Say which of a pod's places count."""
        _claimant, places = self._claims.get(key, (None, ()))
        return _count(key, places, ranges, self._sharers)

    def moved(self, network: str, before: Ranges, after: Ranges) -> dict[str, None]:
        """Give the pods with addresses in parts of a network's ranges that came or went."""
        found: dict[str, None] = {}
        for bucket, owners in self._oldest.get(network, {}).items():
            if bool(before) == bool(after) and before.within(bucket) == after.within(bucket):
                continue
            for address, owner in owners.items():
                shared = self.shared.get((network, address), {"": [owner]})
                found |= dict.fromkeys(key for mine in shared.values() for _created, key in mine)
        return found

    def _sharers(self, network: str, address: str, wire: Address) -> Sequence[Claimant]:
        owner = self._oldest[network][bucket_of(wire)][address]
        if not self.shared or (shared := self.shared.get((network, address))) is None:
            return (owner,)
        return shared[_namespace(owner)][:SHARERS]

    def _claim(self, network: str, address: str, claimant: Claimant) -> set[str]:
        wire = packed(address)
        owners = self._oldest.setdefault(network, {}).setdefault(bucket_of(wire), {})
        owner = owners.setdefault(address, claimant)
        if owner is claimant:
            return set()
        before = self._sharers(network, address, wire)
        shared = self.shared.setdefault((network, address), {})
        if not shared:
            shared[_namespace(owner)] = [owner]
        insort(shared.setdefault(_namespace(claimant), []), claimant)
        owners[address] = min(owner, claimant)
        return _others(before, self._sharers(network, address, wire))

    def _release(self, network: str, address: str, claimant: Claimant) -> set[str]:
        wire = packed(address)
        buckets, shared = self._oldest[network], self.shared.get((network, address))
        owners = buckets[bucket_of(wire)]
        if shared is None:
            del owners[address]
            if not owners:
                del buckets[bucket_of(wire)]
            if not buckets:
                del self._oldest[network]
            return set()
        before = self._sharers(network, address, wire)
        mine = shared[_namespace(claimant)]
        del mine[bisect_left(mine, claimant)]
        if not mine:
            del shared[_namespace(claimant)]
        owners[address] = min(each[0] for each in shared.values())
        after = self._sharers(network, address, wire)
        if sum(map(len, shared.values())) == 1:
            del self.shared[network, address]
        return _others(before, after)


def _others(before: Iterable[Claimant], after: Iterable[Claimant]) -> set[str]:
    """Give the pods for which an address began or ceased to count.

    For all others it counts as before; who lost it to one pod isn't told when it passes to another.
    """
    return {key for _created, key in set(before) ^ set(after)}


def _sharers(claimants: Sequence[Claimant]) -> Sequence[Claimant]:
    """Give those of some claimants, the oldest first, for which an address counts."""
    mine = [each for each in claimants if _namespace(each) == _namespace(claimants[0])]
    return mine[:SHARERS]


def _namespace(claimant: Claimant) -> str:
    return claimant[1].partition("/")[0]


def _addresses(places: Iterable[PodAddress]) -> set[tuple[str, str]]:
    return {(place.network, place.member) for place in places if place.family is not None}


def _count(key: str, places: tuple[PodAddress, ...], ranges: Mapping[str, Ranges], sharers: Sharers) -> Counted:
    refused = []
    for place in places:
        if place.family is not None:
            network, address, wire = place.network, place.member, packed(place.member)
            known = ranges.get(network, ANYTHING)
            if known and wire not in known:
                refused.append(Refused(network, address, "", is_kept=known.keeps(wire)))
                continue
            mine = sharers(network, address, wire)
            if mine[0][1] != key and all(claimant[1] != key for claimant in mine):
                refused.append(Refused(network, address, mine[0][1], _namespace(mine[0]) == key.partition("/")[0]))
    if not refused:
        return Counted(places)
    out = {(each.network, each.address) for each in refused}
    return Counted(tuple(each for each in places if (each.network, each.member) not in out), tuple(refused))
