"""Pod addresses: where a pod's traffic enters OVN and by what it is known there.

In: a pod, the networks, the zone. Out: one `PodAddress` for each address, or each logical port of an attachment that
has none. Rule: a pod that is on the host network, has ended or isn't scheduled has none at all.
"""

from collections.abc import Iterator, Mapping

import msgspec

from nqosd.api.objects import Attachment, Node, Pod, Topology
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.address_ranges import Ranges, packed
from nqosd.compiler.desired import Family
from nqosd.compiler.network_switches import Networks


def is_of_zone(node: Node, name: str) -> bool:
    """Say whether a node is of a zone, which has a name: the node's own or that of its annotation."""
    return bool(name) and name in (node.name, node.zone)


class Zone(msgspec.Struct, frozen=True):
    """Which nodes belong to the database; None means all of them, none at all that the zone's nodes aren't known.

    `hybrid` are the nodes of the cluster that have no logical switch, so that their pods are no senders.
    """

    nodes: frozenset[str] | None = None
    hybrid: frozenset[str] = frozenset()

    @classmethod
    def of(cls, name: str, nodes: Mapping[str, Node]) -> "Zone":
        """Find the nodes of a zone: those that have its name or its annotation; without a name, all."""
        hybrid = frozenset(node.name for node in nodes.values() if node.is_hybrid)
        if not name:
            return cls(None, hybrid)
        return cls(frozenset(node.name for node in nodes.values() if is_of_zone(node, name)), hybrid)

    @property
    def is_empty(self) -> bool:
        """Whether no node is known to belong to the database, so that nobody can say whose pods are senders there."""
        return self.nodes is not None and not self.nodes

    def __contains__(self, node: str) -> bool:
        return bool(node) and node not in self.hybrid and (self.nodes is None or node in self.nodes)


class PodAddress(msgspec.Struct, frozen=True):
    """One address of a pod on a network, or (family None) the logical port of an attachment without addresses.

    `switch` is empty where the pod is no source in this zone: it is scheduled elsewhere. `node` is
    where it is scheduled, and empty where that doesn't matter: the database is for the whole cluster. `is_outside`: the
    address is outside of the ranges of its switch, or they aren't known. `is_locked`: it is for the kubelet alone.
    """

    network: str
    switch: str
    family: Family | None
    member: str
    node: str = ""
    is_outside: bool = False
    is_locked: bool = False

    def is_of(self, selection: PodSelection) -> bool:
        """Say whether a selection of its pod includes it."""
        return not self.is_locked or selection.role is not SelectionUse.SOURCE


def places(pod: Pod, networks: Networks, zone: Zone, ranges: Mapping[str, Ranges]) -> tuple[PodAddress, ...]:
    """List the places of a pod; `ranges` are those of each switch."""
    if pod.host_network or pod.ended or not pod.node:
        return ()
    return tuple(dict.fromkeys(_places(pod, networks, zone, ranges)))


def _places(pod: Pod, networks: Networks, zone: Zone, ranges: Mapping[str, Ranges]) -> Iterator[PodAddress]:
    is_source = pod.node in zone
    node = "" if zone.nodes is None or pod.node in zone.hybrid else pod.node
    nad, network, switch, known = "", None, "", None
    for attachment in pod.attachments:
        if (mine := attachment.nad) != nad:  # a pod may have dozens of one definition
            nad = mine
            network = networks.at(nad)
            switch = network.switch(pod.node) if network is not None and is_source else ""
            known = ranges.get(switch)
        if network is None:
            continue
        for address in attachment.addresses:
            family = Family.IP6 if ":" in address else Family.IP4
            is_outside = is_source and (known is None or packed(address) not in known)
            yield PodAddress(network.name, switch, family, address, node, is_outside, attachment.is_locked)
        if not attachment.addresses and network.topology is not Topology.LAYER3:
            yield PodAddress(network.name, switch, None, logical_port(pod, attachment), node)


def logical_port(pod: Pod, attachment: Attachment) -> str:
    """Name the port as ovn-kubernetes does on user-defined networks."""
    prefix = attachment.key.replace("-", ".").replace("/", ".")
    return f"{prefix}_{pod.namespace}_{pod.name}"
