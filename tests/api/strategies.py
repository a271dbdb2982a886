"""Valid specs as values, and how Kubernetes writes them; and objects that are wrong in every way.

`SPECS` draws values; `write_spec` gives the JSON that must decode to them. `damaged` takes a good object and replaces,
removes, adds and renames parts of it anywhere.
"""

import copy
from typing import TypeAlias

from hypothesis import strategies as st

from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import (
    AnyAddress,
    BandwidthScope,
    Classifier,
    EgressRule,
    IPBlock,
    Limit,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
    Peer,
    PodPeer,
    Port,
    Protocol,
)
from tests.api.manifests import Json

Place: TypeAlias = tuple[object, object]
"""A container and the key or index of one of its parts."""

LABEL_VALUES = st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", fullmatch=True)
LABEL_KEYS = st.from_regex(
    r"([a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?\.io/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z])?", fullmatch=True
)
REQUIREMENTS = st.one_of(
    st.builds(
        Requirement,
        LABEL_KEYS,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(LABEL_VALUES, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(Requirement, LABEL_KEYS, st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST])),
)
SELECTORS = st.lists(REQUIREMENTS, max_size=3).map(LabelSelector.of)

_BITS = {4: 32, 6: 128}


def around(version: int, address: int, length: int) -> IPNetwork:
    """Give the network of some size that holds an address."""
    hosts = _BITS[version] - length
    return IPNetwork(version, address >> hosts << hosts, length)


IPV4 = st.builds(around, st.just(4), st.integers(0, 2**32 - 1), st.integers(0, 32))
IPV6 = st.builds(around, st.just(6), st.integers(0, 2**128 - 1), st.integers(0, 128))


@st.composite
def blocks(draw: st.DrawFn) -> IPBlock:
    """Draw a block whose excepts lie inside it."""
    cidr = draw(st.one_of(IPV4, IPV6))
    excepts: list[IPNetwork] = []
    for _ in range(draw(st.integers(0, 3))):
        length = draw(st.integers(cidr.length, _BITS[cidr.version]))
        excepts.append(around(cidr.version, draw(st.integers(cidr.first, cidr.last)), length))
    return IPBlock(cidr, tuple(excepts))


PEERS: st.SearchStrategy[Peer] = st.one_of(
    blocks(),
    st.builds(PodPeer, SELECTORS, st.one_of(st.none(), SELECTORS)),
    st.just(AnyAddress()),
)
PORTS = st.builds(Port, st.sampled_from(Protocol), st.one_of(st.none(), st.integers(1, 65535)))
CLASSIFIERS = st.builds(
    Classifier,
    st.lists(PEERS, max_size=3).map(tuple),
    st.lists(PEERS, max_size=2).map(tuple),
    st.lists(PORTS, max_size=3).map(tuple),
)
BANDWIDTHS = st.integers(1, 4294967295)
RULES = st.builds(
    EgressRule,
    st.integers(0, 63),
    st.one_of(st.none(), st.builds(Limit, BANDWIDTHS, st.one_of(st.none(), BANDWIDTHS))),
    CLASSIFIERS,
)
SELECTOR_PARTS = {
    NetworkSelectionType.CLUSTER_USER_DEFINED_NETWORKS: ("clusterUserDefinedNetworkSelector", False, True),
    NetworkSelectionType.PRIMARY_USER_DEFINED_NETWORKS: ("primaryUserDefinedNetworkSelector", True, False),
    NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS: ("secondaryUserDefinedNetworkSelector", True, True),
    NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS: ("networkAttachmentDefinitionSelector", True, True),
}
"""The field of each type, and whether it selects namespaces and networks (the guide, section 5.2)."""


@st.composite
def network_selectors(draw: st.DrawFn) -> NetworkSelector:
    """Draw an entry that carries what its type has."""
    type_ = draw(st.sampled_from(NetworkSelectionType))
    _, by_namespace, by_network = SELECTOR_PARTS.get(type_, ("", False, False))
    return NetworkSelector(
        type_,
        draw(SELECTORS) if by_namespace else EVERYTHING,
        draw(SELECTORS) if by_network else EVERYTHING,
    )


SPECS = st.builds(
    NetworkQoSSpec,
    st.integers(0, 100),
    st.lists(RULES, max_size=4).map(tuple),
    SELECTORS,
    st.lists(network_selectors(), max_size=5, unique_by=lambda each: each.type).map(tuple),
    st.sampled_from(BandwidthScope),
)


def write_selector(selector: LabelSelector) -> Json:
    """Write a selector: one value of In as a label where its key is free, the rest as expressions."""
    labels: dict[str, object] = {}
    expressions: list[object] = []
    for each in selector.requirements:
        if each.operator is Operator.IN and len(each.values) == 1 and each.key not in labels:
            labels[each.key] = each.values[0]
        elif each.values:
            expressions.append({"key": each.key, "operator": str(each.operator), "values": list(each.values)})
        else:
            expressions.append({"key": each.key, "operator": str(each.operator)})
    return {"matchLabels": labels, "matchExpressions": expressions}


def write_peer(peer: Peer) -> Json:
    """Write an entry of `to` or `from`."""
    match peer:
        case IPBlock(cidr, excepts):
            return {"ipBlock": {"cidr": str(cidr), "except": [str(each) for each in excepts]}}
        case PodPeer(pods, namespaces):
            written: Json = {"podSelector": write_selector(pods)}
            return written if namespaces is None else written | {"namespaceSelector": write_selector(namespaces)}
        case AnyAddress():
            return {}


def write_rule(rule: EgressRule) -> Json:
    """Write a rule."""
    written: Json = {"dscp": rule.dscp}
    if rule.limit:
        burst = {} if rule.limit.burst is None else {"burst": rule.limit.burst}
        written["bandwidth"] = {"rate": rule.limit.rate} | burst
    written["classifier"] = {
        "to": [write_peer(each) for each in rule.classifier.to],
        "from": [write_peer(each) for each in rule.classifier.from_],
        "ports": [
            {"protocol": str(each.protocol)} | ({} if each.port is None else {"port": each.port})
            for each in rule.classifier.ports
        ],
    }
    return written


def write_network_selector(selector: NetworkSelector) -> Json:
    """Write an entry of networkSelectors."""
    written: Json = {"networkSelectionType": str(selector.type)}
    if selector.type in SELECTOR_PARTS:
        name, by_namespace, by_network = SELECTOR_PARTS[selector.type]
        inner: Json = {}
        if by_namespace:
            inner["namespaceSelector"] = write_selector(selector.namespaces)
        if by_network:
            inner["networkSelector"] = write_selector(selector.networks)
        written[name] = inner
    return written


def write_spec(spec: NetworkQoSSpec) -> Json:
    """Write a spec; the scope of its limits stands in an annotation, not here."""
    written: Json = {
        "priority": spec.priority,
        "podSelector": write_selector(spec.pod_selector),
        "egress": [write_rule(each) for each in spec.egress],
    }
    if spec.network_selectors:
        written["networkSelectors"] = [write_network_selector(each) for each in spec.network_selectors]
    return written


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([-1, 2**32, 2**63, 2**64, 10**40]),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        st.sampled_from(["10.0.0.0/8", "fd00::/8", "bogus", "In", "Exists", "TCP", "Pod", "DefaultNetwork", "x" * 300]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
"""Any JSON, with a leaning to values that mean something somewhere."""


def places(value: object) -> list[Place]:
    """Give every part of an object, the outer ones first."""
    found: list[Place] = []
    if isinstance(value, dict):
        for key, part in value.items():
            found += [(value, key), *places(part)]
    elif isinstance(value, list):
        for index, part in enumerate(value):
            found += [(value, index), *places(part)]
    return found


@st.composite
def damaged(draw: st.DrawFn, good: object) -> object:
    """Draw a copy of a good object in which one to four parts have been replaced, removed, doubled or renamed."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 4))):
        parts = places(value)
        if not parts:
            break
        owner, key = draw(st.sampled_from(parts))
        how = draw(st.sampled_from(["replace", "replace", "remove", "add", "rename"]))
        if isinstance(owner, dict):
            _damage_object(draw, owner, key, how)
        elif isinstance(owner, list) and isinstance(key, int):
            _damage_list(draw, owner, key, how)
    return value


def _damage_object(draw: st.DrawFn, owner: dict[object, object], key: object, how: str) -> None:
    match how:
        case "replace":
            owner[key] = draw(ANYTHING)
        case "remove":
            del owner[key]
        case "add":
            owner[draw(st.text(max_size=8))] = draw(ANYTHING)
        case _:
            owner[f"{key}".swapcase()] = owner.pop(key)


def _damage_list(draw: st.DrawFn, owner: list[object], index: int, how: str) -> None:
    match how:
        case "replace":
            owner[index] = draw(ANYTHING)
        case "remove":
            del owner[index]
        case _:
            owner.extend([copy.deepcopy(owner[index])] * draw(st.integers(1, 25)))
