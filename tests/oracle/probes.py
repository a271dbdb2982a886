"""Packets that hit every place where a verdict can change, from both sides.

In: a cluster's manifests and what they mean, and a way to pick one of several. Out: a sender and its packet. The rule:
half of the packets are aimed at one edge of one rule, and go through the middle of its other parts, so that it shows
what happens at the edge; the other half doesn't ask the oracle where edges are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from random import Random
from typing import Protocol, TypeVar

import attrs

from tests.oracle.cluster import Sender
from tests.oracle.decoded import Object, at, mapping, sequence
from tests.oracle.meaning import Oracle
from tests.oracle.packet import PROTOCOLS, TRANSPORTS, Address, Packet
from tests.oracle.rules import Block, Members, Rule
from tests.oracle.validity import read_cidr

T = TypeVar("T")


class Pick(Protocol):
    """Picks one of several, as `random.choice` does; the first one is the simplest."""

    def __call__(self, options: Sequence[T], /) -> T:
        """One of the options, of which there is at least one."""


@attrs.frozen
class Send:
    """A packet, with its inport set, and the attachment that sends it."""

    sender: Sender
    packet: Packet


@attrs.frozen
class Boundaries:
    """Where verdicts can change in a cluster.

    Args:
        addresses: by family: the edges of every block and exception, and every pod's address, with their neighbours
        ports: every port of a rule with its neighbours, and the ends
        sources: the senders that are sources of a policy
    """

    addresses: Mapping[int, tuple[Address, ...]]
    ports: tuple[int, ...]
    sources: tuple[Sender, ...]


def boundaries(objects: Mapping[str, Iterable[Object]], oracle: Oracle) -> Boundaries:
    """Find them in the manifests, in a fixed order."""
    addresses: dict[int, set[int]] = {4: {0, (1 << 32) - 1}, 6: {0, (1 << 128) - 1}}
    ports = {0, 443, 65535}
    for block in _blocks(objects):
        for cidr in (block.get("cidr"), *sequence(block, "except")):
            network = read_cidr(cidr)
            if network is not None:
                first, last = int(network.network_address), int(network.broadcast_address)
                addresses[network.version] |= {first - 1, first, last, last + 1}
    for pod in oracle.cluster.pods.values():
        for attachment in pod.attachments.values():
            for address in attachment.addresses:
                addresses[address.version] |= {int(address) - 1, int(address), int(address) + 1}
    for classifier in _classifiers(objects):
        for entry in sequence(classifier, "ports"):
            port = at(entry, "port")
            if isinstance(port, int):
                ports |= {port - 1, port, port + 1}
    return Boundaries(
        {version: _addresses(version, numbers) for version, numbers in addresses.items()},
        tuple(sorted(port for port in ports if 0 <= port <= 65535)),
        tuple(sender for sender in oracle.senders if _rules_of(sender, oracle)),
    )


def probes(oracle: Oracle, around: Boundaries, random: Random, count: int) -> Iterator[Send]:
    """Some packets, as many as `count`, or none where nothing can send."""
    return (probe(oracle, around, random.choice) for _ in range(count if oracle.senders else 0))


def probe(oracle: Oracle, around: Boundaries, pick: Pick) -> Send:
    """A packet of a sender (there must be one): mostly a source pod, nearly always with an address of its own."""
    sender = pick(oracle.senders if not around.sources or _once_in(pick, 6) else around.sources)
    own: Sequence[Address] = sorted(sender.addresses, key=int)
    if not own or _once_in(pick, 12):
        own = around.addresses[pick((4, 6))]
    source, protocol, port = pick(own), pick(PROTOCOLS), pick(around.ports)
    destination = pick(around.addresses[source.version])
    rules = _rules_of(sender, oracle)
    if rules and _once_in(pick, 2):
        rule = pick(rules)
        welcome = [address for address in own if any(entry.covers(address) for entry in rule.from_)]
        source = pick(welcome) if welcome and not _once_in(pick, 6) else source
        destination = pick(_edges(rule, source.version) or around.addresses[source.version])
        if rule.ports and not _once_in(pick, 6):
            entry = pick(rule.ports)
            protocol, port = entry.protocol, pick([near for near in _near(entry.ports) if near in range(65536)])
    return Send(
        sender, Packet(source, destination, protocol, port if protocol in TRANSPORTS else None, inport=sender.port)
    )


def _once_in(pick: Pick, times: int) -> bool:
    return pick(range(times)) == times - 1


def _rules_of(sender: Sender, oracle: Oracle) -> list[Rule]:
    place = (sender.network, sender.switch)
    return [
        rule
        for policy in oracle.applied.values()
        if place in policy.sources and sender.pod in policy.sources[place].pods
        for rule in policy.rules[sender.network]
    ]


def _edges(rule: Rule, version: int) -> tuple[Address, ...]:
    """The addresses of a family at which entries of `to` begin or end to match."""
    numbers: set[int] = set()
    for entry in rule.to:
        if isinstance(entry, Block) and entry.version == version:
            for first, last in ((entry.first, entry.last), *entry.excepted):
                numbers |= {first - 1, first, last, last + 1}
        elif isinstance(entry, Members):
            numbers |= {int(address) for address in entry.addresses if address.version == version}
    return _addresses(version, numbers)


def _near(ports: range) -> tuple[int, ...]:
    return (ports.start, ports.start, ports.start - 1, ports.stop - 1, ports.stop)


def _addresses(version: int, numbers: Iterable[int]) -> tuple[Address, ...]:
    bits = 32 if version == 4 else 128
    return tuple(ip_address(number.to_bytes(bits // 8, "big")) for number in sorted(numbers) if 0 <= number < 1 << bits)


def _classifiers(objects: Mapping[str, Iterable[Object]]) -> Iterator[Object]:
    for policy in objects.get("NetworkQoS", ()):
        for rule in sequence(policy, "spec", "egress"):
            yield mapping(rule, "classifier")


def _blocks(objects: Mapping[str, Iterable[Object]]) -> Iterator[Object]:
    for classifier in _classifiers(objects):
        for entry in (*sequence(classifier, "to"), *sequence(classifier, "from")):
            yield mapping(entry, "ipBlock")
