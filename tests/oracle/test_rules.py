"""Which packets a rule matches, and what it does, by example."""

from ipaddress import IPv4Address

import pytest

from tests.oracle.cluster_strategies import Manifest
from tests.oracle.examples import block, meaning, nad, namespace, node, pod, policy, rule
from tests.oracle.meaning import Decision, Oracle
from tests.oracle.packet import Treatment, packet

PEERS = [
    namespace("red", team="a"),
    namespace("blue", team="b"),
    nad("red/data", "data"),
    pod("p", "10.0.0.1", "fd00::1", labels={"app": "web"}, networks={"red/data": ["10.1.0.1"]}),
    pod("db", "10.0.0.2", "fd00::2", labels={"app": "db"}, networks={"red/data": ["10.1.0.2"]}),
    pod("far", "10.0.0.3", on="n2", space="blue", labels={"app": "db"}),
    pod("lost", "10.0.0.4", space="nowhere", labels={"app": "db"}),
    pod("over", "10.0.0.5", labels={"app": "db"}, phase="Succeeded"),
    pod("host", "10.0.0.6", labels={"app": "db"}) | {"spec": {"nodeName": "n1", "hostNetwork": True}},
    pod("leaving", "10.0.0.7", labels={"app": "db"}, deletionTimestamp="2026-01-01T00:00:00Z"),
]
LOWEST = str(IPv4Address(0))
WEB: Manifest = {"matchLabels": {"app": "web"}}


def take(
    oracle: Oracle, destination: str, protocol: str = "tcp", port: int | None = None, *, source: str | None = None
) -> Decision | None:
    """The decision on a packet of `red/p`, on the network of its addresses."""
    source = source or ("fd00::1" if ":" in destination else "10.0.0.1")
    network = "data" if source.startswith("10.1.") else "default"
    port = 80 if port is None and protocol in ("tcp", "udp", "sctp") else port
    return oracle.decide(oracle.sender("red/p", network), packet(source, destination, protocol, port))


def reached(oracle: Oracle, *destinations: str) -> list[str]:
    """The destinations to which a packet of `red/p` takes a rule."""
    return [destination for destination in destinations if take(oracle, destination) is not None]


@pytest.mark.parametrize(
    ("entries", "inside", "outside"),
    [
        ([block("10.2.0.0/30")], ["10.2.0.0", "10.2.0.3"], ["10.1.255.255", "10.2.0.4", "fd00::9", "::"]),
        ([block("10.2.0.3/30")], ["10.2.0.0", "10.2.0.3"], ["10.1.255.255", "10.2.0.4"]),
        ([block("0.0.0.0/0")], [LOWEST, "255.255.255.255"], ["::", "fd00::9", "::ffff:10.0.0.1"]),
        ([block("::/0")], ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], [LOWEST, "10.0.0.9"]),
        ([block("fd01::8/125")], ["fd01::8", "fd01::f"], ["fd01::7", "fd01::10"]),
        ([block("10.2.0.0/24", "10.2.0.4/30", "10.2.0.128/25")],
         ["10.2.0.3", "10.2.0.8", "10.2.0.127"], ["10.2.0.4", "10.2.0.7", "10.2.0.128", "10.2.0.255"]),
        ([block("10.2.0.0/24", "10.2.0.0/24")], [], ["10.2.0.0", "10.2.0.255"]),
        # an exception belongs to its own block
        ([block("10.2.0.0/24", "10.2.0.4/30"), block("10.2.0.4/32")], ["10.2.0.4"], ["10.2.0.5"]),
        ([{}], [LOWEST, "::", "10.0.0.9"], []),
        ([{"ipBlock": None, "podSelector": None}], [LOWEST, "::"], []),
        ([], [LOWEST, "::", "10.0.0.9"], []),
    ],
)  # fmt: skip
def test_destination_blocks(entries: list[object], inside: list[str], outside: list[str]) -> None:
    """An entry of `to` is a block without its exceptions, of one family, or any address; no entries don't restrict."""
    oracle = meaning(*PEERS, policy("q", rule(to=entries)))
    assert reached(oracle, *inside, *outside) == inside


@pytest.mark.parametrize(
    ("entry", "destinations"),
    [
        ({"podSelector": {}}, "10.0.0.1 10.0.0.2 10.0.0.7 fd00::2"),
        ({"podSelector": WEB}, "10.0.0.1"),
        ({"namespaceSelector": {}}, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.7 fd00::2"),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}}}, "10.0.0.4"),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, "10.0.0.3"),
        ({"podSelector": WEB, "namespaceSelector": {}}, "10.0.0.1"),
        ({"podSelector": {}, "namespaceSelector": {"matchLabels": {"team": "b"}}}, "10.0.0.3"),
        ({"podSelector": {"matchLabels": {"app": "none"}}}, ""),
    ],
)
def test_destination_pods(entry: Manifest, destinations: str) -> None:
    """Selectors mean live pods of the whole cluster, as NetworkPolicy has it; absent scope is the own namespace."""
    oracle = meaning(node("n1"), *PEERS, policy("q", rule(to=[entry])), zone="n1")
    asked = [f"10.0.0.{host}" for host in range(9)] + ["fd00::2", "10.1.0.2"]
    assert reached(oracle, *asked) == destinations.split()


def test_peers_are_those_of_the_packets_network() -> None:
    """A selected pod is reached under its address on the network of the packet only."""
    oracle = meaning(*PEERS, policy("q", rule(to=[{"podSelector": {"matchLabels": {"app": "db"}}}])))
    assert take(oracle, "10.1.0.2", source="10.1.0.1") is not None
    assert take(oracle, "10.0.0.2", source="10.1.0.1") is None
    assert take(oracle, "10.1.0.2", source="10.0.0.1") is None


@pytest.mark.parametrize(
    ("entries", "families"),
    [
        ([block("10.0.0.0/31")], [4]),
        ([block("10.0.0.2/31")], []),
        ([block("fd00::/16")], [6]),
        ([block("0.0.0.0/0", "10.0.0.1/32")], []),
        ([{}], [4, 6]),
        ([{"podSelector": WEB}], [4, 6]),
        ([{"podSelector": {"matchLabels": {"app": "db"}}}], []),
    ],
)
def test_from_restricts_by_source_address(entries: list[object], families: list[int]) -> None:
    """An entry of `from` compares the source address, in each of its forms."""
    oracle = meaning(*PEERS, policy("q", rule(from_=entries)))
    found = [family for family, to in ((4, "192.0.2.1"), (6, "2001:db8::1")) if take(oracle, to) is not None]
    assert found == families


@pytest.mark.parametrize(
    ("entries", "matching"),
    [
        ([], "tcp:79 tcp:80 tcp:81 udp:80 sctp:80 icmp other"),
        ([{}], "tcp:79 tcp:80 tcp:81"),
        ([{"port": 80}], "tcp:80"),
        ([{"protocol": "UDP"}], "udp:80"),
        ([{"protocol": "UDP", "port": 81}], ""),
        ([{"protocol": "SCTP", "port": 80}, {"port": 79}], "tcp:79 sctp:80"),
        ([{"protocol": "TCP"}, {"protocol": "TCP", "port": 80}], "tcp:79 tcp:80 tcp:81"),
    ],
)
def test_ports(entries: list[object], matching: str) -> None:
    """An entry of `ports` is a protocol, TCP unless said, and a port or all; with entries nothing else matches."""
    oracle = meaning(*PEERS, policy("q", rule(ports=entries)))
    asked = ("tcp:79", "tcp:80", "tcp:81", "udp:80", "sctp:80", "icmp", "other")
    found = [
        name
        for name in asked
        if take(oracle, "192.0.2.1", name.partition(":")[0], int(name.partition(":")[2] or 0) or None) is not None
    ]
    assert found == matching.split()


def test_all_parts_must_match() -> None:
    """`to`, `from` and `ports` restrict together."""
    both = rule(to=[block("192.0.2.0/24")], from_=[block("10.0.0.1/32")], ports=[{"port": 80}])
    oracle = meaning(*PEERS, policy("q", both))
    assert take(oracle, "192.0.2.1") is not None
    assert take(oracle, "192.0.3.1") is None
    assert take(oracle, "192.0.2.1", "tcp", 81) is None
    assert take(oracle, "2001:db8::1") is None


@pytest.mark.parametrize(
    ("bandwidth", "treatment"),
    [
        (None, Treatment(9, None, None)),
        ({}, Treatment(9, None, None)),
        ({"rate": 100}, Treatment(9, 100, None)),
        ({"rate": 100, "burst": 7}, Treatment(9, 100, 7)),
        ({"burst": 7}, Treatment(9, None, None)),
        ({"rate": 4294967295}, Treatment(9, None, None)),
    ],
)
def test_action(bandwidth: Manifest | None, treatment: Treatment) -> None:
    """A rule marks, and limits where it has a rate; a burst alone has no effect."""
    oracle = meaning(*PEERS, policy("q", {"dscp": 9, "bandwidth": bandwidth, "classifier": None}))
    decision = take(oracle, "192.0.2.1")
    assert decision is not None
    assert decision.treatment == treatment


@pytest.mark.parametrize(("scope", "per_pod"), [(None, False), ("Rule", False), ("Pod", True)])
def test_bandwidth_scope_changes_no_decision(scope: str | None, *, per_pod: bool) -> None:
    """The scope of a limit says who shares it, not which packets it is about."""
    annotations = {"nqosd.io/bandwidth-scope": scope} if scope else {}
    oracle = meaning(*PEERS, policy("q", {"dscp": 9, "bandwidth": {"rate": 5}}, annotations=annotations))
    assert oracle.applied["red/q"].limit_per_pod == per_pod
    assert take(oracle, "192.0.2.1") == Decision("red/q", 0, 9, 5, None)


def test_without_addresses_the_port_identifies_the_sender() -> None:
    """On a flat network without addresses a packet of the pod's port matches whatever its source address says."""
    flat = nad("red/flat", "flat", "layer2")
    oracle = meaning(
        flat,
        pod("p", labels={"app": "web"}, networks={"red/flat": []}),
        pod("other", networks={"red/flat": []}),
        policy("q", rule(from_=[block("192.0.2.0/24")]), podSelector=WEB),
    )
    mine, others = oracle.sender("red/p", "flat"), oracle.sender("red/other", "flat")
    assert oracle.decide(mine, packet("192.0.2.1", "198.51.100.1", "icmp")) is not None
    assert oracle.decide(mine, packet("203.0.113.1", "198.51.100.1", "icmp")) is None
    assert oracle.decide(others, packet("192.0.2.1", "198.51.100.1", "icmp")) is None


def test_address_identifies_the_sender() -> None:
    """With addresses a packet from an address that no source pod of the switch has takes no rule."""
    oracle = meaning(
        *PEERS,
        pod("remote", "10.0.0.8", on="n2", labels={"app": "web"}),
        policy("q", podSelector=WEB),
    )
    assert take(oracle, "192.0.2.1", source="10.0.0.1") is not None
    assert take(oracle, "192.0.2.1", source="10.0.0.2") is None
    assert take(oracle, "192.0.2.1", source="10.0.0.8") is None
