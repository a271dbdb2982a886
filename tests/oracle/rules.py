"""The rules of a policy on one network: what each matches, and what it does.

In: a valid, decoded egress rule, and the addresses that its pod selectors mean on that network. Out: a `Rule` that
answers for a packet. The rule: all parts that are given must match, and within a part any entry will do.
"""

from collections.abc import Callable

import attrs

from tests.oracle.decoded import Object, at, mapping, sequence
from tests.oracle.packet import TRANSPORTS, Address, Packet
from tests.oracle.validity import read_cidr

PeerAddresses = Callable[[Object], frozenset[Address]]
"""From an entry with podSelector or namespaceSelector to the addresses of the pods that it selects."""

_EVERY_PORT = range(65536)


@attrs.frozen
class Block:
    """An ipBlock: the addresses of one family from `first` to `last`, as integers, without some ranges of them."""

    version: int
    first: int
    last: int
    excepted: tuple[tuple[int, int], ...]

    def covers(self, address: Address) -> bool:
        """Whether an address is in it."""
        number = int(address)
        return (
            address.version == self.version
            and self.first <= number <= self.last
            and not any(first <= number <= last for first, last in self.excepted)
        )


@attrs.frozen
class Members:
    """The addresses of selected pods."""

    addresses: frozenset[Address]

    def covers(self, address: Address) -> bool:
        """Whether an address is one of them."""
        return address in self.addresses


@attrs.frozen
class Anything:
    """Every address of both families."""

    def covers(self, address: Address) -> bool:
        """Whether an address is an address."""
        return address.version in (4, 6)


Entry = Block | Members | Anything


@attrs.frozen
class Ports:
    """One entry of `ports`: a protocol in lower case and its ports."""

    protocol: str
    ports: range

    def covers(self, packet: Packet) -> bool:
        """Whether a packet has that protocol and goes to one of those ports."""
        return packet.protocol == self.protocol and packet.port in self.ports


@attrs.frozen
class Rule:
    """One egress rule on one network. An empty part doesn't restrict.

    Args:
        to: by destination
        from_: by source address
        ports: by protocol and destination port
        dscp: 0..63
        rate: kbps, None for no limit
        burst: kilobits, None for none; never without a rate
    """

    to: tuple[Entry, ...]
    from_: tuple[Entry, ...]
    ports: tuple[Ports, ...]
    dscp: int
    rate: int | None
    burst: int | None

    def matches(self, packet: Packet) -> bool:
        """Whether it matches a packet of one of the policy's sources."""
        return (
            (not self.ports or any(entry.covers(packet) for entry in self.ports))
            and (not self.to or any(entry.covers(packet.destination) for entry in self.to))
            and (not self.from_ or any(entry.covers(packet.source) for entry in self.from_))
        )


def read_rule(rule: Object, peers: PeerAddresses) -> Rule:
    """Read a valid egress rule."""
    classifier = mapping(rule, "classifier")
    rate = _number(at(rule, "bandwidth", "rate"))
    return Rule(
        to=tuple(_read_entry(mapping(entry), peers) for entry in sequence(classifier, "to")),
        from_=tuple(_read_entry(mapping(entry), peers) for entry in sequence(classifier, "from")),
        ports=tuple(_read_ports(mapping(entry)) for entry in sequence(classifier, "ports")),
        dscp=_number(rule.get("dscp")) or 0,
        rate=rate,
        burst=None if rate is None else _number(at(rule, "bandwidth", "burst")),
    )


def _read_entry(entry: Object, peers: PeerAddresses) -> Entry:
    if entry.get("ipBlock") is not None:
        return _read_block(mapping(entry, "ipBlock"))
    if entry.get("podSelector") is None and entry.get("namespaceSelector") is None:
        return Anything()
    return Members(peers(entry))


def _read_block(block: Object) -> Block:
    whole = read_cidr(block.get("cidr"))
    parts = [read_cidr(part) for part in sequence(block, "except")]
    if whole is None:
        raise ValueError(f"ipBlock {block}: validate the policy before asking what it means")
    return Block(
        version=whole.version,
        first=int(whole.network_address),
        last=int(whole.broadcast_address),
        excepted=tuple((int(part.network_address), int(part.broadcast_address)) for part in parts if part is not None),
    )


def _read_ports(entry: Object) -> Ports:
    protocol, port = entry.get("protocol") or "TCP", _number(entry.get("port"))
    lower = str(protocol).lower()
    if lower not in TRANSPORTS:
        raise ValueError(f"ports entry {entry}: validate the policy before asking what it means")
    return Ports(lower, _EVERY_PORT if port is None else range(port, port + 1))


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
