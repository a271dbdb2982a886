"""Scenarios written by hand, for what generated ones hold seldom.

In: nothing. Out: scenarios for every version of OVN. Rule: each one says what it is there for.
"""

from tests.oracle.cluster_strategies import Manifest, manifest
from tests.oracle.examples import block, nad, namespace, node, pod, policy, rule
from tests.oracle.strategies import Settings as Options
from tests.proof.scenarios import VERSIONS, Scenario

WEB, DATA = {"app": "web"}, {"app": "db"}
_NOBODY = {"podSelector": {"matchLabels": {"app": "nobody"}}}
_WEB = {"podSelector": {"matchLabels": WEB}}


def rarities() -> list[Scenario]:
    """Give all of them."""
    every = (
        _neighbouring_ports(),
        _owner_labels(),
        _owners_of_other_names(),
        _selectors(),
        _without_addresses(),
        _empty_sets(),
        _shared_limit(),
        _long_lists(),
        _hybrid_node(),
        _attached_twice(),
        _crowd(),
    )
    option = Options(zone=None, unselected_networks="all")
    return [Scenario(_by_kind(manifests), option, version) for manifests in every for version in VERSIONS]


def _neighbouring_ports() -> list[Manifest]:
    """Ports that become ranges, beside single ones and whole protocols."""
    numbers = (79, 80, 81, 82, 443, 65534, 65535)
    ports: list[object] = [{"protocol": "TCP", "port": number} for number in numbers]
    ports += [{"protocol": "UDP"}, {"protocol": "SCTP", "port": 1}, {"protocol": "SCTP", "port": 2}]
    return [pod("p0", "10.0.0.1", "fd00::1"), policy("ports", rule(1, ports=ports))]


def _long_lists() -> list[Manifest]:
    """Two different lists of more prefixes than stand in a match."""
    first = block("0.0.0.0/0", "10.0.0.1/32", "172.16.0.1/32", "192.168.0.1/32")
    second = block("0.0.0.0/0", "10.1.2.3/32", "172.17.0.1/32", "198.51.100.1/32")
    return [pod("p0", "10.0.0.1"), pod("p1", "10.1.2.3"), policy("long", rule(1, to=[first]), rule(2, to=[second]))]


def _owner_labels() -> list[Manifest]:
    """A ClusterUserDefinedNetwork whose labels its NetworkAttachmentDefinitions don't carry (yet)."""
    chosen = {"matchLabels": {"tier": "a"}}
    return [
        manifest("ClusterUserDefinedNetwork", None, "wide", labels={"tier": "a"}),
        nad("red/wide", "stream", owner=("ClusterUserDefinedNetwork", "wide")),
        pod("p0", "10.0.0.1", networks={"red/wide": ["10.1.0.1"]}),
        policy(
            "owned",
            networkSelectors=[
                {
                    "networkSelectionType": "ClusterUserDefinedNetworks",
                    "clusterUserDefinedNetworkSelector": {"networkSelector": chosen},
                }
            ],
        ),
    ]


def _owners_of_other_names() -> list[Manifest]:
    """Definitions that say they are of user-defined networks which ovn-kubernetes would have given their names."""
    chosen = {"networkSelector": {"matchLabels": {"tier": "a"}}}
    cluster = {"networkSelectionType": "ClusterUserDefinedNetworks", "clusterUserDefinedNetworkSelector": chosen}
    secondary = {
        "networkSelectionType": "SecondaryUserDefinedNetworks",
        "secondaryUserDefinedNetworkSelector": {"namespaceSelector": {}, **chosen},
    }
    return [
        namespace("red"),
        manifest("ClusterUserDefinedNetwork", None, "wide", labels={"tier": "a"}),
        manifest("UserDefinedNetwork", "red", "narrow", labels={"tier": "a"}),
        nad("red/mine", "stream", owner=("ClusterUserDefinedNetwork", "wide")),
        nad("red/yours", "flat", topology="layer2", owner=("UserDefinedNetwork", "narrow")),
        pod("p0", "10.0.0.1", networks={"red/mine": ["10.1.0.1"], "red/yours": ["10.2.0.1"]}),
        policy("owned", networkSelectors=[cluster, secondary]),
    ]


def _selectors() -> list[Manifest]:
    """Selectors at which a label is absent, a value is empty, or a namespace is left open."""
    not_web = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}
    empty = {"matchLabels": {"app": ""}}
    return [
        namespace("red", tier="a"),
        pod("p0", "10.0.0.1", labels=WEB),
        pod("p1", "10.0.0.2"),
        pod("p2", "10.0.0.3", labels={"app": ""}),
        pod("p3", "10.0.0.4", labels=WEB, space="blue"),
        policy(
            "selected",
            rule(1, to=[{"podSelector": not_web}]),
            rule(2, to=[_WEB]),
            rule(3, to=[{"podSelector": empty, "namespaceSelector": {"matchLabels": {"tier": "a"}}}]),
            rule(4, to=[{"podSelector": {"matchLabels": WEB}, "namespaceSelector": not_web}], ports=[{"port": 1}]),
        ),
        policy("unlabelled", priority=9, podSelector=not_web, space="blue"),
    ]


def _without_addresses() -> list[Manifest]:
    """Senders that only their logical ports tell, with limits for all of them and for each."""
    limited: Manifest = {**rule(2, to=[block("10.0.0.0/8", "10.1.0.0/16")]), "bandwidth": {"rate": 1000}}
    each = {"nqosd.io/bandwidth-scope": "Pod"}
    return [
        nad("red/flat", "flat", "layer2"),
        nad("red/vlan", "vlan-100", "localnet"),
        pod("p0", "10.0.0.1", networks={"red/flat": [], "red/vlan": []}),
        pod("p1", "10.0.0.2", networks={"red/flat": ["10.2.0.2", "fd02::2"], "red/vlan": []}),
        pod("p2", "10.0.0.3", space="blue", networks={"red/flat": []}),
        policy("shared", rule(1), limited),
        policy("alone", rule(3, ports=[{"protocol": "UDP"}]), limited, space="blue", annotations=each),
    ]


def _empty_sets() -> list[Manifest]:
    """Sets of peers without members: alone, beside a block, and for the source, where both sets must hold."""
    other = block("10.9.0.0/16", "10.9.1.0/24")
    return [
        namespace("red"),
        pod("p0", "10.0.0.1", "fd00::1", labels=WEB),
        pod("p1", "10.0.0.2", labels=DATA),
        policy(
            "senders",
            rule(1, to=[_NOBODY]),
            rule(2, to=[_NOBODY, other]),
            rule(3, from_=[_NOBODY]),
            rule(4, from_=[_WEB], to=[other, _WEB, _NOBODY]),
            {**rule(5, from_=[_WEB, block("10.0.0.2/32")], to=[block("172.16.0.0/12")]), "bandwidth": {"rate": 1000}},
            {**rule(6, to=[_NOBODY, block("192.168.0.0/16")]), "bandwidth": {"rate": 2000, "burst": 2000}},
        ),
    ]


def _shared_limit() -> list[Manifest]:
    """Pods of one node and of another that share a limit, and pods that don't, with both families.

    One node says which addresses are its own, so that what comes back to it can be told.
    """
    limited = {"dscp": 7, "bandwidth": {"rate": 5000}}
    return [
        node("n1", ranges=["10.0.0.0/16", "fd00::/15"]),
        node("n2"),
        *(pod(f"p{number}", f"10.0.0.{number}", f"fd00::{number}", on=f"n{number % 2 + 1}") for number in range(1, 5)),
        policy("all", limited),
        policy("each", {**limited, "dscp": 8}, annotations={"nqosd.io/bandwidth-scope": "Pod"}, space="blue"),
        *(pod(f"b{number}", f"10.0.1.{number}", f"fd01::{number}", space="blue") for number in range(1, 3)),
    ]


def _hybrid_node() -> list[Manifest]:
    """Pods on a node that has no logical switch, one with its gateway's address, beside one that sends to them."""
    annotations = {"k8s.ovn.org/hybrid-overlay-node-subnet": "10.132.0.0/24"}
    nodes = [node("n1", ranges=["10.0.0.0/24"]), manifest("Node", None, "windows", annotations=annotations)]
    pods = [
        pod("p0", "10.0.0.3", on="n1"),
        *(pod(f"p{host}", f"10.132.0.{host}", on="windows") for host in range(1, 4)),
    ]
    return [*nodes, *pods, policy("all", rule(7, to=[{"podSelector": {}}]))]


def _attached_twice() -> list[Manifest]:
    """A pod that is attached to one definition twice."""
    networks = {"red/wide": ["10.1.0.1"], "red/wide/1": ["10.1.0.2"]}
    return [nad("red/wide", "stream"), pod("p0", "10.0.0.1", networks=networks), policy("twice", rule(7))]


def _crowd() -> list[Manifest]:
    """Nine pods of one namespace with one address, of which it counts for the oldest eight, and a younger one's."""
    pods = [
        pod(f"p{number}", "10.0.0.1", labels={"app": str(number)}, creationTimestamp=f"2026-01-0{9 - number}T00:00:00Z")
        for number in range(9)
    ]
    of_each = [policy(f"q{each}", rule(each), podSelector={"matchLabels": {"app": str(each)}}) for each in (0, 1)]
    other = pod("other", "10.0.0.1", space="blue", creationTimestamp="2026-01-09T00:00:00Z")
    return [*pods, *of_each, other, policy("others", rule(7), space="blue")]


def _by_kind(manifests: list[Manifest]) -> dict[str, list[Manifest]]:
    objects: dict[str, list[Manifest]] = {}
    for each in manifests:
        objects.setdefault(str(each["kind"]), []).append(each)
    return objects
