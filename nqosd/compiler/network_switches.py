"""Networks: what the attachment definitions render, which switches carry them, and which of them a policy selects.

In: the tables of definitions, user-defined networks, namespaces and nodes. Out: `Networks`, a frozen picture, and the
ranges of addresses behind each switch. Rules: a selection picks networks, by name; a pod that reaches a network through
another definition of it is on it all the same. Nobody redefines a network that somebody else has.
"""

from collections.abc import Iterable, Mapping

import attrs

from nqosd.api.labels import Labels
from nqosd.api.networkqos import NetworkQoSSpec, NetworkSelectionType, NetworkSelector
from nqosd.api.objects import DEFAULT_NETWORK, NetworkAttachment, NetworkRole, Node, Topology, UserDefinedNetwork
from nqosd.cache.selections import namespace_labels
from nqosd.cache.tables import Tables
from nqosd.compiler.desired import Direction

_YOUNGEST = "9999"
"""A definition that never was in a cluster has no age."""
_ANY_NODE = "<node>"
_FLAT_SWITCH = {Topology.LAYER2: "ovn_layer2_switch", Topology.LOCALNET: "ovn_localnet_switch"}


@attrs.frozen
class Network:
    """A network as OVN has it. Switch names are ovn-kubernetes' convention."""

    name: str
    topology: Topology = Topology.LAYER3
    role: NetworkRole = NetworkRole.PRIMARY
    subnets: tuple[str, ...] = ()

    def switch(self, node: str) -> str:
        """Name the logical switch that pods of a node are on."""
        if self.name == DEFAULT_NETWORK:
            return node
        return f"{_prefix(self.name)}{_FLAT_SWITCH.get(self.topology, node)}"

    @property
    def switches(self) -> tuple[str, ...]:
        """Name what no other network may have: its prefix, and the switches of nodes that begin with it.

        A primary network has one switch to the outside on each node, too.
        """
        prefix = _prefix(self.name)
        of_nodes = (f"{prefix}{_ANY_NODE}",) if self.topology is Topology.LAYER3 else ()
        outside = (f"ext_{prefix}{_ANY_NODE}",) if self.role is NetworkRole.PRIMARY else ()
        return (prefix, *of_nodes, *outside)

    @property
    def direction(self) -> Direction:
        """Where a row marks and limits at the source chassis for all traffic.

        Measured: on layer3 to-lport does, and sees what load balancing chose; on flat networks only from-lport does.
        """
        return Direction.TO_LPORT if self.topology is Topology.LAYER3 else Direction.FROM_LPORT


@attrs.frozen
class Networks:
    """All networks by name, the network that each definition renders, and why some of them are ignored, by key."""

    by_name: Mapping[str, Network]
    by_nad: Mapping[str, str]
    ignored: Mapping[str, str]

    @classmethod
    def of(cls, attachments: Mapping[str, NetworkAttachment]) -> "Networks":
        """Derive the networks. Of definitions that disagree those count that ovn-kubernetes accepted, then the older.

        Networks of different names can have the same switches: they disagree as well.
        """
        default = Network(DEFAULT_NETWORK)
        by_name, by_nad, ignored = {DEFAULT_NETWORK: default}, {DEFAULT_NETWORK: DEFAULT_NETWORK}, {}
        taken = dict.fromkeys(default.switches, (default, ""))
        for key, nad in sorted(attachments.items(), key=_precedence):
            if not nad.network:
                continue
            network = Network(nad.network, nad.topology, nad.role, nad.subnets)
            other, first = next((taken[each] for each in network.switches if each in taken), (network, key))
            if network != other:
                ignored[key] = _disagreement(network, other, first)
                continue
            by_nad[key] = nad.network
            by_name[nad.network] = network
            taken |= dict.fromkeys(network.switches, (network, first))
        return cls(by_name, by_nad, ignored)

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
        nads = (tables.attachments[key] for key in self.by_nad if key != DEFAULT_NETWORK)
        return (nad.network for nad in nads if _is_selected(nad, selector, tables))

    def ignored_of(self, namespace: str, spec: NetworkQoSSpec, tables: Tables) -> tuple[str, ...]:
        """Name the ignored definitions of a policy's own namespace that it would select, each with the reason."""
        mine = sorted(key for key in self.ignored if key.startswith(f"{namespace}/"))
        return tuple(
            f"definition {key} is ignored: {self.ignored[key]}"
            for key in mine
            if not spec.network_selectors
            or any(_is_selected(tables.attachments[key], each, tables) for each in spec.network_selectors)
        )


def _prefix(network: str) -> str:
    return f"{network.replace('-', '.').replace('/', '.')}_" if network != DEFAULT_NETWORK else ""


def _precedence(entry: tuple[str, NetworkAttachment]) -> tuple[bool, str, str]:
    key, nad = entry
    return (not nad.accepted, nad.created or _YOUNGEST, key)


def _disagreement(network: Network, other: Network, first: str) -> str:
    """Say why a definition is ignored: what of it differs from the one that counts."""
    if network.name != other.name:
        of = f"network {other.name}" if first else "the default network"
        return f"network {network.name} would have switches of {of}; choose another name"
    differs = {
        "topology": (network.topology, other.topology),
        "role": (network.role, other.role),
        "subnets": (",".join(network.subnets) or "none", ",".join(other.subnets) or "none"),
    }
    fields = ", ".join(f"{field} {mine} and not {its}" for field, (mine, its) in differs.items() if mine != its)
    return f"network {network.name} is what {first} says, and this definition has {fields}"


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
            return in_scope and nad.role is NetworkRole.PRIMARY
        case NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS:
            owned = nad.owner_kind == "UserDefinedNetwork" and nad.role is NetworkRole.SECONDARY
            owner = f"{nad.namespace}/{nad.owner_name}"
            return in_scope and owned and selector.networks.matches(_owner_labels(nad, owner, tables.user_networks))
        case NetworkSelectionType.DEFAULT_NETWORK:
            return False


def _owner_labels(nad: NetworkAttachment, owner: str, user_networks: Mapping[str, UserDefinedNetwork]) -> Labels:
    """Give the labels of the user-defined network behind a definition, which carries a copy of them."""
    known = user_networks.get(owner)
    return known.labels if known is not None else nad.labels
