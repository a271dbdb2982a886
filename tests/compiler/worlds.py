"""Small worlds for property tests: values drawn from a tiny vocabulary, so that selectors hit and things collide."""

from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.labels import LabelSelector, Operator, Requirement
from nqosd.api.networkqos import (
    AnyAddress,
    BandwidthScope,
    Classifier,
    EgressRule,
    IPBlock,
    Limit,
    NetworkQoS,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
    PodPeer,
    Port,
    Protocol,
)
from nqosd.api.objects import (
    Attachment,
    Namespace,
    NetworkAttachment,
    NetworkRole,
    Node,
    Pod,
    Topology,
    UserDefinedNetwork,
)
from nqosd.api.problems import Problem
from nqosd.compiler.switches import OtherRow, Switch

NAMESPACES = ["a", "b"]
NODES = ["n1", "n2", "n3"]
NADS = ["blue", "red", "flat"]
POLICIES = ["p1", "p2", "p3"]
PODS = [f"pod{i}" for i in range(4)]

labels = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]), max_size=2)
requirements = st.one_of(
    st.builds(
        Requirement,
        st.sampled_from(["app", "tier"]),
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2, unique=True).map(tuple),
    ),
    st.builds(
        Requirement, st.sampled_from(["app", "tier"]), st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST])
    ),
)
selectors = st.lists(requirements, max_size=2).map(LabelSelector.of)
addresses = st.lists(
    st.one_of(
        st.integers(1, 9).map(lambda n: f"10.0.0.{n}"),
        st.integers(1, 9).map(lambda n: f"fd00::{n}"),
    ),
    max_size=2,
    unique=True,
).map(tuple)
_KEYS = ["default", "a/blue", "a/red", "b/flat", "b/flat/1", "a/gone"]
attachments = st.builds(
    lambda found, locked: tuple(Attachment(key, found[key], locked and key == "default") for key in sorted(found)),
    st.dictionaries(st.sampled_from(_KEYS), addresses, min_size=1, max_size=3),
    st.booleans(),
)
pods = st.builds(
    Pod,
    st.sampled_from(NAMESPACES),
    st.sampled_from(PODS),
    labels,
    st.sampled_from(["", *NODES]),
    st.sampled_from([False] * 9 + [True]),
    st.sampled_from([False] * 9 + [True]),
    attachments,
    st.sampled_from([None] * 9 + ["broken"]),
    st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
)
namespaces = st.builds(Namespace, st.sampled_from(NAMESPACES), labels)
ranges = st.sampled_from([(), (), ("10.0.0.0/28",), ("10.0.0.0/28", "fd00::/120")])
nodes = st.builds(
    Node,
    st.sampled_from(NODES),
    st.sampled_from(["", "east"]),
    st.dictionaries(st.sampled_from(["default", "blue", "gone"]), ranges, max_size=2),
    st.none(),
    st.sampled_from([False, False, True]),
)
nads = st.builds(
    NetworkAttachment,
    st.sampled_from(NAMESPACES),
    st.sampled_from(NADS),
    labels,
    st.sampled_from(["blue", "blue", "red-net", "red.net", "flat", "ext_flat", ""]),
    st.sampled_from(Topology),
    st.sampled_from(NetworkRole),
    ranges,
    st.sampled_from(["", "UserDefinedNetwork", "ClusterUserDefinedNetwork"]),
    st.sampled_from([*NADS, "u1"]),
    st.none(),
    st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
    st.booleans(),
)
user_networks, cluster_networks = (
    st.builds(UserDefinedNetwork, st.just(namespace), st.sampled_from([*NADS, "u1"]), labels) for namespace in ("a", "")
)
blocks = st.sampled_from(
    [
        IPBlock(IPNetwork.of("0.0.0.0/0"), (IPNetwork.of("10.0.0.0/30"),)),
        IPBlock(IPNetwork.of("10.0.0.4/30")),
        IPBlock(IPNetwork.of("fd00::/126"), (IPNetwork.of("fd00::1/128"),)),
        IPBlock(IPNetwork.of("::/0")),
        IPBlock(IPNetwork.of("0.0.0.0/0"), tuple(IPNetwork(4, 0x0A000000 + 3 * each, 32) for each in range(9))),
        IPBlock(IPNetwork.of("::/0"), (IPNetwork.of("fd00::3/128"),)),
    ]
)
peers = st.lists(
    st.one_of(blocks, st.builds(AnyAddress), st.builds(PodPeer, selectors, st.none() | selectors)), max_size=2
).map(tuple)
ports = st.lists(
    st.builds(Port, st.sampled_from(Protocol), st.none() | st.sampled_from([80, 81, 443])), max_size=3
).map(tuple)
rules = st.builds(
    EgressRule,
    st.integers(0, 63),
    st.none() | st.builds(Limit, st.sampled_from([1000, 20000]), st.none() | st.just(100)),
    st.builds(Classifier, peers, peers, ports),
)
network_selectors = st.lists(
    st.builds(NetworkSelector, st.sampled_from(NetworkSelectionType), selectors, selectors),
    max_size=2,
    unique_by=lambda each: each.type,
).map(tuple)
specs = st.builds(
    NetworkQoSSpec,
    st.sampled_from([1, 1, 2, 100]),
    st.lists(rules, max_size=3).map(tuple),
    selectors,
    network_selectors,
    st.sampled_from([BandwidthScope.RULE, BandwidthScope.RULE, BandwidthScope.POD]),
)


@st.composite
def policies(draw: st.DrawFn) -> NetworkQoS:
    """Draw a policy, now and then an invalid one."""
    invalid = draw(st.integers(0, 7)) == 0
    return NetworkQoS(
        namespace=draw(st.sampled_from(NAMESPACES)),
        name=draw(st.sampled_from(POLICIES)),
        created=draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", ""])),
        spec=None if invalid else draw(specs),
        problems=(Problem("spec.priority", "101 is not between 0 and 100"),) if invalid else (),
    )


_FLAT = ("layer2", "localnet")
others = st.lists(
    st.builds(
        OtherRow,
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["from-lport", "to-lport"]),
        st.sampled_from([103, 10000, 32000]),
        st.sampled_from(["ip4.src == $served && ct.trk && ct.rpl", "ip6"]),
        st.sampled_from([None, 42, 43]),
    ),
    max_size=2,
    unique=True,
).map(lambda found: tuple(sorted(found)))
switches = st.dictionaries(
    st.sampled_from([*NODES, "blue_n1", *(f"{name}_ovn_{kind}_switch" for name in ("blue", "flat") for kind in _FLAT)]),
    st.builds(Switch, st.sampled_from([(), ("stor",), ("stor", "stotr")]), others, st.booleans(), st.booleans()),
)
"""Switches as a database has them."""

_KINDS: dict[ResourceKind, st.SearchStrategy[Object]] = {
    ResourceKind.POD: pods,
    ResourceKind.NETWORK_QOS: policies(),
    ResourceKind.NETWORK_ATTACHMENT_DEFINITION: nads,
    ResourceKind.NAMESPACE: namespaces,
    ResourceKind.NODE: nodes,
    ResourceKind.USER_DEFINED_NETWORK: user_networks,
    ResourceKind.CLUSTER_USER_DEFINED_NETWORK: cluster_networks,
}


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Draw a change of any kind; a third are deletions, also of what isn't there. `old` is left to the tables."""
    kind = draw(st.sampled_from([ResourceKind.POD, ResourceKind.POD, *ResourceKind]))
    value: Object = draw(_KINDS[kind])
    return Change(kind, value.key, None, None if draw(st.integers(0, 2)) == 0 else value)


_HOME = [
    Change(ResourceKind.NAMESPACE, "a", None, Namespace("a", {"app": "x"})),
    Change(ResourceKind.NODE, "n1", None, Node("n1")),
    Change(
        ResourceKind.NETWORK_ATTACHMENT_DEFINITION, "a/blue", None, NetworkAttachment("a", "blue", {"app": "x"}, "blue")
    ),
    Change(
        ResourceKind.NETWORK_ATTACHMENT_DEFINITION,
        "b/flat",
        None,
        NetworkAttachment("b", "flat", {"app": "x"}, "flat", Topology.LAYER2, NetworkRole.PRIMARY),
    ),
]


@st.composite
def _populated(draw: st.DrawFn) -> list[Change]:
    """Draw a first batch in which some pods live on known networks and some policies select them."""
    found = list(_HOME)
    for name in PODS:
        namespace, node = draw(st.sampled_from(NAMESPACES)), draw(st.sampled_from(NODES))
        pod = replace(draw(pods), namespace=namespace, name=name, node=node, host_network=False, ended=False)
        found.append(Change(ResourceKind.POD, pod.key, None, pod))
    for name in POLICIES:
        spec = NetworkQoSSpec(
            priority=draw(st.sampled_from([1, 1, 2])),
            egress=tuple(draw(st.lists(rules, min_size=1, max_size=2))),
            pod_selector=draw(st.sampled_from([LabelSelector(), draw(selectors)])),
            bandwidth_scope=draw(st.sampled_from(BandwidthScope)),
        )
        policy = NetworkQoS(draw(st.sampled_from(NAMESPACES)), name, "2026-01-01T00:00:00Z", spec=spec)
        found.append(Change(ResourceKind.NETWORK_QOS, policy.key, None, policy))
    return found


batches = st.tuples(_populated(), st.lists(st.lists(changes(), min_size=1, max_size=4), max_size=8)).map(
    lambda drawn: [drawn[0], *drawn[1]]
)
"""Sequences of events, cut into batches anyhow; the first one fills the world."""
