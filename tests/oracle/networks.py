"""Networks: what NetworkAttachmentDefinitions render, which of them a policy selects, how OVN names their parts.

In: decoded NADs, UserDefinedNetworks, ClusterUserDefinedNetworks and namespaces. Out: network names, topologies, names
of switches and logical ports. The rule: a selector picks networks, by name; whichever NAD a pod uses to reach a
selected network doesn't matter.

Sources: shared facts on ovn-kubernetes, "Networks".
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

import attrs

from tests.oracle.decoded import Object, annotation, at, labels, mapping, object_key, sequence, text
from tests.oracle.packet import Address
from tests.oracle.selectors import Selector, read_selector
from tests.oracle.validity import SELECTORS_OF_TYPE

Range = IPv4Network | IPv6Network

DEFAULT = "default"
"""The name of the default network, and the key of a pod's attachment to it."""

_HYBRID = "k8s.ovn.org/hybrid-overlay-node-subnet"
_MOST_RANGES = 64
_NETWORK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,252}")
_OWNERS = ("ClusterUserDefinedNetwork", "UserDefinedNetwork")


@attrs.frozen
class Nad:
    """A NetworkAttachmentDefinition of ovn-kubernetes that parses.

    Args:
        key: `<namespace>/<name>`
        namespace: where it stands
        labels: its own
        network: the name of the network that it renders
        topology: layer3, layer2 or localnet
        primary: whether its role is primary
        owner: kind of the user-defined network that rendered it, None for none
        owner_labels: that object's labels, its own where the object isn't known
        ranges: of the addresses on it, where they are known
        rank: the lowest counts where NADs disagree
    """

    key: str
    namespace: str
    labels: Mapping[str, str]
    network: str
    topology: str
    primary: bool
    owner: str | None
    owner_labels: Mapping[str, str]
    ranges: tuple[Range, ...]
    rank: tuple[bool, str, str]

    def conflicts(self, other: "Nad") -> bool:
        """Whether two NADs can't both hold."""
        mine, its = ((nad.network, nad.topology, nad.primary, nad.ranges) for nad in (self, other))
        if dotted(self.network) == dotted(other.network):
            return mine != its
        return self._has_outside(other) or other._has_outside(self)

    def _has_outside(self, other: "Nad") -> bool:
        """Whether the switches by which this network goes out have the names of another's."""
        return self.primary and other.topology == "layer3" and dotted(other.network) == f"ext_{dotted(self.network)}"

    @property
    def is_outside_of_default(self) -> bool:
        """Whether its switches have the names of those by which the default network goes out."""
        return self.topology == "layer3" and self.network == "ext"


@attrs.frozen
class WayBack:
    """The ports by which packets come back to a switch, and the ranges of the switch as far as they are known."""

    ports: tuple[str, ...]
    ranges: tuple[Range, ...]

    def is_known_for(self, address: Address, own: Iterable[Address]) -> bool:
        """Whether an address is in one of the ranges, or is one of a sender's own."""
        return address in own or any(address in each for each in self.ranges)


@attrs.frozen
class Networks:
    """All networks of a cluster, beside the default one; of NADs only those that count."""

    nads: Mapping[str, Nad]
    namespaces: Mapping[str, Mapping[str, str]]
    nodes: Mapping[str, Mapping[str, tuple[Range, ...]]]
    """By node and network, the ranges that pods have their addresses from."""
    hybrid: Mapping[str, tuple[Range, ...]]
    """By node with hybrid-overlay networking, which has no logical switch, the range that its pods have theirs from."""

    def of_attachment(self, nad_key: str) -> str | None:
        """The network that an attachment key reaches; None where no NAD of ovn-kubernetes says so."""
        if nad_key == DEFAULT:
            return DEFAULT
        return self.nads[nad_key].network if nad_key in self.nads else None

    def topology(self, network: str) -> str:
        """layer3, layer2 or localnet."""
        return "layer3" if network == DEFAULT else self._of(network).topology

    def _of(self, network: str) -> Nad:
        """A NAD of a network; they agree."""
        return next(nad for nad in self.nads.values() if nad.network == network)

    def direction(self, network: str) -> str:
        """The direction of a network's rows (shared facts on OVN, "Where a row takes effect")."""
        return "to-lport" if self.topology(network) == "layer3" else "from-lport"

    def uplinks(self, network: str, switch: str) -> tuple[str, ...]:
        """The ports that ovn-kubernetes gives a switch to a router, or to the underlay."""
        if self.topology(network) == "layer3":
            return (f"stor-{switch}",)
        if self.topology(network) == "localnet":
            return (f"{dotted(network)}_ovn_localnet_port",)
        return (f"stotr-{switch}",) if self._of(network).primary else ()

    def way_back(self, network: str, switch: str) -> WayBack:
        """How packets come back to a switch, from a router or from the underlay of a localnet."""
        ports = self.uplinks(network, switch)
        if self.topology(network) != "layer3":
            return WayBack(ports, self._of(network).ranges)
        node = next((node for node in self.nodes if self.switch(network, node) == switch), "")
        return WayBack(ports, self.nodes.get(node, {}).get(network, ()))

    def has(self, network: str, address: Address) -> bool:
        """Whether an address can be a pod's on a network: it is in its ranges, or they aren't known.

        On the default network those of a router and of a node's own port can't: a node's range begins with them. That
        of a node with hybrid-overlay networking begins with a router's, and counts beside those of other nodes.
        """
        if network != DEFAULT:
            ranges = self._of(network).ranges
            return not ranges or any(address in each for each in ranges)
        ranges = tuple(each for of_node in self.nodes.values() for each in of_node.get(DEFAULT, ()))
        beside = tuple(each for of_node in self.hybrid.values() for each in of_node)
        return not ranges or any(
            address in each and (each.num_addresses <= 4 or int(address) - int(each.network_address) > last)
            for some, last in ((ranges, 2), (beside, 1))
            for each in some
        )

    def switch(self, network: str, node: str) -> str:
        """The logical switch that a pod of a node is attached to."""
        if network == DEFAULT:
            return node
        ending = {"layer3": node, "layer2": "ovn_layer2_switch", "localnet": "ovn_localnet_switch"}
        return f"{dotted(network)}_{ending[self.topology(network)]}"

    def selected(self, policy: Object, unselected: str) -> frozenset[str]:
        """The names of the networks that a valid policy is about."""
        entries = sequence(policy, "spec", "networkSelectors")
        if entries:
            return frozenset(network for entry in entries for network in self._selected_by(entry))
        if unselected == "default":
            return frozenset({DEFAULT})
        return frozenset({DEFAULT, *(nad.network for nad in self.nads.values())})

    def _selected_by(self, entry: object) -> Iterator[str]:
        kind = text(entry, "networkSelectionType")
        field = SELECTORS_OF_TYPE[kind]
        if field is None:
            yield DEFAULT
            return
        selectors = mapping(entry, field[0])
        by_network = read_selector(selectors.get("networkSelector"))
        by_namespace = read_selector(selectors.get("namespaceSelector"))
        for nad in self.nads.values():
            match kind:
                case "NetworkAttachmentDefinitions":
                    chosen = self.namespace_matches(nad.namespace, by_namespace) and by_network.matches(nad.labels)
                case "ClusterUserDefinedNetworks":
                    chosen = nad.owner == "ClusterUserDefinedNetwork" and by_network.matches(nad.owner_labels)
                case "PrimaryUserDefinedNetworks":
                    chosen = nad.primary and self.namespace_matches(nad.namespace, by_namespace)
                case _:
                    chosen = nad.owner == "UserDefinedNetwork" and not nad.primary
                    chosen = chosen and self.namespace_matches(nad.namespace, by_namespace)
                    chosen = chosen and by_network.matches(nad.owner_labels)
            if chosen:
                yield nad.network

    def namespace_matches(self, name: str, selector: Selector) -> bool:
        """Whether a selector means a namespace.

        Every namespace has the label of its name, which the API server gives it; one without an object has only that.
        """
        return selector.matches({"kubernetes.io/metadata.name": name, **self.namespaces.get(name, {})})


def read_networks(objects: Mapping[str, Iterable[Object]]) -> Networks:
    """Read the networks of a cluster out of its objects, which are grouped by kind."""
    owners = {(kind, object_key(manifest)): labels(manifest) for kind in _OWNERS for manifest in objects.get(kind, ())}
    read = (_read_nad(manifest, owners) for manifest in objects.get("NetworkAttachmentDefinition", ()))
    nads = [nad for nad in read if nad is not None]
    nodes = {text(manifest, "metadata", "name"): manifest for manifest in objects.get("Node", ())}
    ranges = {name: _node_ranges(manifest) for name, manifest in nodes.items()}
    hybrid = {name: annotation(manifest, _HYBRID) for name, manifest in nodes.items() if not ranges[name]}
    return Networks(
        nads={nad.key: nad for nad in nads if not _is_overruled(nad, nads)},
        namespaces={text(manifest, "metadata", "name"): labels(manifest) for manifest in objects.get("Namespace", ())},
        nodes=ranges,
        hybrid={name: _hybrid_ranges(written) for name, written in hybrid.items() if written is not None},
    )


def _is_overruled(nad: Nad, nads: Sequence[Nad]) -> bool:
    """Whether another NAD counts in this one's place: one that disagrees, and that isn't overruled itself.

    NADs disagree that say different things of one network, or that would make two networks of one switch. Those that
    ovn-kubernetes accepted come first, then the older ones.
    """
    first = [other for other in nads if other.rank < nad.rank]
    against = (other for other in first if other.conflicts(nad))
    return nad.is_outside_of_default or any(not _is_overruled(other, first) for other in against)


def _node_ranges(manifest: Object) -> dict[str, tuple[Range, ...]]:
    told = json.loads(annotation(manifest, "k8s.ovn.org/node-subnets") or "{}")
    return {network: tuple(map(ip_network, ranges)) for network, ranges in told.items()}


def _hybrid_ranges(written: str) -> tuple[Range, ...]:
    try:
        return (ip_network(written, strict=False),)
    except ValueError:
        return ()


def _read_nad(manifest: Object, owners: Mapping[tuple[str, str], Mapping[str, str]]) -> Nad | None:
    try:
        written = json.loads(text(manifest, "spec", "config"))
        config = {key.lower(): value for key, value in written.items()}
    except (ValueError, AttributeError):
        return None
    network = annotation(manifest, "k8s.ovn.org/network-name") or text(config, "name")
    topology, role = text(config, "topology"), at(config, "role")
    if text(config, "type") != "ovn-k8s-cni-overlay" or not _NETWORK_NAME.fullmatch(network):
        return None
    if topology not in ("layer3", "layer2", "localnet") or role not in (None, "", "primary", "secondary"):
        return None
    if network in (DEFAULT, "ovn-kubernetes") or config.get("netattachdefname", object_key(manifest)) != object_key(
        manifest
    ):
        return None
    subnets = list(filter(None, text(config, "subnets").split(",")))
    if len(subnets) > _MOST_RANGES:
        return None
    namespace = text(manifest, "metadata", "namespace")
    created = text(manifest, "metadata", "creationTimestamp")
    references = [r for r in sequence(manifest, "metadata", "ownerReferences") if text(r, "kind") in _OWNERS]
    owner = text(references[0], "kind") if references else None
    owner_labels = labels(manifest)
    if owner is not None:
        owner_namespace = namespace if owner == "UserDefinedNetwork" else ""
        name = text(manifest, "metadata", "name")
        if text(references[0], "name") == name:  # ovn-kubernetes gives a definition the name of what it renders
            owner_labels = dict(owners.get((owner, f"{owner_namespace}/{name}"), owner_labels))
    return Nad(
        key=object_key(manifest),
        namespace=namespace,
        labels=labels(manifest),
        network=network,
        topology=topology,
        primary=role == "primary",
        owner=owner,
        owner_labels=owner_labels,
        rank=(not annotation(manifest, "k8s.ovn.org/network-id"), created or "unknown", object_key(manifest)),
        ranges=tuple(map(_read_range, subnets)),
    )


def _read_range(written: str) -> Range:
    address, length, *_of_a_node = written.split("/")
    return ip_network(f"{address}/{length}")


def dotted(name: str) -> str:
    """A name of a network or attachment as it stands in names of switches and ports."""
    return name.replace("-", ".").replace("/", ".")


def logical_port(attachment: str, namespace: str, pod: str) -> str:
    """The logical port of one attachment of a pod; `attachment` with its index, where it has one."""
    plain = f"{namespace}_{pod}"
    return plain if attachment == DEFAULT else f"{dotted(attachment)}_{plain}"
