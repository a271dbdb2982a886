"""Hypothesis strategies of whole cases: a cluster with policies, the settings, and packets at every boundary.

In: nothing; for packets, what the cluster means. Out: `clusters()` (manifests by kind), `settings()` (keyword arguments
of `read_meaning`), `sends(objects, oracle)` (a sender and its packet). The rule: every place where a verdict can change
(the edges of blocks and of their exceptions, pods' addresses, ports, families, protocols) is hit from both sides.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

import attrs
from hypothesis import strategies as st

from tests.oracle.cluster import Sender
from tests.oracle.cluster_strategies import ZONES, Manifest, one_in, pods, surroundings
from tests.oracle.decoded import Object, at, mapping, sequence
from tests.oracle.meaning import Oracle
from tests.oracle.packet import PROTOCOLS, TRANSPORTS, Address, Packet
from tests.oracle.policy_strategies import crowds, policies
from tests.oracle.validity import read_cidr

__all__ = ["Boundaries", "Send", "boundaries", "clusters", "sends", "settings"]


@attrs.frozen
class Send:
    """A packet, with its inport set, and the attachment that sends it."""

    sender: Sender
    packet: Packet


@attrs.frozen
class Boundaries:
    """Where verdicts can change: addresses by family, ports, and the senders that are sources of a policy."""

    addresses: Mapping[int, tuple[Address, ...]]
    ports: tuple[int, ...]
    sources: tuple[Sender, ...]


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, list[Manifest]]:
    """A cluster with policies: decoded manifests by kind. One in twenty has a crowd of tied policies."""
    objects = draw(surroundings())
    objects["Pod"] = draw(pods(objects["NetworkAttachmentDefinition"]))
    if one_in(draw, 20):
        objects["NetworkQoS"] = draw(crowds())
    else:
        objects["NetworkQoS"] = [draw(policies(f"q{number}")) for number in range(draw(st.integers(1, 4)))]
    return objects


def settings() -> st.SearchStrategy[dict[str, str | None]]:
    """The keyword arguments of `read_meaning`."""
    return st.fixed_dictionaries(
        {"zone": st.sampled_from(ZONES), "unselected_networks": st.sampled_from(("all", "default"))}
    )


def boundaries(objects: Mapping[str, Iterable[Object]], oracle: Oracle) -> Boundaries:
    """Every address and port around which a verdict can change, in a fixed order, simplest first."""
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
        {version: tuple(_addresses(version, numbers)) for version, numbers in addresses.items()},
        tuple(sorted(port for port in ports if 0 <= port <= 65535)),
        tuple(sender for sender in oracle.senders if _is_source(sender, oracle)),
    )


@st.composite
def sends(draw: st.DrawFn, oracle: Oracle, around: Boundaries) -> Send:
    """A packet of a sender (there must be one): mostly a source pod, nearly always with an address of its own."""
    sender = draw(st.sampled_from(oracle.senders if one_in(draw, 5) else around.sources or oracle.senders))
    own: Sequence[Address] = sorted(sender.addresses, key=str)
    if not own or one_in(draw, 12):
        own = around.addresses[draw(st.sampled_from((4, 6)))]
    source = draw(st.sampled_from(own))
    protocol = draw(st.sampled_from(PROTOCOLS))
    return Send(
        sender,
        Packet(
            source=source,
            destination=draw(st.sampled_from(around.addresses[source.version])),
            protocol=protocol,
            port=draw(st.sampled_from(around.ports)) if protocol in TRANSPORTS else None,
            inport=sender.port,
        ),
    )


def _is_source(sender: Sender, oracle: Oracle) -> bool:
    found = (policy.sources.get((sender.network, sender.switch)) for policy in oracle.applied.values())
    return any(sources is not None and sender.pod in sources.pods for sources in found)


def _addresses(version: int, numbers: Iterable[int]) -> Iterable[Address]:
    bits = 32 if version == 4 else 128
    for number in sorted(numbers):
        if 0 <= number < 1 << bits:
            yield ip_address(number.to_bytes(bits // 8, "big"))


def _classifiers(objects: Mapping[str, Iterable[Object]]) -> Iterable[Object]:
    for policy in objects.get("NetworkQoS", ()):
        for rule in sequence(policy, "spec", "egress"):
            yield mapping(rule, "classifier")


def _blocks(objects: Mapping[str, Iterable[Object]]) -> Iterable[Object]:
    for classifier in _classifiers(objects):
        for entry in (*sequence(classifier, "to"), *sequence(classifier, "from")):
            yield mapping(entry, "ipBlock")
