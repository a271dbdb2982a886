"""Networks: what the attachment definitions render, which switches carry them, and which of them a policy selects.

In: the tables of definitions, user-defined networks, namespaces and nodes. Out: `Networks`, a frozen picture, and the
ranges of addresses behind each switch. Rule: a selection picks networks, by name; a pod that reaches a network through
another definition of it is on it all the same.
"""

from collections.abc import Iterable, Mapping

import attrs

from nqosd.api.labels import Labels
from nqosd.api.networkqos import NetworkQoSSpec, NetworkSelectionType, NetworkSelector
from nqosd.api.objects import DEFAULT_NETWORK, NetworkAttachment, Node, Role, Topology, UserDefinedNetwork
from nqosd.cache.selections import namespace_labels
from nqosd.cache.tables import Tables
from nqosd.compiler.desired import Direction

_FLAT_SWITCH = {Topology.LAYER2: "ovn_layer2_switch", Topology.LOCALNET: "ovn_localnet_switch"}


@attrs.frozen
class Network:
    """A network as OVN has it. Switch names are ovn-kubernetes' convention."""

    name: str
    topology: Topology = Topology.LAYER3
    role: Role = Role.PRIMARY
    subnets: tuple[str, ...] = ()

    def switch(self, node: str) -> str:
        """Name the logical switch that pods of a node are on."""
        if self.name == DEFAULT_NETWORK:
            return node
        prefix = self.name.replace("-", ".").replace("/", ".")
        return f"{prefix}_{_FLAT_SWITCH.get(self.topology, node)}"

    @property
    def direction(self) -> Direction:
        """Where a row marks and limits at the source chassis for all traffic.

        Measured: on layer3 to-lport does, and sees what load balancing chose; on flat networks only from-lport does.
        """
        return Direction.TO_LPORT if self.topology is Topology.LAYER3 else Direction.FROM_LPORT

    def way_back(self, switch: str) -> str | None:
        """Name the port by which packets of a switch's own pods may come back to it; None where none do.

        From a router, or on localnet networks from the underlay, to which all nodes' parts of the switch are connected.
        """
        if self.topology is Topology.LOCALNET:
            return switch.removesuffix(_FLAT_SWITCH[Topology.LOCALNET]) + "ovn_localnet_port"
        has_router = self.topology is Topology.LAYER3 or self.role is Role.PRIMARY
        return f"stor-{switch}" if has_router else None


@attrs.frozen
class Networks:
    """All networks by name, and the network that each attachment definition renders."""

    by_name: Mapping[str, Network]
    by_nad: Mapping[str, str]

    @classmethod
    def of(cls, attachments: Mapping[str, NetworkAttachment]) -> "Networks":
        """Derive the networks; where definitions of one network disagree, the first by key decides."""
        by_name = {DEFAULT_NETWORK: Network(DEFAULT_NETWORK)}
        by_nad = {DEFAULT_NETWORK: DEFAULT_NETWORK}
        for key, nad in sorted(attachments.items()):
            if nad.network:
                by_nad[key] = nad.network
                by_name.setdefault(nad.network, Network(nad.network, nad.topology, nad.role, nad.subnets))
        return cls(by_name, by_nad)

    def at(self, nad: str) -> Network | None:
        """Find the network behind an attachment; None while its definition isn't there or isn't ovn-kubernetes'."""
        name = self.by_nad.get(nad)
        return None if name is None else self.by_name[name]

    def selected(self, spec: NetworkQoSSpec, tables: Tables, *, any_network: bool) -> frozenset[str] | None:
        """Name the networks that a policy selects; None means all of them."""
        if not spec.network_selectors:
            return None if any_network else frozenset({DEFAULT_NETWORK})
        names = (self._selected_by(selector, tables) for selector in spec.network_selectors)
        return frozenset(name for each in names for name in each)

    def _selected_by(self, selector: NetworkSelector, tables: Tables) -> Iterable[str]:
        if selector.type is NetworkSelectionType.DEFAULT_NETWORK:
            return (DEFAULT_NETWORK,)
        nads = (nad for nad in tables.attachments.values() if nad.network)
        return (nad.network for nad in nads if _is_selected(nad, selector, tables))


def switch_subnets(networks: Networks, nodes: Mapping[str, Node]) -> Mapping[str, tuple[str, ...]]:
    """Give the ranges that the pods on a switch have their addresses from, by switch, where they are known."""
    flat = {
        network.switch(""): network.subnets
        for network in networks.by_name.values()
        if network.topology is not Topology.LAYER3 and network.subnets
    }
    layered = {
        network.switch(node.name): subnets
        for node in nodes.values()
        for name, subnets in node.subnets.items()
        if (network := networks.by_name.get(name)) is not None and network.topology is Topology.LAYER3
    }
    return flat | layered


def _is_selected(nad: NetworkAttachment, selector: NetworkSelector, tables: Tables) -> bool:
    in_scope = selector.namespaces.matches(namespace_labels(nad.namespace, tables.namespaces))
    match selector.type:
        case NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS:
            return in_scope and selector.networks.matches(nad.labels)
        case NetworkSelectionType.CLUSTER_USER_DEFINED_NETWORKS:
            owned = nad.owner_kind == "ClusterUserDefinedNetwork"
            return owned and selector.networks.matches(_owner_labels(nad, nad.owner_name, tables.user_networks))
        case NetworkSelectionType.PRIMARY_USER_DEFINED_NETWORKS:
            return in_scope and nad.role is Role.PRIMARY
        case NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS:
            owned = nad.owner_kind == "UserDefinedNetwork" and nad.role is Role.SECONDARY
            owner = f"{nad.namespace}/{nad.owner_name}"
            return in_scope and owned and selector.networks.matches(_owner_labels(nad, owner, tables.user_networks))
        case NetworkSelectionType.DEFAULT_NETWORK:
            return False


def _owner_labels(nad: NetworkAttachment, owner: str, user_networks: Mapping[str, UserDefinedNetwork]) -> Labels:
    """Give the labels of the user-defined network behind a definition, which carries a copy of them."""
    known = user_networks.get(owner)
    return known.labels if known is not None else nad.labels
