"""Hypothesis strategies of clusters: namespaces, nodes, networks and pods, as decoded manifests.

In: nothing. Out: manifests. The rules: vocabularies are tiny, so that selectors hit, addresses return and NADs share
networks; what the definition leaves open isn't generated (an index on an attachment without addresses).
"""

import json
from collections.abc import Mapping, Sequence

import attrs
from hypothesis import strategies as st

Manifest = dict[str, object]

NAMESPACES = ("red", "blue", "green")
NODES = ("n1", "n-2", "n3")
ZONES = (None, None, None, "n1", "z1", "elsewhere")
NETWORKS = {
    "stream": "layer3",
    "flat": "layer2",
    "vlan-100": "localnet",
    "corp/one": "layer3",
    "corp-one": "layer3",
    "ext_stream": "layer3",
}
_TOPOLOGIES = ("layer3", "layer2", "localnet")
_LABELS = {"app": ("web", "db"), "tier": ("a", "b")}
_POD_NETWORKS = "k8s.ovn.org/pod-networks"


def labels() -> st.SearchStrategy[dict[str, str]]:
    """Labels of an object, from the vocabulary that `policy_strategies` selects from."""
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in _LABELS.items()})


def one_in(draw: st.DrawFn, times: int) -> bool:
    """True once in a while; false in the simplest example."""
    return draw(st.integers(0, times - 1)) == times - 1


def manifest(kind: str, namespace: str | None, name: str, **parts: object) -> Manifest:
    """A manifest; `labels`, `annotations` and other keys of metadata go into `metadata`."""
    versions = {"NetworkQoS": "k8s.ovn.org/v1alpha1", "NetworkAttachmentDefinition": "k8s.cni.cncf.io/v1"}
    user_defined = kind.endswith("UserDefinedNetwork")
    metadata: Manifest = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= {key: value for key, value in parts.items() if key not in ("spec", "status") and value}
    return {
        "apiVersion": "k8s.ovn.org/v1" if user_defined else versions.get(kind, "v1"),
        "kind": kind,
        "metadata": metadata,
        **{key: parts[key] for key in ("spec", "status") if key in parts},
    }


@st.composite
def surroundings(draw: st.DrawFn) -> dict[str, list[Manifest]]:
    """Namespaces, nodes, and networks with what owns them: everything but pods and policies."""
    namespaces = [
        manifest("Namespace", None, name, labels=draw(labels())) for name in NAMESPACES if not one_in(draw, 8)
    ]
    nodes = [manifest("Node", None, name, annotations=draw(_node_annotations())) for name in NODES]
    owned = [manifest("ClusterUserDefinedNetwork", None, "net-a", labels=draw(labels()))] if draw(st.booleans()) else []
    udns = [manifest("UserDefinedNetwork", name, "net-a", labels=draw(labels())) for name in NAMESPACES[:2]]
    places = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(("net-a", "net-b")))
    nads = [draw(_nads(*place)) for place in draw(st.lists(places, min_size=2, max_size=6, unique=True))]
    return {
        "Namespace": namespaces,
        "Node": nodes,
        "ClusterUserDefinedNetwork": owned,
        "UserDefinedNetwork": udns,
        "NetworkAttachmentDefinition": nads,
    }


@st.composite
def _node_annotations(draw: st.DrawFn) -> dict[str, str]:
    """The zone and the ranges of a node, or that it has hybrid-overlay networking, which a node with ranges hasn't."""
    told = draw(_zones()) | draw(_node_subnets())
    return told | {"k8s.ovn.org/hybrid-overlay-node-subnet": draw(st.sampled_from(HYBRID))} if one_in(draw, 5) else told


def _zones() -> st.SearchStrategy[dict[str, str]]:
    return st.sampled_from(({}, {"k8s.ovn.org/zone-name": "z1"}))


@st.composite
def _node_subnets(draw: st.DrawFn) -> dict[str, str]:
    """The ranges of a node on some networks, as ovn-kubernetes annotates it, or nothing."""
    names = draw(st.lists(st.sampled_from(("default", *NETWORKS)), unique=True, max_size=3))
    told = {name: RANGES[:1] if one_in(draw, 8) else RANGES for name in names}
    return {"k8s.ovn.org/node-subnets": json.dumps(told)} if names else {}


_FOREIGN_KEYS = ('red/net-a" || ip4 || inport == "', "red/net-a/01", "Red/net-a", "red", "red/net-a/1/1", "red//1")
"""Keys that no attachment has."""
_BROKEN_ENTRIES: tuple[object, ...] = (
    7,
    None,
    {"ip_addresses": ["10.0.0.256/24"]},
    {"ip_addresses": ['fd00::%"/64']},
    {"ip_addresses": "10.0.0.1/24"},
    {"ip_addresses": [f"10.0.7.{host}/24" for host in range(1, 18)]},
)

RANGES = ("10.0.0.0/8", "fd00::/16")
"""The ranges that all addresses of pods are from; a node has both mostly, and now and then the first alone."""

HYBRID = ("10.132.0.0/24", "10.0.0.0/24", "10.0.0.5/29", "fd00::/64", "0.0.0.0/0", "windows")
"""What nodes with hybrid-overlay networking say of theirs: of it `RANGES` has a part, and what isn't one, none."""
NARROW = ("10.1.0.0/30", "fd00:2::/126", "10.3.0.0/30")
"""Ranges of a network that leave some of its pods' addresses outside."""
CREATED = ("", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


@st.composite
def _nads(draw: st.DrawFn, namespace: str, name: str) -> Manifest:
    network = draw(st.sampled_from(tuple(NETWORKS)))
    config: dict[str, object] = {"cniVersion": "1.0.0", "type": "ovn-k8s-cni-overlay", "name": network}
    config["topology"] = draw(st.sampled_from(_TOPOLOGIES)) if one_in(draw, 8) else NETWORKS[network]
    role = draw(st.sampled_from((None, "secondary", "primary")))
    if role:
        config["role"] = role
    if draw(st.booleans()):
        ranges = NARROW if one_in(draw, 6) else RANGES
        config["subnets"] = ",".join(f"{each}/126" if config["topology"] == "layer3" else each for each in ranges)
    if one_in(draw, 3):
        config["netAttachDefName"] = f"{namespace}/{'other' if one_in(draw, 6) else name}"
    if one_in(draw, 8):  # Go reads keys without regard to case
        config = {key.upper(): value for key, value in config.items() if key != "name"} | {"Name": config["name"]}
    annotations = {"k8s.ovn.org/network-id": "3"} if one_in(draw, 3) else {}
    if one_in(draw, 10):
        config["Name" if "Name" in config else "name"] = "overridden"
        annotations["k8s.ovn.org/network-name"] = network
    spoilt = draw(st.sampled_from(("type", "topology", "json"))) if one_in(draw, 12) else ""
    if spoilt == "type":
        config = {"name": network, "topology": "layer2", "type": "macvlan"}
    if spoilt == "topology":
        config = {"name": network, "topology": "ring", "type": "ovn-k8s-cni-overlay"}
    owner = draw(st.sampled_from(("", "UserDefinedNetwork", "ClusterUserDefinedNetwork")))
    named = "net-a" if one_in(draw, 3) else name
    references = [{"apiVersion": "k8s.ovn.org/v1", "kind": owner, "name": named, "uid": "u", "controller": True}]
    return manifest(
        "NetworkAttachmentDefinition",
        namespace,
        name,
        labels=draw(labels()),
        annotations=annotations,
        creationTimestamp=draw(st.sampled_from(CREATED)),
        ownerReferences=references if owner else [],
        spec={"config": "{" if spoilt == "json" else json.dumps(config)},
    )


@attrs.define
class Addresses:
    """Hands out addresses: of a network, the next that nobody has, or once in a while one that somebody has."""

    handed_out: dict[str, int] = attrs.Factory(dict)

    def take(self, draw: st.DrawFn, network: str) -> list[str]:
        """One IPv4 address, one IPv6 address, or one of each."""
        number = self.handed_out.get(network, 0)
        again = number > 0 and one_in(draw, 10)
        host = draw(st.integers(1, number)) if again else number + 1
        self.handed_out[network] = max(number, host)
        subnet = list(NETWORKS).index(network) + 1 if network in NETWORKS else 0
        both = [f"10.{subnet}.0.{host}", f"fd00:{subnet}::{host:x}"]
        return draw(st.sampled_from((both, both[:1], both[1:])))


@st.composite
def pods(draw: st.DrawFn, nads: Sequence[Mapping[str, object]]) -> list[Manifest]:
    """Pods attached to some of the networks."""
    addresses = Addresses()
    return [draw(_pods(f"p{number}", nads, addresses)) for number in range(draw(st.integers(2, 7)))]


@st.composite
def _pods(draw: st.DrawFn, name: str, nads: Sequence[Mapping[str, object]], addresses: Addresses) -> Manifest:
    namespace = draw(st.sampled_from(NAMESPACES + 3 * NAMESPACES[:1]))
    said: Manifest = {}
    status: dict[str, object] = {"phase": "Running"}
    ips = addresses.take(draw, "default")
    match draw(st.sampled_from(("annotation", "status", "nowhere"))):
        case "annotation":
            role = draw(st.sampled_from((None, "primary", "infrastructure-locked")))
            said["default"] = draw(_annotated(ips)) | ({} if role is None else {"role": role})
        case "status":
            status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    for nad in draw(st.lists(st.sampled_from(nads), min_size=1, max_size=3, unique_by=id)):
        draw(_attach(nad, addresses, said))
    if one_in(draw, 8):
        said[draw(st.sampled_from(("red/nowhere", *_FOREIGN_KEYS)))] = draw(_annotated(["10.9.0.9"]))
    if one_in(draw, 12):
        said[draw(st.sampled_from((*said, "red/nowhere")))] = draw(st.sampled_from(_BROKEN_ENTRIES))
    annotations = {_POD_NETWORKS: json.dumps(said)} if said else {}
    if one_in(draw, 20):
        annotations[_POD_NETWORKS] = draw(st.sampled_from(("{", "[]", "7", "null", "")))
    spec: dict[str, object] = {} if one_in(draw, 15) else {"nodeName": draw(st.sampled_from((*NODES, "unknown")))}
    if one_in(draw, 15):
        spec["hostNetwork"] = True
    if one_in(draw, 5):
        status["phase"] = draw(st.sampled_from(("Succeeded", "Failed", "Pending")))
    leaving = "2026-11-01T00:00:00Z" if one_in(draw, 8) else ""
    return manifest(
        "Pod",
        namespace,
        name,
        labels=draw(labels()),
        annotations=annotations,
        creationTimestamp=draw(st.sampled_from(CREATED)),
        deletionTimestamp=leaving,
        spec=spec,
        status=status,
    )


@st.composite
def _attach(draw: st.DrawFn, nad: Mapping[str, object], addresses: Addresses, said: Manifest) -> None:
    """Attach a pod to a NAD: once or twice, with addresses or without."""
    metadata, spec = nad["metadata"], nad["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    key = f"{metadata['namespace']}/{metadata['name']}"
    network = next((known for known in NETWORKS if json.dumps(known) in str(spec["config"])), "elsewhere")
    ips = [] if one_in(draw, 4) else addresses.take(draw, network)
    said[key] = draw(_annotated(ips))
    if ips and one_in(draw, 6):
        said[f"{key}/1"] = draw(_annotated(addresses.take(draw, network)))


@st.composite
def _annotated(draw: st.DrawFn, ips: list[str]) -> Manifest:
    """An entry of pod-networks."""
    written = [f"{ip}/{64 if ':' in ip else 24}" for ip in ips]
    if not written:
        return draw(st.sampled_from(({"mac_address": "0a:58:00:00:00:01"}, {"ip_addresses": []}, {})))
    if len(written) == 1 and one_in(draw, 3):
        return {"ip_address": written[0]}
    return {"ip_addresses": written, "ip_address": written[0]} if one_in(draw, 3) else {"ip_addresses": written}
