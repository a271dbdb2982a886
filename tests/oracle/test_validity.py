"""What is wrong with invalid policies, by example."""

import pytest

from tests.oracle.cluster_strategies import Manifest
from tests.oracle.examples import block, policy, rule
from tests.oracle.validity import SCOPE_ANNOTATION, problems

GUIDE = {
    "priority": 10,
    "podSelector": {"matchLabels": {"nqos-app": "bw-limited"}},
    "networkSelectors": [
        {
            "networkSelectionType": "NetworkAttachmentDefinitions",
            "networkAttachmentDefinitionSelector": {
                "namespaceSelector": {},
                "networkSelector": {"matchLabels": {"nad-type": "ovn-kubernetes-nqos"}},
            },
        }
    ],
    "egress": [
        {
            "dscp": 20,
            "bandwidth": {"burst": 100, "rate": 20000},
            "classifier": {"to": [block("0.0.0.0/0", "10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16")]},
        }
    ],
}
PEER = "spec.egress[0].classifier.to[0]"
PORT = "spec.egress[0].classifier.ports[0]"
SELECTED = "spec.networkSelectors[0]"


def fields(subject: Manifest) -> list[str]:
    """The fields of a policy's problems."""
    return [problem.field for problem in problems(subject)]


def to(entry: object) -> Manifest:
    """A policy with one entry of `to`."""
    return policy("q", rule(to=[entry]))


def ports(entry: object) -> Manifest:
    """A policy with one entry of `ports`."""
    return policy("q", rule(ports=[entry]))


def selects(*entries: object) -> Manifest:
    """A policy with network selectors."""
    return policy("q", networkSelectors=list(entries))


def pods(selector: object) -> Manifest:
    """A policy with a pod selector."""
    return policy("q", podSelector=selector)


def line(**parts: object) -> Manifest:
    """A policy whose pod selector has one expression."""
    return pods({"matchExpressions": [parts]})


def with_spec(**changes: object) -> Manifest:
    """A policy whose spec is the plainest one with changes; None takes a field away."""
    spec = {"priority": 5, "egress": [], **changes}
    return policy("q") | {"spec": {key: value for key, value in spec.items() if value is not None}}


@pytest.mark.parametrize(
    "subject",
    [
        policy("q") | {"spec": GUIDE},
        with_spec(),
        with_spec(priority=0),
        with_spec(priority=100),
        with_spec(egress=[{"dscp": 0}, {"dscp": 63}]),
        with_spec(egress=20 * [{"dscp": 1}]),
        with_spec(egress=[{"dscp": 1, "bandwidth": {"rate": 1, "burst": 4294967295}}]),
        with_spec(egress=[{"dscp": 1, "bandwidth": {"burst": 1}}]),
        with_spec(egress=[{"dscp": 1, "bandwidth": None, "classifier": None}]),
        with_spec(egress=[{"dscp": 1, "classifier": {"to": None, "from": [], "ports": None}}]),
        with_spec(unknown=1),
        to({}),
        to({"podSelector": {}, "namespaceSelector": {}}),
        to({"ipBlock": None, "podSelector": {}}),
        to(block("10.0.0.1/8", "10.1.2.3/16")),
        to(block("10.0.0.0/8", "10.0.0.0/8")),
        to(block("::/0", "fd00::/8")),
        to(block("fd00::1/128")),
        ports({}),
        ports({"protocol": "SCTP", "port": 65535}),
        ports({"protocol": None, "port": 1}),
        pods({}),
        pods({"matchLabels": {"app": "", "example.com/app": "A.b_c-9", "A": 63 * "x"}}),
        line(key="app", operator="In", values=["web", ""]),
        line(key="app", operator="Exists"),
        line(key="app", operator="DoesNotExist", values=[]),
        selects({"networkSelectionType": "DefaultNetwork"}),
        policy("q", annotations={SCOPE_ANNOTATION: "Rule"}),
        policy("q", annotations={SCOPE_ANNOTATION: "Pod"}),
    ],
)
def test_valid(subject: Manifest) -> None:
    """A policy within all bounds has no problems."""
    assert problems(subject) == ()


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        (policy("q") | {"spec": None}, "spec"),
        (policy("q", annotations={SCOPE_ANNOTATION: "pod"}), f"metadata.annotations[{SCOPE_ANNOTATION}]"),
        (with_spec(priority=None), "spec.priority"),
        (with_spec(priority=-1), "spec.priority"),
        (with_spec(priority=101), "spec.priority"),
        (with_spec(priority="5"), "spec.priority"),
        (with_spec(priority=True), "spec.priority"),
        (with_spec(egress=None), "spec.egress"),
        (with_spec(egress={}), "spec.egress"),
        (with_spec(egress=21 * [{"dscp": 1}]), "spec.egress"),
        (with_spec(egress=[1]), "spec.egress[0]"),
        (with_spec(egress=[{"dscp": 1}, {}]), "spec.egress[1].dscp"),
        (with_spec(egress=[{"dscp": 64}]), "spec.egress[0].dscp"),
        (with_spec(egress=[{"dscp": -1}]), "spec.egress[0].dscp"),
        (with_spec(egress=[{"dscp": 1, "bandwidth": []}]), "spec.egress[0].bandwidth"),
        (with_spec(egress=[{"dscp": 1, "bandwidth": {"rate": 0}}]), "spec.egress[0].bandwidth.rate"),
        (with_spec(egress=[{"dscp": 1, "bandwidth": {"rate": 4294967296}}]), "spec.egress[0].bandwidth.rate"),
        (with_spec(egress=[{"dscp": 1, "bandwidth": {"rate": 1, "burst": 0}}]), "spec.egress[0].bandwidth.burst"),
        (with_spec(egress=[{"dscp": 1, "classifier": 1}]), "spec.egress[0].classifier"),
        (policy("q", rule(from_=[block("x")])), "spec.egress[0].classifier.from[0].ipBlock.cidr"),
        (policy("q", rule(to=[{}, 1])), "spec.egress[0].classifier.to[1]"),
        (policy("q", {"dscp": 1, "classifier": {"to": {}}}), "spec.egress[0].classifier.to"),
        # blocks
        (to({"ipBlock": 1}), f"{PEER}.ipBlock"),
        (to({"ipBlock": {}}), f"{PEER}.ipBlock.cidr"),
        (to(block("10.0.0")), f"{PEER}.ipBlock.cidr"),
        (with_spec(egress=[{"dscp": 1.5}]), "spec.egress[0].dscp"),
        (to(block("10.0.0.0/33")), f"{PEER}.ipBlock.cidr"),
        (to(block("10.0.0.0/08")), f"{PEER}.ipBlock.cidr"),
        (to(block("10.0.0.0/-1")), f"{PEER}.ipBlock.cidr"),
        (to(block("10.0.0.0/255.0.0.0")), f"{PEER}.ipBlock.cidr"),
        (to(block("10.0.0/8")), f"{PEER}.ipBlock.cidr"),
        (to(block("010.0.0.0/8")), f"{PEER}.ipBlock.cidr"),
        (to(block("fe80::1%eth0/64")), f"{PEER}.ipBlock.cidr"),
        (to(block("fd00::/129")), f"{PEER}.ipBlock.cidr"),
        (to(block("10.0.0.0/8 ")), f"{PEER}.ipBlock.cidr"),
        (to({"ipBlock": {"cidr": "10.0.0.0/8", "except": "10.0.0.0/9"}}), f"{PEER}.ipBlock.except"),
        (to(block("192.168.0.0/16", "192.168.1.0/24", "10.0.0.0/8")), f"{PEER}.ipBlock.except[1]"),
        (to(block("192.168.0.0/16", "192.0.0.0/8")), f"{PEER}.ipBlock.except[0]"),
        (to(block("0.0.0.0/0", "fd00::/8")), f"{PEER}.ipBlock.except[0]"),
        (to(block("::/0", "nonsense")), f"{PEER}.ipBlock.except[0]"),
        (to({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}), PEER),
        (to({"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}}), PEER),
        # ports
        (ports({"protocol": "tcp"}), f"{PORT}.protocol"),
        (ports({"protocol": "TCPfoo"}), f"{PORT}.protocol"),
        (ports({"protocol": "ICMP"}), f"{PORT}.protocol"),
        (ports({"port": 0}), f"{PORT}.port"),
        (ports({"port": 65536}), f"{PORT}.port"),
        (ports({"port": "http"}), f"{PORT}.port"),
        # label selectors
        (pods([]), "spec.podSelector"),
        (pods({"matchLabels": []}), "spec.podSelector.matchLabels"),
        (pods({"matchLabels": {"": "x"}}), "spec.podSelector.matchLabels[]"),
        (pods({"matchLabels": {"-a": "x"}}), "spec.podSelector.matchLabels[-a]"),
        (pods({"matchLabels": {"a/b/c": "x"}}), "spec.podSelector.matchLabels[a/b/c]"),
        (pods({"matchLabels": {"/a": "x"}}), "spec.podSelector.matchLabels[/a]"),
        (pods({"matchLabels": {"Ex.com/a": "x"}}), "spec.podSelector.matchLabels[Ex.com/a]"),
        (pods({"matchLabels": {64 * "a": "x"}}), f"spec.podSelector.matchLabels[{64 * 'a'}]"),
        (pods({"matchLabels": {"a": "x-"}}), "spec.podSelector.matchLabels[a]"),
        (pods({"matchLabels": {"a": 64 * "x"}}), "spec.podSelector.matchLabels[a]"),
        (pods({"matchLabels": {"a": "x\n"}}), "spec.podSelector.matchLabels[a]"),
        (pods({"matchLabels": {"a": 1}}), "spec.podSelector.matchLabels[a]"),
        (pods({"matchExpressions": {}}), "spec.podSelector.matchExpressions"),
        (pods({"matchExpressions": [1]}), "spec.podSelector.matchExpressions[0]"),
        (line(operator="Exists"), "spec.podSelector.matchExpressions[0].key"),
        (line(key="a"), "spec.podSelector.matchExpressions[0].operator"),
        (line(key="a", operator="in", values=["x"]), "spec.podSelector.matchExpressions[0].operator"),
        (line(key="a", operator="In"), "spec.podSelector.matchExpressions[0].values"),
        (line(key="a", operator="NotIn", values=[]), "spec.podSelector.matchExpressions[0].values"),
        (line(key="a", operator="Exists", values=["x"]), "spec.podSelector.matchExpressions[0].values"),
        (line(key="a", operator="In", values="x"), "spec.podSelector.matchExpressions[0].values"),
        (line(key="a", operator="In", values=["x", "-"]), "spec.podSelector.matchExpressions[0].values[1]"),
        (to({"namespaceSelector": {"matchLabels": {"a": "-"}}}), f"{PEER}.namespaceSelector.matchLabels[a]"),
        # network selectors
        (selects(), "spec.networkSelectors"),
        (with_spec(networkSelectors={}), "spec.networkSelectors"),
        (selects({}), f"{SELECTED}.networkSelectionType"),
        (selects({"networkSelectionType": "Everything"}), f"{SELECTED}.networkSelectionType"),
        (selects({"networkSelectionType": "NetworkAttachmentDefinitions"}),
         f"{SELECTED}.networkAttachmentDefinitionSelector"),
        (selects({"networkSelectionType": "ClusterUserDefinedNetworks", "clusterUserDefinedNetworkSelector": {}}),
         f"{SELECTED}.clusterUserDefinedNetworkSelector.networkSelector"),
        (selects({"networkSelectionType": "PrimaryUserDefinedNetworks", "primaryUserDefinedNetworkSelector": {}}),
         f"{SELECTED}.primaryUserDefinedNetworkSelector.namespaceSelector"),
        (selects({"networkSelectionType": "SecondaryUserDefinedNetworks",
                  "secondaryUserDefinedNetworkSelector": {"networkSelector": {}}}),
         f"{SELECTED}.secondaryUserDefinedNetworkSelector.namespaceSelector"),
        (selects({"networkSelectionType": "DefaultNetwork", "clusterUserDefinedNetworkSelector": {}}),
         f"{SELECTED}.clusterUserDefinedNetworkSelector"),
        (selects({"networkSelectionType": "DefaultNetwork"}, {"networkSelectionType": "DefaultNetwork"}),
         "spec.networkSelectors[1].networkSelectionType"),
    ],
)  # fmt: skip
def test_invalid(subject: Manifest, field: str) -> None:
    """A fault is one problem, at the path of its field."""
    assert fields(subject) == [field]


def test_all_problems_at_once() -> None:
    """Every fault of a policy is told, not only the first."""
    blocks = [block("10.0.0.0/8", "11.0.0.0/8", "x"), block("y")]
    wrong = policy("q", {"dscp": 64, "classifier": {"to": blocks, "ports": [{"port": 0}]}}, {}, priority=101)
    assert fields(wrong) == [
        "spec.priority",
        "spec.egress[0].dscp",
        "spec.egress[0].classifier.to[0].ipBlock.except[0]",
        "spec.egress[0].classifier.to[0].ipBlock.except[1]",
        "spec.egress[0].classifier.to[1].ipBlock.cidr",
        "spec.egress[0].classifier.ports[0].port",
        "spec.egress[1].dscp",
    ]


def test_messages_say_what_is_wrong() -> None:
    """A message names the value and what it should be."""
    (problem,) = problems(to(block("192.168.0.0/16", "10.0.0.0/8")))
    assert problem.message == "10.0.0.0/8 is not inside 192.168.0.0/16"
