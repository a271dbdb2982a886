"""Ranges: which addresses a network has, where that is known.

In: definitions' `subnets`, and for the default network the ranges of all nodes together, so that a virtual machine that
has migrated keeps its address. Out: `Ranges`, asked address by address. Rules: a network whose ranges aren't known has
any address; what ovn-kubernetes itself has of a node's range is no pod's. The ranges of nodes with hybrid-overlay
networking are added to those of the others: alone they don't say which addresses the others' pods have.
"""

import socket  # for inet_pton alone: ten times faster than ipaddress, and no I/O
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import TypeAlias

import msgspec

from nqosd.api.objects import DEFAULT_NETWORK, Node
from nqosd.compiler.network_switches import Networks, switch_subnets

Address = bytes
"""An address as it is on the wire, 4 or 16 bytes; those of one length are in order."""

_BUCKET = {4: 3, 16: 8}
"""How many bytes addresses of one bucket share, by the length of an address: a /24 and a /64."""
RESERVED = 3
"""The first addresses of a node's range, which ovn-kubernetes gives to no pod on the default network: the range's own,
its router's, and that of the node's management port, from which the kubelet probes pods (GetNodeManagementIfAddr of its
go-controller/pkg/util). A range of no more than four has none."""
HYBRID_RESERVED = 2
"""The same of a node with hybrid-overlay networking, which has no management port: its gateway has the second address
(initSelf of go-controller/hybrid-overlay/pkg/controller), and win-overlay gives its pods those from the third on."""


def packed(address: str) -> Address:
    """Give an address as it is on the wire."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def bucket_of(address: Address) -> bytes:
    """Give the first bytes of an address, which its neighbours share."""
    return address[: _BUCKET[len(address)]]


class NodeSubnets(msgspec.Struct, frozen=True):
    """The subnets of the default network: nodes' own, and those of nodes with hybrid-overlay networking."""

    own: tuple[str, ...]
    hybrid: tuple[str, ...] = ()


class Ranges(msgspec.Struct, frozen=True):
    """Addresses in ranges: `lows` and `highs`, both included, are in order, by the length of an address.

    `kept` says of each range how many addresses before it are of the same subnet, and no pod's.
    """

    lows: Mapping[int, list[Address]] = {}
    highs: Mapping[int, list[Address]] = {}
    kept: Mapping[int, list[int]] = {}

    @classmethod
    def of(cls, subnets: Iterable[str] | NodeSubnets) -> "Ranges":
        """Put CIDRs together; those of nodes each without its first addresses."""
        lows: dict[int, list[Address]] = {}
        highs: dict[int, list[Address]] = {}
        kept: dict[int, list[int]] = {}
        for low, high, before in sorted(_all_bounds(subnets)):
            mine, ends = lows.setdefault(len(low), []), highs.setdefault(len(low), [])
            if not ends or high > ends[-1]:  # CIDRs are disjoint, or one is within the other
                mine.append(low)
                ends.append(high)
                kept.setdefault(len(low), []).append(before)
        return cls(lows, highs, kept)

    def __contains__(self, address: Address) -> bool:
        lows = self.lows.get(len(address), ())
        position = bisect_right(lows, address) - 1
        return position >= 0 and address <= self.highs[len(address)][position]

    def __bool__(self) -> bool:
        return bool(self.lows)

    def keeps(self, address: Address) -> bool:
        """Say of an address that isn't in the ranges whether it is one of the first of a subnet, which are no pod's."""
        lows, kept = self.lows.get(len(address), []), self.kept.get(len(address), [])
        position, number = bisect_right(lows, address), int.from_bytes(address)
        following = slice(position, position + RESERVED)  # one address alone may be a range, before the others'
        ahead = zip(lows[following], kept[following], strict=True)
        return any(int.from_bytes(low) - number <= before for low, before in ahead)

    def within(self, bucket: bytes) -> list[tuple[Address, Address, int]]:
        """List the ranges that a bucket has a part in, cut to it, and how many addresses of it are kept before each."""
        size = next(size for size, length in _BUCKET.items() if length == len(bucket))
        first, last = bucket.ljust(size, b"\x00"), bucket.ljust(size, b"\xff")
        lows, highs = self.lows.get(size, []), self.highs.get(size, [])
        position = max(bisect_right(lows, first) - 1, 0)
        found = []
        while position < len(lows) and lows[position] <= last:
            if highs[position] >= first:
                kept = self.kept[size][position] if lows[position] >= first else 0
                found.append((max(lows[position], first), min(highs[position], last), kept))
            position += 1
        return found


ANYTHING = Ranges()
"""The ranges of a network of which none are known."""


Subnets: TypeAlias = Mapping[str, tuple[str, ...]]
"""CIDRs by the name of a network, or of a switch."""


NetworkSubnets: TypeAlias = Mapping[str, tuple[str, ...] | NodeSubnets]
"""The same by the name of a network, of which the default one has its subnets from nodes."""


def network_subnets(networks: Networks, nodes: Mapping[str, Node]) -> NetworkSubnets:
    """Give the subnets of each network where they are known."""
    found: dict[str, tuple[str, ...] | NodeSubnets] = {
        name: network.subnets for name, network in networks.by_name.items() if network.subnets
    }
    own = tuple(cidr for node in nodes.values() for cidr in node.subnets.get(DEFAULT_NETWORK, ()))
    if own:
        hybrid = tuple(cidr for node in nodes.values() for cidr in node.hybrid_subnets)
        found[DEFAULT_NETWORK] = NodeSubnets(own, hybrid)
    return found


def network_ranges(networks: Networks, nodes: Mapping[str, Node]) -> Mapping[str, Ranges]:
    """Give the ranges of each network where they are known."""
    return ranges_of(network_subnets(networks, nodes), {}, {})


def switch_ranges(networks: Networks, nodes: Mapping[str, Node]) -> Mapping[str, Ranges]:
    """Give the ranges that the pods on a switch have their addresses from, by switch, where they are known."""
    return ranges_of(switch_subnets(networks, nodes), {}, {})


def ranges_of(subnets: NetworkSubnets, before: NetworkSubnets, known: Mapping[str, Ranges]) -> Mapping[str, Ranges]:
    """Give the ranges of subnets, name by name; those `known` of the ones `before` are taken where nothing changed."""
    return {name: known[name] if before.get(name) == each else Ranges.of(each) for name, each in subnets.items()}


def _all_bounds(subnets: Iterable[str] | NodeSubnets) -> Iterator[tuple[Address, Address, int]]:
    if isinstance(subnets, NodeSubnets):
        yield from (_bounds(cidr, RESERVED) for cidr in subnets.own)
        yield from (_bounds(cidr, HYBRID_RESERVED) for cidr in subnets.hybrid)
    else:
        yield from (_bounds(cidr, 0) for cidr in subnets)


@lru_cache(maxsize=1 << 15)  # a node's ranges hardly ever change, and all nodes' are put together when one does
def _bounds(cidr: str, reserved: int) -> tuple[Address, Address, int]:
    network = ip_network(cidr)
    kept = reserved if network.num_addresses > RESERVED + 1 else 0
    return (network.network_address + kept).packed, network.broadcast_address.packed, kept
