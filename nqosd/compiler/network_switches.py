"""Networks: what the attachment definitions render, which switches carry them, and which of them a policy selects.

In: the tables of definitions, user-defined networks, namespaces and nodes. Out: `Networks`, a frozen picture, and the
ranges of addresses behind each switch. Rules: a selection picks networks, by name; a pod that reaches a network through
another definition of it is on it all the same. Nobody redefines a network that somebody else has.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from nqosd.api.labels import Labels
from nqosd.api.networkqos import NetworkQoS, NetworkSelectionType, NetworkSelector
from nqosd.api.objects import DEFAULT_NETWORK, NetworkAttachment, NetworkRole, Node, Topology, UserDefinedNetwork
from nqosd.cache.selections import namespace_labels
from nqosd.cache.tables import Tables
from nqosd.compiler.desired import Direction

_YOUNGEST = "9999"
"""A definition that never was in a cluster has no age."""
TOLD = 20
"""Ignored definitions of a namespace of which its policies are told, at most; there may be thousands of both."""
_ANY_NODE = "<node>"
_OUTSIDE = "ext_"
"""What the name of a switch to the outside begins with."""
_FLAT_SWITCH = {Topology.LAYER2: "ovn_layer2_switch", Topology.LOCALNET: "ovn_localnet_switch"}


class Network(msgspec.Struct, frozen=True, dict=True):
    """A network as OVN has it. Switch names are ovn-kubernetes' convention."""

    name: str
    topology: Topology = Topology.LAYER3
    role: NetworkRole = NetworkRole.PRIMARY
    subnets: tuple[str, ...] = ()

    def is_as_in(self, nad: NetworkAttachment) -> bool:
        """Say whether this is what a definition renders."""
        mine = (self.name, self.topology, self.role, self.subnets)
        return mine == (nad.network, nad.topology, nad.role, nad.subnets)

    def switch(self, node: str) -> str:
        """Name the logical switch that pods of a node are on."""
        if self.name == DEFAULT_NETWORK:
            return node
        return f"{_prefix(self.name)}{_FLAT_SWITCH.get(self.topology, node)}"

    @cached_property
    def switches(self) -> tuple[str, ...]:
        """Name what no other network may have: its prefix, and the switches of nodes that begin with it.

        A primary network has one switch to the outside on each node, too.
        """
        prefix = _prefix(self.name)
        of_nodes = (f"{prefix}{_ANY_NODE}",) if self.topology is Topology.LAYER3 else ()
        outside = (f"{_OUTSIDE}{prefix}{_ANY_NODE}",) if self.role is NetworkRole.PRIMARY else ()
        return (prefix, *of_nodes, *outside)

    @property
    def direction(self) -> Direction:
        """Where a row marks and limits at the source chassis for all traffic.

        Measured: on layer3 to-lport does, and sees what load balancing chose; on flat networks only from-lport does.
        """
        return Direction.TO_LPORT if self.topology is Topology.LAYER3 else Direction.FROM_LPORT


class Choice(msgspec.Struct, frozen=True):
    """Which networks a policy selects (None: all of them), and which definitions it would that are ignored, and why."""

    networks: Collection[str] | None
    ignored: tuple[str, ...] = ()


class Disagreement(msgspec.Struct, frozen=True):
    """Why a definition is ignored that says `network`: `other` is what counts, and `first` the definition that says it.

    The words are made when they are asked for: there may be thousands.
    """

    network: Network
    other: Network
    first: str

    def __str__(self) -> str:
        network, other = self.network, self.other
        if network.name != other.name:
            of = f"network {other.name}" if self.first else "the default network"
            return f"network {network.name} would have switches of {of}; choose another name"
        differs = {
            "topology": (network.topology, other.topology),
            "role": (network.role, other.role),
            "subnets": (",".join(network.subnets) or "none", ",".join(other.subnets) or "none"),
        }
        fields = ", ".join(f"{field} {mine} and not {its}" for field, (mine, its) in differs.items() if mine != its)
        return f"network {network.name} is what {self.first} says, and this definition has {fields}"


class Networks(msgspec.Struct, frozen=True, dict=True):
    """All networks by name, the network that each definition renders, and why some of them are ignored, by key."""

    by_name: Mapping[str, Network]
    by_nad: Mapping[str, str]
    ignored: Mapping[str, Disagreement]

    @classmethod
    def of(cls, attachments: Mapping[str, NetworkAttachment]) -> "Networks":
        """Derive the networks. Of definitions that disagree, or whose networks share switches, the senior counts."""
        return cls.in_order(dict(sorted(attachments.items(), key=lambda each: seniority(each[1]))))

    @classmethod
    def in_order(cls, attachments: Mapping[str, NetworkAttachment], before: "Networks | None" = None) -> "Networks":
        """Derive the networks of definitions in the order of seniority; one that is as `before` is the same object."""
        default = Network(DEFAULT_NETWORK)
        by_name, by_nad = {DEFAULT_NETWORK: default}, {DEFAULT_NETWORK: DEFAULT_NETWORK}
        ignored: dict[str, Disagreement] = {}
        known = before or cls(by_name, by_nad, ignored)
        taken = dict.fromkeys(default.switches, (default, ""))
        for key, nad in attachments.items():
            if not nad.network:
                continue
            was = known.ignored.get(key)
            network = known.by_name.get(nad.network) if was is None else was.network
            if network is None or not network.is_as_in(nad):
                network = Network(nad.network, nad.topology, nad.role, nad.subnets)
            other, first = next((taken[each] for each in network.switches if each in taken), (network, key))
            if network is not other and network != other:
                ignored[key] = Disagreement(network, other, first)
                continue
            by_nad[key] = nad.network
            by_name[nad.network] = network
            taken |= dict.fromkeys(network.switches, (network, first))
        return cls(by_name, by_nad, ignored)

    def at(self, nad: str) -> Network | None:
        """Find the network behind an attachment; None while its definition isn't there or isn't ovn-kubernetes'."""
        name = self.by_nad.get(nad)
        return None if name is None else self.by_name[name]

    def choice(self, policy: NetworkQoS, tables: Tables, *, any_network: bool) -> Choice:
        """Say which networks a policy is for; `any_network` says what no networkSelectors mean."""
        selectors = () if policy.spec is None else policy.spec.network_selectors
        selected = None if any_network else frozenset({DEFAULT_NETWORK})
        if selectors:
            selected = frozenset(name for key, name in self.by_nad.items() if chooses(selectors, key, tables))
        return Choice(selected, self.ignored_of(policy.namespace, selectors, tables))

    def ignored_of(self, namespace: str, selectors: Sequence[NetworkSelector], tables: Tables) -> tuple[str, ...]:
        """Name the ignored definitions of a policy's own namespace that it would select, each with the reason."""
        mine = (key for key in self._ignored_in.get(namespace, ()) if not selectors or chooses(selectors, key, tables))
        return tuple(f"definition {key} is ignored: {self.ignored[key]}" for key in mine)

    @cached_property
    def _ignored_in(self) -> Mapping[str, list[str]]:
        """The first ignored definitions of each namespace."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for key in sorted(self.ignored):
            mine = found[key.partition("/")[0]]
            if len(mine) < TOLD:
                mine.append(key)
        return found


def _prefix(network: str) -> str:
    return f"{network.replace('-', '.').replace('/', '.')}_" if network != DEFAULT_NETWORK else ""


def stem(network: str) -> str:
    """Give what names of networks that may make the same switches have in common: the prefix, however far outside."""
    prefix = _prefix(network)
    while prefix.startswith(_OUTSIDE):
        prefix = prefix.removeprefix(_OUTSIDE)
    return prefix


def seniority(nad: NetworkAttachment) -> tuple[str, str, str]:
    """Give what definitions are sorted by: those that ovn-kubernetes accepted, then the older ones, come first."""
    return "accepted" if nad.accepted else "other", nad.created or _YOUNGEST, nad.key


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


def chooses(selectors: Iterable[NetworkSelector], key: str, tables: Tables) -> bool:
    """Say whether any of some selectors chooses a definition, or the default network, by key."""
    if key == DEFAULT_NETWORK:
        return any(each.type is NetworkSelectionType.DEFAULT_NETWORK for each in selectors)
    return any(_is_selected(tables.attachments[key], each, tables) for each in selectors)


def _owner_of(nad: NetworkAttachment, tables: Tables) -> UserDefinedNetwork | None:
    """Find the user-defined network behind a definition, which ovn-kubernetes gives its name.

    A user can write other owners; thousands of definitions of one owner would all be its change.
    """
    if nad.name != nad.owner_name:
        return None
    if nad.owner_kind == "ClusterUserDefinedNetwork":
        return tables.cluster_networks.get(nad.name)
    return tables.user_networks.get(nad.key)


def is_of_type(nad: NetworkAttachment, kind: NetworkSelectionType) -> bool:
    """Say whether selectors of a type may choose a definition."""
    match kind:
        case NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS:
            return True
        case NetworkSelectionType.CLUSTER_USER_DEFINED_NETWORKS:
            return nad.owner_kind == "ClusterUserDefinedNetwork"
        case NetworkSelectionType.PRIMARY_USER_DEFINED_NETWORKS:
            return nad.role is NetworkRole.PRIMARY
        case NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS:
            return nad.owner_kind == "UserDefinedNetwork" and nad.role is NetworkRole.SECONDARY
        case NetworkSelectionType.DEFAULT_NETWORK:
            return False


def _is_selected(nad: NetworkAttachment, selector: NetworkSelector, tables: Tables) -> bool:
    if not is_of_type(nad, selector.type):
        return False
    if selector.type is NetworkSelectionType.CLUSTER_USER_DEFINED_NETWORKS:
        return selector.networks.matches(owner_labels(nad, tables))
    in_scope = selector.namespaces.matches(namespace_labels(nad.namespace, tables.namespaces))
    match selector.type:
        case NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS:
            return in_scope and selector.networks.matches(nad.labels)
        case NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS:
            return in_scope and selector.networks.matches(owner_labels(nad, tables))
    return in_scope


def owner_labels(nad: NetworkAttachment, tables: Tables) -> Labels:
    """Give the labels of the user-defined network behind a definition, which carries a copy of them."""
    known = _owner_of(nad, tables)
    return known.labels if known is not None else nad.labels
