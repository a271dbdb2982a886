"""A whole NetworkQoS: its spec, and the annotation that says who shares a limit.

Bounds are those of the CRD (k8s.ovn.org/v1alpha1). What a small burst does was measured on OVN 23.03 and 25.03, TCP at
a rate of 20000 kbps: a burst of 2000 kilobits passes half the rate, 400 a sixth, 100 a twelfth; below a thousandth of
the rate nothing passes. Without a burst OVN takes one of the rate's size.
"""

import msgspec

from nqosd.api.labels import EVERYTHING, LabelSelector
from nqosd.api.networkqos import (
    BandwidthScope,
    EgressRule,
    Limit,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
)
from nqosd.api.problems import Problem
from nqosd.api.validation.classifiers import read_classifier
from nqosd.api.validation.fields import Field, Findings
from nqosd.api.validation.selectors import read_selector

ANNOTATION_PREFIX = "nqosd.io/"
BANDWIDTH_SCOPE = "nqosd.io/bandwidth-scope"

_MAX_BANDWIDTH = 4294967295
_MAX_DSCP = 63
_MAX_PRIORITY = 100
_MAX_RULES = 20
_MAX_SELECTORS = 5
_TCP_SUFFERS = 10
_NOTHING_PASSES = 1000

_SELECTORS = {
    NetworkSelectionType.CLUSTER_USER_DEFINED_NETWORKS: ("clusterUserDefinedNetworkSelector", ("networkSelector",)),
    NetworkSelectionType.PRIMARY_USER_DEFINED_NETWORKS: ("primaryUserDefinedNetworkSelector", ("namespaceSelector",)),
    NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS: (
        "secondaryUserDefinedNetworkSelector",
        ("namespaceSelector", "networkSelector"),
    ),
    NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS: (
        "networkAttachmentDefinitionSelector",
        ("namespaceSelector", "networkSelector"),
    ),
}
"""The field that each type fills, and the label selectors that must stand in it; DefaultNetwork fills none."""


class Validated(msgspec.Struct, frozen=True):
    """What validation found: `spec` is None exactly when there are problems."""

    spec: NetworkQoSSpec | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def validate(annotations: object, spec: object) -> Validated:
    """Read `metadata.annotations` and `spec` of a policy as JSON decodes them; None where absent."""
    findings = Findings()
    scope = _read_scope(Field("metadata.annotations", annotations, findings))
    read = _read_spec(Field("spec", spec, findings), scope)
    return Validated(None if findings.problems else read, tuple(findings.problems), tuple(findings.warnings))


def _read_scope(annotations: Field) -> BandwidthScope:
    scope = BandwidthScope.RULE
    for key, entry in annotations.entries():
        if key == BANDWIDTH_SCOPE:
            scope = entry.choice(BandwidthScope) or scope
        elif key.startswith(ANNOTATION_PREFIX):
            entry.warn(f"unknown annotation, ignored; nqosd knows {BANDWIDTH_SCOPE}")
    return scope


def _read_spec(field: Field, scope: BandwidthScope) -> NetworkQoSSpec | None:
    parts = field.parts("priority", "podSelector", "networkSelectors", "egress")
    if parts is None:
        return None
    priority_field, pod_selector, network_selectors, egress = parts
    priority = priority_field.integer(0, _MAX_PRIORITY)
    selector = read_selector(pod_selector) if pod_selector.present else EVERYTHING
    networks = _read_network_selectors(network_selectors)
    rules = _read_rules(egress)
    if priority is None:
        return None
    return NetworkQoSSpec(priority, rules, selector, networks, scope)


def _read_network_selectors(field: Field) -> tuple[NetworkSelector, ...]:
    items = field.items()
    if isinstance(field.value, list) and not 1 <= len(items) <= _MAX_SELECTORS:
        field.problem(f"{len(items)} entries; 1 to {_MAX_SELECTORS} are allowed; leave it out to mean every network")
    seen: dict[NetworkSelectionType, Field] = {}
    selectors = []
    for item in items:
        selector = _read_network_selector(item)
        if selector is None:
            continue
        selectors.append(selector)
        first = seen.setdefault(selector.type, item)
        if first is not item:
            path = f"{item.path}.networkSelectionType"
            Field(path, None, field.findings).problem(f"{selector.type} is already the type of {first.path}")
    return tuple(selectors)


def _read_network_selector(field: Field) -> NetworkSelector | None:
    names = [name for name, _ in _SELECTORS.values()]
    parts = field.parts("networkSelectionType", *names)
    if parts is None:
        return None
    type_ = parts[0].choice(NetworkSelectionType)
    if type_ is None:
        return None
    own_name, wanted = _SELECTORS.get(type_, (None, ()))
    found: dict[str, LabelSelector] = {}
    for name, part in zip(names, parts[1:], strict=True):
        if name != own_name:
            if part.present:
                part.problem(f"can't stand in an entry of type {type_}")
        elif (selectors := part.parts(*wanted)) is not None:
            found = dict(zip(wanted, map(read_selector, selectors), strict=True))
    return NetworkSelector(
        type_,
        namespaces=found.get("namespaceSelector", EVERYTHING),
        networks=found.get("networkSelector", EVERYTHING),
    )


def _read_rules(field: Field) -> tuple[EgressRule, ...]:
    if not field.present:
        field.problem("required: a list of rules")
    rules = field.items()
    if len(rules) > _MAX_RULES:
        field.problem(f"{len(rules)} rules; at most {_MAX_RULES} are allowed; move the others to a policy of their own")
    if field.value == []:
        field.warn("no rules: this policy does nothing")
    return tuple(rule for item in rules if (rule := _read_rule(item)) is not None)


def _read_rule(field: Field) -> EgressRule | None:
    parts = field.parts("dscp", "bandwidth", "classifier")
    if parts is None:
        return None
    dscp_field, bandwidth, classifier = parts
    dscp = dscp_field.integer(0, _MAX_DSCP)
    limit = _read_limit(bandwidth)
    read = read_classifier(classifier)
    return None if dscp is None else EgressRule(dscp, limit, read)


def _read_limit(field: Field) -> Limit | None:
    parts = field.parts("rate", "burst") if field.present else None
    if parts is None:
        return None
    rate_field, burst_field = parts
    rate = rate_field.integer(1, _MAX_BANDWIDTH) if rate_field.present else None
    burst = burst_field.integer(1, _MAX_BANDWIDTH) if burst_field.present else None
    if burst is not None and not rate_field.present:
        burst_field.warn(f"{burst} has no effect without rate")
    if rate is None:
        return None
    if burst is not None:
        _warn_of_small_burst(burst_field, rate, burst)
    return Limit(rate, burst)


def _warn_of_small_burst(field: Field, rate: int, burst: int) -> None:
    way_out = f"leave burst unset or set it to {rate}"
    if burst * _NOTHING_PASSES < rate:
        field.warn(f"{burst} is less than a thousandth of rate {rate}: nothing passes at all; {way_out}")
    elif burst * _TCP_SUFFERS < rate:
        field.warn(f"{burst} is less than a tenth of rate {rate}: TCP gets only a fraction of it; {way_out}")
