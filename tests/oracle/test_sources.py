"""Which pods are sources of a policy, where, and with which addresses, by example."""

import json

import pytest

from tests.oracle.cluster_strategies import Manifest, manifest
from tests.oracle.examples import POD_NETWORKS, meaning, nad, namespace, node, pod, policy
from tests.oracle.meaning import Oracle

REPORT = "k8s.v1.cni.cncf.io/network-status"
"""Multus' annotation, of which nothing counts."""
ACCEPTED = {"k8s.ovn.org/network-id": "7"}
EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
SIXTEEN = [f"10.0.0.{host}" for host in range(1, 17)]


def sources(oracle: Oracle, key: str = "red/q") -> dict[tuple[str, str], list[str]]:
    """A policy's source pods by network and switch."""
    return {place: sorted(found.pods) for place, found in oracle.applied[key].sources.items()}


def addresses(oracle: Oracle, network: str = "default", switch: str = "n1") -> list[str]:
    """The source addresses of the policy `red/q` on a switch."""
    found = oracle.applied["red/q"].sources.get((network, switch))
    return sorted(map(str, found.addresses)) if found else []


@pytest.mark.parametrize(
    ("subject", "counts"),
    [
        (pod("p", "10.0.0.1"), True),
        (pod("p", "10.0.0.1", phase="Pending"), True),
        (pod("p", "10.0.0.1", phase="Succeeded"), False),
        (pod("p", "10.0.0.1", phase="Failed"), False),
        (pod("p", "10.0.0.1", deletionTimestamp="2026-01-01T00:00:00Z"), True),
        (pod("p", "10.0.0.1", space="blue"), False),
        (pod("p", "10.0.0.1", on=""), False),
        (pod("p", "10.0.0.1", on="a-node-that-nobody-knows"), True),
        (pod("p"), False),
        (pod("p", "10.0.0.1") | {"spec": {"nodeName": "n1", "hostNetwork": True}}, False),
        (pod("p", "10.0.0.1") | {"spec": {"nodeName": "n1", "hostNetwork": False}}, True),
    ],
    ids=["running", "pending", "succeeded", "failed", "terminating", "other namespace", "unscheduled", "unknown node",
         "no address", "host network", "not host network"],
)  # fmt: skip
def test_pod_counts_while_it_can_send(subject: Manifest, *, counts: bool) -> None:
    """A source is scheduled, has an address, is not on the host network and has not ended."""
    assert bool(sources(meaning(subject, policy("q")))) == counts


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        (None, "none web db"),
        ({}, "none web db"),
        ({"matchLabels": {"app": "web"}}, "web"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}, "web"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, "none db"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "web db"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist", "values": []}]}, "none"),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, ""),
    ],
)
def test_pod_selector(selector: Manifest | None, chosen: str) -> None:
    """A pod selector matches as labels do everywhere in Kubernetes; absent and empty select all."""
    pods = [
        pod("none", "10.0.0.1"),
        pod("web", "10.0.0.2", labels={"app": "web"}),
        pod("db", "10.0.0.3", labels={"app": "db"}),
    ]
    found = sources(meaning(*pods, policy("q", podSelector=selector)))
    assert found.get(("default", "n1"), []) == sorted(f"red/{name}" for name in chosen.split())


@pytest.mark.parametrize(
    ("zone", "chosen"),
    [
        (None, "p1 p2 p3"),
        ("n1", "p1"),
        ("west", "p2 p3"),
        ("global", "p1 p2 p3"),
        ("elsewhere", ""),
    ],
)
def test_zone(zone: str | None, chosen: str) -> None:
    """A zone is a node's name or its annotation; "global" is the whole cluster, and what no node has is no pod's."""
    nodes = [node("n1"), node("n2", "west"), node("n3", "west")]
    pods = [pod(f"p{number}", f"10.0.0.{number}", on=f"n{number}") for number in (1, 2, 3)]
    oracle = meaning(*nodes, *pods, policy("q"), zone=zone)
    assert sorted(key for keys in sources(oracle).values() for key in keys) == [
        f"red/{name}" for name in chosen.split()
    ]
    assert sorted(sender.pod for sender in oracle.senders) == [f"red/{name}" for name in chosen.split()]


def test_places_and_directions() -> None:
    """The topology says which switch a pod is on, and in which direction its packets are treated."""
    attached = {"red/l3": ["10.1.0.1"], "red/l2": ["10.2.0.1"], "red/ln": ["10.3.0.1"]}
    oracle = meaning(
        nad("red/l3", "data-plane"),
        nad("red/l2", "corp/flat", "layer2"),
        nad("red/ln", "vlan-7", "localnet"),
        pod("p", "10.0.0.1", on="n-1", networks=attached),
        policy("q"),
    )
    assert sources(oracle) == {
        ("default", "n-1"): ["red/p"],
        ("data-plane", "data.plane_n-1"): ["red/p"],
        ("corp/flat", "corp.flat_ovn_layer2_switch"): ["red/p"],
        ("vlan-7", "vlan.7_ovn_localnet_switch"): ["red/p"],
    }
    assert {sender.network: (sender.port, sender.direction) for sender in oracle.senders} == {
        "default": ("red_p", "to-lport"),
        "data-plane": ("red.l3_red_p", "to-lport"),
        "corp/flat": ("red.l2_red_p", "from-lport"),
        "vlan-7": ("red.ln_red_p", "from-lport"),
    }


@pytest.mark.parametrize(
    ("blue", "red", "counts"),
    [
        ({}, {}, "blue"),
        ({"creationTimestamp": LATER}, {}, "blue"),
        ({}, {"creationTimestamp": LATER}, "red"),
        ({"creationTimestamp": EARLIER}, {"creationTimestamp": LATER}, "blue"),
        ({"creationTimestamp": EARLIER}, {"creationTimestamp": LATER, "annotations": ACCEPTED}, "red"),
        ({"creationTimestamp": LATER, "annotations": ACCEPTED}, {"annotations": ACCEPTED}, "blue"),
    ],
)
def test_of_nads_that_disagree_one_counts(blue: Manifest, red: Manifest, counts: str) -> None:
    """One that ovn-kubernetes accepted, then the oldest, then the first by key; by the other no pod is attached."""
    oracle = meaning(
        told(nad("blue/a", "data", "layer3"), blue),
        told(nad("red/b", "data", "layer2"), red),
        pod("p", networks={"red/b": ["10.1.0.1"], "blue/a": ["10.1.0.2"]}),
        policy("q"),
    )
    assert list(sources(oracle)) == [{"blue": ("data", "data_n1"), "red": ("data", "data_ovn_layer2_switch")}[counts]]
    assert addresses(oracle, *next(iter(sources(oracle)))) == ["10.1.0.2" if counts == "blue" else "10.1.0.1"]


@pytest.mark.parametrize(
    ("other", "role"), [("da.ta", None), ("da/ta", "primary"), ("ext_da-ta", "primary"), ("ext", "secondary")]
)
def test_no_network_takes_switches_of_another(other: str, role: str | None) -> None:
    """Neither by a name that makes the same switches nor by one that makes those by which another goes out."""
    oracle = meaning(
        told(nad("red/a", "da-ta", role=role), {"creationTimestamp": EARLIER}),
        told(nad("red/b", other), {"creationTimestamp": LATER}),
        pod("p", networks={"red/b": ["10.1.0.1"], "red/a": ["10.1.0.2"]}),
        policy("q"),
    )
    assert list(sources(oracle)) == [("da-ta", "da.ta_n1")]


def told(manifest: Manifest, metadata: Manifest) -> Manifest:
    """A manifest with more metadata."""
    before = manifest["metadata"]
    assert isinstance(before, dict)
    return manifest | {"metadata": before | metadata}


@pytest.mark.parametrize(
    ("annotations", "status", "expected"),
    [
        ({POD_NETWORKS: {"default": {"ip_addresses": ["10.0.0.1/24", "fd00::1/64"]}}}, {}, "10.0.0.1 fd00::1"),
        ({POD_NETWORKS: {"default": {"ip_address": "10.0.0.1/24"}}}, {}, "10.0.0.1"),
        ({POD_NETWORKS: {"default": {"ip_addresses": ["10.0.0.1/24"]}}}, {"podIPs": [{"ip": "10.0.0.3"}]}, "10.0.0.1"),
        ({REPORT: [{"name": "x", "default": True, "ips": ["10.0.0.2"]}]}, {"podIPs": [{"ip": "10.0.0.3"}]}, "10.0.0.3"),
        ({REPORT: "no", POD_NETWORKS: {"default": {"ip_address": "10.0.0.1/24"}}}, {}, "10.0.0.1"),
        ({}, {"podIP": "10.0.0.3", "podIPs": [{"ip": "10.0.0.3"}, {"ip": "fd00::3"}]}, "10.0.0.3 fd00::3"),
        ({}, {"podIP": "10.0.0.3"}, "10.0.0.3"),
        ({POD_NETWORKS: {"default": {}}}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
        ({POD_NETWORKS: {}}, {"podIPs": [{"ip": "10.0.0.3"}]}, "10.0.0.3"),
        ({POD_NETWORKS: "{"}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
        ({POD_NETWORKS: []}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
        ({POD_NETWORKS: {"default": 1}}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
        ({POD_NETWORKS: {"default": {"ip_addresses": ["10.0.0.256/24"]}}}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
        ({POD_NETWORKS: {"default": {"ip_addresses": "10.0.0.1/24"}}}, {}, ""),
        ({POD_NETWORKS: "null"}, {"podIPs": [{"ip": "10.0.0.3"}]}, "10.0.0.3"),
        ({POD_NETWORKS: {"red/x y": {}}}, {"podIPs": [{"ip": "10.0.0.3"}]}, "10.0.0.3"),
        ({POD_NETWORKS: {"default": {"ip_addresses": SIXTEEN}}}, {}, " ".join(sorted(SIXTEEN))),
        ({POD_NETWORKS: {"default": {"ip_addresses": [*SIXTEEN, "10.0.1.1"]}}}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
        ({POD_NETWORKS: {f"red/data/{n}": {} for n in range(1, 65)}}, {"podIPs": [{"ip": "10.0.0.3"}]}, "10.0.0.3"),
        ({POD_NETWORKS: {f"red/data/{n}": {} for n in range(1, 66)}}, {"podIPs": [{"ip": "10.0.0.3"}]}, ""),
    ],
)
def test_addresses_on_the_default_network(annotations: Manifest, status: Manifest, expected: str) -> None:
    """The annotation comes before the status, a listed key ends the search, and Multus' report isn't asked at all."""
    subject = pod("p", phase="Running")
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in annotations.items()}
    subject |= {"metadata": {"namespace": "red", "name": "p", "annotations": texts}, "status": status}
    assert addresses(meaning(subject, policy("q"))) == expected.split()


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ({"red/data": ["10.1.0.1"]}, "10.1.0.1"),
        ({"red/data": ["10.1.0.1"], "red/data/1": ["10.1.0.2"]}, "10.1.0.1 10.1.0.2"),
        ({"red/data": ["10.1.0.1"], "blue/data": ["10.1.0.2"]}, "10.1.0.1 10.1.0.2"),
        ({"red/data": []}, ""),
        ({"red/data": ["x"], "blue/data": ["10.1.0.2"]}, "10.1.0.2"),
        ({"red/unknown": ["10.1.0.1"]}, ""),
    ],
)
def test_addresses_on_another_network(networks: dict[str, list[str]], expected: str) -> None:
    """All attachments to a network count, by whichever NAD, but for those that can't be read; no report does."""
    annotations = {REPORT: json.dumps([{"name": "red/data", "ips": ["10.1.0.3"]}])}
    oracle = meaning(
        nad("red/data", "data"),
        nad("blue/data", "data"),
        pod("p", networks=networks, annotations=annotations),
        policy("q"),
    )
    assert addresses(oracle, "data", "data_n1") == expected.split()


@pytest.mark.parametrize(
    "broken",
    [
        nad("red/data", "data", type="macvlan"),
        nad("red/data", "data", "ring"),
        nad("red/data", ""),
        nad("red/data", 'x" || ip4 || inport == "'),
        nad("red/data", "data", role="tertiary"),
        nad("red/data", "data") | {"spec": {"config": "{"}},
        nad("red/data", "data") | {"spec": {"config": "[]"}},
        nad("red/data", "data") | {"spec": {}},
        nad("red/data", "default"),
        nad("red/data", "ovn-kubernetes"),
        nad("red/data", "data", netAttachDefName="blue/data"),
        nad("red/data", "data", "layer2", subnets=",".join(f"10.{number}.0.0/16" for number in range(65))),
    ],
    ids=[
        "type",
        "topology",
        "no name",
        "foreign name",
        "role",
        "syntax",
        "shape",
        "nothing",
        "default",
        "reserved",
        "key",
        "ranges",
    ],
)
def test_attachment_by_an_unreadable_nad_is_none(broken: Manifest) -> None:
    """An attachment whose NAD isn't a readable one of ovn-kubernetes contributes nothing."""
    oracle = meaning(broken, pod("p", "10.0.0.1", networks={"red/data": ["10.1.0.1"]}), policy("q"))
    assert sources(oracle) == {("default", "n1"): ["red/p"]}


def test_annotation_overrides_the_name_of_a_network() -> None:
    """The annotation `k8s.ovn.org/network-name` on a NAD is the network's name."""
    named = nad("red/data", "wrong")
    metadata = {"namespace": "red", "name": "data", "annotations": {"k8s.ovn.org/network-name": "right"}}
    oracle = meaning(named | {"metadata": metadata}, pod("p", networks={"red/data": ["10.1.0.1"]}), policy("q"))
    assert list(sources(oracle)) == [("right", "right_n1")]


@pytest.mark.parametrize(
    ("topology", "ports"),
    [("layer2", ["red.data_red_p"]), ("localnet", ["red.data_red_p"]), ("layer3", [])],
)
def test_without_addresses_the_logical_port_counts(topology: str, ports: list[str]) -> None:
    """On flat networks a pod without addresses is known by its logical port; on layer3 it isn't known."""
    oracle = meaning(nad("red/data", "data", topology), pod("p", networks={"red/data": []}), policy("q"))
    found = [port for place in oracle.applied["red/q"].sources.values() for port in place.ports]
    assert found == ports


def test_address_outlives_its_former_owner() -> None:
    """A completed pod neither keeps an address nor takes it away from its successor."""
    former = pod("old", "10.0.0.1", labels={"app": "web"}, phase="Succeeded")
    successor = pod("new", "10.0.0.1", labels={"app": "db"})
    assert addresses(meaning(former, successor, policy("q", podSelector={"matchLabels": {"app": "web"}}))) == []
    assert addresses(meaning(former, successor, policy("q", podSelector={"matchLabels": {"app": "db"}}))) == [
        "10.0.0.1"
    ]


def test_own_namespace_needs_no_object() -> None:
    """A policy selects pods of its own namespace whether or not the namespace is known as an object."""
    subject = pod("p", "10.0.0.1")
    assert sources(meaning(subject, policy("q"))) == sources(meaning(subject, policy("q"), namespace("red")))


@pytest.mark.parametrize(
    ("network", "outside"),
    [
        ("default", "10.2.0.1"),
        ("default", "10.1.1.2"),  # of the node's own port
        ("default", "10.1.0.1"),  # of the other node's router
        ("default", "fd00::2"),
        ("l3", "10.4.0.1"),
        ("l2", "10.5.1.1"),
        ("no-ipam", ""),
    ],
)
def test_addresses_outside_of_a_networks_ranges_do_not_count(network: str, outside: str) -> None:
    """A network has the addresses of its subnets, the default one those of all nodes together; any, if unknown.

    What ovn-kubernetes keeps of a node's range, its first addresses, doesn't count on the default network.
    """
    subnets = {"l3": "10.3.0.0/16/24", "l2": "10.5.0.0/24"}
    inside = {"default": "10.1.1.3", "l3": "10.3.9.1", "l2": "10.5.0.1", "no-ipam": "172.16.0.1"}[network]
    topology = "layer3" if network == "l3" else "layer2"
    key = "default" if network == "default" else "red/data"
    oracle = meaning(
        node("n1", ranges=["10.1.0.0/24", "fd00::/64"]),
        node("n2", ranges=["10.1.1.0/24"]),
        nad("red/data", network, topology, subnets=subnets.get(network, "")),
        pod("p", networks={key: [inside, *([outside] if outside else [])]}),
        policy("q"),
    )
    found = oracle.applied["red/q"].sources
    assert [sorted(map(str, each.addresses)) for (name, _), each in found.items() if name == network] == [[inside]]


@pytest.mark.parametrize(
    ("ranges", "address", "counts"),
    [
        (["10.1.0.0/24"], "10.132.0.2", True),
        (["10.1.0.0/24"], "10.132.0.1", False),
        (["10.1.0.0/24"], "10.132.1.2", False),
        ([], "10.132.1.2", True),
    ],
)
def test_the_range_of_a_hybrid_overlay_node_counts_beside_others(
    ranges: list[str], address: str, *, counts: bool
) -> None:
    """Its gateway's address is no pod's; alone it doesn't say that others are none."""
    windows = manifest("Node", None, "w", annotations={"k8s.ovn.org/hybrid-overlay-node-subnet": "10.132.0.7/24"})
    oracle = meaning(node("n1", ranges=ranges), windows, pod("p", address, on="w"), pod("q", "10.1.0.3"), policy("q"))
    assert sources(oracle) == {("default", "n1"): ["red/q"]}
    assert bool(oracle.cluster.pods["red/p"].attachments) == counts


@pytest.mark.parametrize(
    ("mine", "other", "space", "counts"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "blue", True),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "blue", False),
        ("", "2026-01-02T00:00:00Z", "blue", False),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "blue", False),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "red", True),
    ],
)
def test_an_address_counts_for_the_namespace_of_the_oldest_pod(
    mine: str, other: str, space: str, *, counts: bool
) -> None:
    """Of two live pods of two namespaces with one address the older has it; pods of one namespace share it."""
    pods = [
        pod("p", "10.0.0.1", creationTimestamp=mine),
        pod("o", "10.0.0.1", space=space, on="n2", creationTimestamp=other),
        pod("gone", "10.0.0.1", space="green", phase="Failed", creationTimestamp="2020-01-01T00:00:00Z"),
        pod("new", "10.0.0.1", space="green", on="", creationTimestamp="2020-01-01T00:00:00Z"),
    ]
    assert addresses(meaning(*pods, policy("q"))) == (["10.0.0.1"] if counts else [])


def test_an_address_counts_for_eight_pods() -> None:
    """They are the oldest of the namespace; a ninth one has no address."""
    created = {f"p{number}": f"2026-01-{9 - number:02}T00:00:00Z" for number in range(9)}
    pods = [pod(name, "10.0.0.1", "fd00::1", creationTimestamp=each) for name, each in created.items()]
    assert sources(meaning(*pods, policy("q"))) == {("default", "n1"): [f"red/p{number}" for number in range(1, 9)]}
    assert sources(meaning(*pods[:8], policy("q"))) == {("default", "n1"): [f"red/p{number}" for number in range(8)]}


def test_a_pod_of_which_no_address_counts_is_not_one_without_addresses() -> None:
    """On a flat network its logical port makes it no source."""
    flat = nad("red/data", "data", "layer2", subnets="10.5.0.0/24")
    assert sources(meaning(flat, pod("p", networks={"red/data": ["10.6.0.1"]}), policy("q"))) == {}
