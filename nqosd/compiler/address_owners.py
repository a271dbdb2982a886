"""Address owners: whose an address is that live pods of several namespaces claim.

In: pods with the addresses that their annotations say. Out: the addresses that count, and those that don't, each with
the reason. Rules: an address counts for the namespace of the oldest pod that claims it on a network, so that a tenant
who writes another's address into a pod takes nothing, and a virtual machine that migrates has both of its pods; and
only within the network's ranges. `counted` is the definition; `AddressClaims` keeps it up to date at the cost of what
changed.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping

import attrs

from nqosd.api.objects import Pod
from nqosd.compiler.address_ranges import ANYTHING, Address, Ranges, bucket_of, packed
from nqosd.compiler.pod_addresses import PodAddress

Claimant = tuple[str, str]
"""When a pod was created, and its key: the lowest is the oldest."""

Owner = Callable[[str, str, Address], Claimant]
"""Finds the oldest pod that claims an address on a network; the address is given as it is on the wire, too."""

_YOUNGEST = "9999"
"""A pod that never was in a cluster has no age."""


@attrs.frozen
class Refused:
    """An address of a pod that doesn't count: `owner` is the older pod that has it, or empty: it is out of range."""

    network: str
    address: str
    owner: str

    def __str__(self) -> str:
        if self.owner:
            return f"{self.address} on network {self.network} belongs to the older pod {self.owner}"
        return f"{self.address} is outside of the ranges of network {self.network}"


@attrs.frozen
class Counted:
    """What of a pod's places counts, and what doesn't."""

    places: tuple[PodAddress, ...] = ()
    refused: tuple[Refused, ...] = ()


def counted(
    places: Mapping[str, tuple[PodAddress, ...]], pods: Mapping[str, Pod], ranges: Mapping[str, Ranges]
) -> Mapping[str, Counted]:
    """Say of all pods' places which count, by the pods' keys."""
    owners: dict[tuple[str, str], Claimant] = {}
    for key, mine in places.items():
        claimant = claimant_of(key, pods[key])
        for network, address in _addresses(mine):
            owners[network, address] = min(claimant, owners.get((network, address), claimant))
    owner: Owner = lambda network, address, _packed: owners[network, address]  # noqa: E731 - as `Claims` has one
    return {key: _count(key, mine, ranges, owner) for key, mine in places.items()}


def claimant_of(key: str, pod: Pod) -> Claimant:
    """Give a pod as it claims its addresses."""
    return (pod.created or _YOUNGEST, key)


class AddressClaims:
    """All claims, pod by pod."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[Claimant, tuple[PodAddress, ...]]] = {}
        self._oldest: dict[str, dict[bytes, dict[str, Claimant]]] = {}
        self._younger: dict[tuple[str, str], list[Claimant]] = {}

    def __len__(self) -> int:
        return len(self._claims) + len(self._oldest) + len(self._younger)

    def take(self, key: str, claimant: Claimant | None, places: tuple[PodAddress, ...]) -> set[str]:
        """Take a pod's places, and None where it is gone; gives other pods of which other places may count now."""
        former, before = self._claims.pop(key, (None, ()))
        if claimant is not None and places:
            self._claims[key] = (claimant, places)
        if former == claimant and before == places:
            return set()
        old, new = set(_addresses(before)), set(_addresses(places))
        affected: set[str] = set()
        for network, address in old:
            if former is not None and (former != claimant or (network, address) not in new):
                affected |= self._release(network, address, former)
        for network, address in new:
            if claimant is not None and (former != claimant or (network, address) not in old):
                affected |= self._claim(network, address, claimant)
        return affected - {key}

    def count(self, key: str, ranges: Mapping[str, Ranges]) -> Counted:
        """Say which of a pod's places count."""
        _claimant, places = self._claims.get(key, (None, ()))
        return _count(key, places, ranges, self._owner)

    def moved(self, network: str, before: Ranges, after: Ranges) -> dict[str, None]:
        """Give the pods with addresses in parts of a network's ranges that came or went."""
        found: dict[str, None] = {}
        for bucket, owners in self._oldest.get(network, {}).items():
            if bool(before) == bool(after) and before.within(bucket) == after.within(bucket):
                continue
            for address, owner in owners.items():
                found |= dict.fromkeys(key for _created, key in (owner, *self._younger.get((network, address), ())))
        return found

    def _owner(self, network: str, address: str, wire: Address) -> Claimant:
        return self._oldest[network][bucket_of(wire)][address]

    def _claim(self, network: str, address: str, claimant: Claimant) -> set[str]:
        owners = self._oldest.setdefault(network, {}).setdefault(bucket_of(packed(address)), {})
        owner = owners.setdefault(address, claimant)
        if owner is claimant:
            return set()
        owners[address] = min(owner, claimant)
        insort(self._younger.setdefault((network, address), []), max(owner, claimant))
        return self._passed(network, address, owner, owners[address])

    def _release(self, network: str, address: str, claimant: Claimant) -> set[str]:
        buckets = self._oldest[network]
        bucket = bucket_of(packed(address))
        owners, younger = buckets[bucket], self._younger.get((network, address), [])
        affected: set[str] = set()
        if owners[address] != claimant:
            del younger[bisect_left(younger, claimant)]
        elif younger:
            owners[address] = younger.pop(0)
            affected = self._passed(network, address, claimant, owners[address])
        else:
            del owners[address]
            if not owners:
                del buckets[bucket]
            if not buckets:
                del self._oldest[network]
        if not younger:
            self._younger.pop((network, address), None)
        return affected

    def _passed(self, network: str, address: str, before: Claimant, after: Claimant) -> set[str]:
        """Give the pods that are concerned when an address has another owner.

        Those of one namespace share it, whoever of them is its owner; all others are told who that is.
        """
        if before == after:
            return set()
        namespace = _namespace(after) if _namespace(before) == _namespace(after) else None
        claimants = (after, *self._younger.get((network, address), ()))
        return {each[1] for each in claimants if _namespace(each) != namespace}


def _namespace(claimant: Claimant) -> str:
    return claimant[1].partition("/")[0]


def _addresses(places: Iterable[PodAddress]) -> list[tuple[str, str]]:
    return [(place.network, place.member) for place in places if place.family is not None]


def _count(key: str, places: tuple[PodAddress, ...], ranges: Mapping[str, Ranges], owner: Owner) -> Counted:
    refused = []
    for place in places:
        if place.family is not None:
            network, address, wire = place.network, place.member, packed(place.member)
            known = ranges.get(network, ANYTHING)
            if known and wire not in known:
                refused.append(Refused(network, address, ""))
                continue
            claimant = owner(network, address, wire)
            if claimant[1] != key and _namespace(claimant) != key.partition("/")[0]:
                refused.append(Refused(network, address, claimant[1]))
    if not refused:
        return Counted(places)
    out = {(each.network, each.address) for each in refused}
    return Counted(tuple(each for each in places if (each.network, each.member) not in out), tuple(refused))
