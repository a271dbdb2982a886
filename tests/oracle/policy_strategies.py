"""Hypothesis strategies of NetworkQoS objects, valid and invalid, as decoded manifests.

In: nothing. Out: manifests. The rules: selectors use the labels, and blocks the addresses, that `cluster_strategies`
hands out; an invalid policy is a valid one with one thing wrong.
"""

import copy
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from hypothesis import strategies as st

from tests.oracle.cluster_strategies import NAMESPACES, Manifest, labels, manifest, one_in

_PRIORITIES = (0, 5, 5, 100)
_TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2025-12-31T23:59:59Z")
_PORTS = (1, 79, 80, 81, 82, 65535)
_LENGTHS = {4: (0, 1, 8, 16, 24, 28, 29, 30, 31, 32), 6: (0, 1, 16, 32, 64, 112, 124, 126, 127, 128)}

JSON = Any
"""The parts of a manifest while it is spoilt: any shape."""


@st.composite
def selectors(draw: st.DrawFn) -> Manifest:
    """Label selectors; half of them select everything or nearly so."""
    if draw(st.booleans()):
        return {}
    if draw(st.booleans()):
        return {"matchLabels": draw(labels())}
    key, values = draw(st.sampled_from((("app", ("web", "db")), ("tier", ("a", "b")), ("absent", ("x", "y")))))
    operator = draw(st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")))
    line: Manifest = {"key": key, "operator": operator}
    if operator in ("In", "NotIn"):
        line["values"] = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True))
    return {"matchExpressions": [line], **({"matchLabels": draw(labels())} if one_in(draw, 3) else {})}


@st.composite
def networks_selected(draw: st.DrawFn) -> list[Manifest]:
    """A valid list of network selectors."""
    every: list[Callable[[], Manifest]] = [
        lambda: {"networkSelectionType": "DefaultNetwork"},
        lambda: {
            "networkSelectionType": "NetworkAttachmentDefinitions",
            "networkAttachmentDefinitionSelector": {
                "namespaceSelector": draw(selectors()),
                "networkSelector": draw(selectors()),
            },
        },
        lambda: {
            "networkSelectionType": "ClusterUserDefinedNetworks",
            "clusterUserDefinedNetworkSelector": {"networkSelector": draw(selectors())},
        },
        lambda: {
            "networkSelectionType": "PrimaryUserDefinedNetworks",
            "primaryUserDefinedNetworkSelector": {"namespaceSelector": draw(selectors())},
        },
        lambda: {
            "networkSelectionType": "SecondaryUserDefinedNetworks",
            "secondaryUserDefinedNetworkSelector": {
                "namespaceSelector": draw(selectors()),
                "networkSelector": draw(selectors()),
            },
        },
    ]
    chosen = draw(st.lists(st.sampled_from(range(5)), min_size=1, max_size=3, unique=True))
    return [every[index]() for index in chosen]


@st.composite
def blocks(draw: st.DrawFn) -> Manifest:
    """An ipBlock around the addresses of pods, host bits set now and then, with up to three exceptions inside."""
    version = draw(st.sampled_from((4, 6)))
    subnet, host = draw(st.integers(0, 4)), draw(st.integers(0, 9))
    address = f"10.{subnet}.0.{host}" if version == 4 else f"fd00:{subnet}::{host:x}"
    length = draw(st.sampled_from(_LENGTHS[version]))
    whole = ip_network(f"{address}/{length}", strict=False)
    excepted = [draw(_inside(whole, address)) for _ in range(draw(st.sampled_from((0, 0, 1, 2, 3))))]
    block: Manifest = {"cidr": f"{address}/{length}" if one_in(draw, 6) else str(whole)}
    if one_in(draw, 4):  # one address may stand there without its length
        block, excepted = {"cidr": _bare(str(block["cidr"]))}, [*map(_bare, excepted)]
    return {**block, "except": excepted} if excepted else block


def _bare(cidr: str) -> str:
    """Leave out the length of one address."""
    return cidr.removesuffix("/128") if ":" in cidr else cidr.removesuffix("/32")


@st.composite
def _inside(draw: st.DrawFn, whole: IPv4Network | IPv6Network, address: str) -> str:
    """A part of a network: at its beginning, at its end, or around an address."""
    lengths = [length for length in _LENGTHS[whole.version] if length > whole.prefixlen]
    if not lengths:
        return str(whole)
    length = draw(st.sampled_from((*lengths, *([whole.prefixlen] if one_in(draw, 10) else []))))
    anchor = draw(st.sampled_from((address, str(whole.network_address), str(whole.broadcast_address))))
    return str(ip_network(f"{anchor}/{length}", strict=False))


@st.composite
def peers(draw: st.DrawFn) -> Manifest:
    """An entry of `to` or `from`."""
    match draw(st.integers(0, 9)):
        case 0:
            return {}
        case 1 | 2 | 3 | 4 | 5:
            return {"ipBlock": draw(blocks())}
        case 6 | 7:
            return {"podSelector": draw(selectors())}
        case 8:
            return {"namespaceSelector": draw(selectors())}
        case _:
            return {"podSelector": draw(selectors()), "namespaceSelector": draw(selectors())}


def ports() -> st.SearchStrategy[Manifest]:
    """An entry of `ports`."""
    parts: dict[str, st.SearchStrategy[object]] = {
        "protocol": st.sampled_from(("TCP", "UDP", "SCTP")),
        "port": st.sampled_from(_PORTS),
    }
    return st.fixed_dictionaries({}, optional=parts)


@st.composite
def rules(draw: st.DrawFn) -> Manifest:
    """An egress rule; most have a classifier, and most classifiers a `to`."""
    parts: Manifest = {}
    if not one_in(draw, 5):
        parts["to"] = draw(st.lists(peers(), min_size=0 if one_in(draw, 8) else 1, max_size=3))
    if one_in(draw, 4):
        parts["from"] = draw(st.lists(peers(), max_size=2))
    if one_in(draw, 3):
        parts["ports"] = draw(st.lists(ports(), max_size=4))
    rule: Manifest = {"dscp": draw(st.integers(0, 63))}
    if draw(st.booleans()):
        limits = {"rate": st.sampled_from((1, 2000, 50000, 4294967295)), "burst": st.sampled_from((1, 100))}
        rule["bandwidth"] = draw(st.fixed_dictionaries({}, optional=limits))
    if parts or one_in(draw, 2):
        rule["classifier"] = parts
    return rule


@st.composite
def policies(draw: st.DrawFn, name: str = "q0", *, valid: bool | None = None) -> Manifest:
    """A NetworkQoS; `valid` None: one in ten is invalid."""
    annotations = {"nqosd.io/bandwidth-scope": draw(st.sampled_from(("Rule", "Pod")))} if one_in(draw, 6) else {}
    spec: Manifest = {"priority": draw(st.sampled_from(_PRIORITIES)), "egress": draw(st.lists(rules(), max_size=3))}
    if draw(st.booleans()):
        spec["podSelector"] = draw(selectors())
    if draw(st.booleans()):
        spec["networkSelectors"] = draw(networks_selected())
    policy = manifest(
        "NetworkQoS",
        draw(st.sampled_from(NAMESPACES + 3 * NAMESPACES[:1])),
        name,
        annotations=annotations,
        creationTimestamp=draw(st.sampled_from(_TIMES)),
        spec=spec,
    )
    return draw(spoilt(policy)) if valid is False or (valid is None and one_in(draw, 10)) else policy


@st.composite
def crowds(draw: st.DrawFn) -> list[Manifest]:
    """More than ten policies of one namespace and priority, some of which also differ."""
    crowd = [draw(policies(f"q{number}", valid=True)) for number in range(draw(st.integers(11, 13)))]
    for policy in crowd:
        _part(policy, "metadata")["namespace"] = "red"
        _part(policy, "spec")["priority"] = 5
    return crowd


def _part(value: JSON, key: str) -> JSON:
    return value[key]


_FAULTS: tuple[Callable[[JSON], object], ...] = (
    lambda policy: policy["spec"].pop("priority"),
    lambda policy: policy["spec"].update(priority=101),
    lambda policy: policy["spec"].update(priority="5"),
    lambda policy: policy["spec"].pop("egress"),
    lambda policy: policy["spec"].update(egress={}),
    lambda policy: policy["spec"].update(networkSelectors=[]),
    lambda policy: policy["spec"].update(networkSelectors=[{"networkSelectionType": "Everything"}]),
    lambda policy: policy["spec"].update(networkSelectors=2 * [{"networkSelectionType": "DefaultNetwork"}]),
    lambda policy: policy["spec"].update(networkSelectors=[{"networkSelectionType": "PrimaryUserDefinedNetworks"}]),
    lambda policy: policy["spec"].update(podSelector={"matchLabels": {"-app": "web"}}),
    lambda policy: policy["spec"].update(podSelector={"matchExpressions": [{"key": "app", "operator": "In"}]}),
    lambda policy: policy["metadata"].update(annotations={"nqosd.io/bandwidth-scope": "Node"}),
    lambda policy: policy["spec"]["egress"].append({"dscp": 64}),
    lambda policy: policy["spec"]["egress"].append({"dscp": True}),
    lambda policy: policy["spec"]["egress"].append({"dscp": 1, "bandwidth": {"rate": 0}}),
    lambda policy: policy["spec"]["egress"].append({"dscp": 1, "classifier": {"ports": [{"protocol": "TCPfoo"}]}}),
    lambda policy: policy["spec"]["egress"].append({"dscp": 1, "classifier": {"ports": [{"port": 65536}]}}),
    lambda policy: policy["spec"]["egress"].append({"dscp": 1, "classifier": {"to": [{"ipBlock": {}}]}}),
    lambda policy: policy["spec"]["egress"].append(
        {"dscp": 1, "classifier": {"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}}
    ),
    lambda policy: policy["spec"]["egress"].append(
        {"dscp": 1, "classifier": {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}}
    ),
    lambda policy: policy["spec"]["egress"].append(
        {"dscp": 1, "classifier": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}}
    ),
)


@st.composite
def spoilt(draw: st.DrawFn, policy: Manifest) -> Manifest:
    """A policy with one thing wrong."""
    wrong = copy.deepcopy(policy)
    draw(st.sampled_from(_FAULTS))(wrong)
    return wrong
