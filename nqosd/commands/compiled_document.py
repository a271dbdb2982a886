"""The compiled state as a document: what `nqosd compile` prints, and what tests hold against the oracle.

In: desired rows and sets, reports. Out: plain data in a fixed order (rows by policy, rule, network, switch and part;
sets by name), ready for JSON. Rates are in kbps, bursts in kilobits. Rule: equal input gives equal text.
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict

from nqosd.compiler.desired import Desired
from nqosd.compiler.policy_reports import PolicyReport


class QosEntry(TypedDict):
    """A QoS row."""

    switches: list[str]
    direction: str
    priority: int
    match: str
    action: Mapping[str, int]
    bandwidth: Mapping[str, int]
    external_ids: Mapping[str, str]


class AddressSetEntry(TypedDict):
    """An address set."""

    name: str
    addresses: list[str]
    external_ids: Mapping[str, str]


class PortGroupEntry(TypedDict):
    """A port group; ports are given by name."""

    name: str
    ports: list[str]
    external_ids: Mapping[str, str]


class ProblemEntry(TypedDict):
    """One thing wrong with one field."""

    field: str
    message: str


class PolicyEntry(TypedDict):
    """A policy's state."""

    namespace: str
    name: str
    ready: bool
    problems: list[ProblemEntry]
    warnings: list[str]


class CompiledDocument(TypedDict):
    """Everything that the daemon would write, and what it has to say."""

    qos: list[QosEntry]
    address_sets: list[AddressSetEntry]
    port_groups: list[PortGroupEntry]
    policies: list[PolicyEntry]


def document(desired: Desired, reports: Iterable[PolicyReport], owner: str) -> CompiledDocument:
    """Write a compiled state as plain data."""
    return {
        "qos": [
            {
                "switches": [key.switch],
                "direction": row.direction.value,
                "priority": row.priority,
                "match": row.match,
                "action": row.action,
                "bandwidth": row.bandwidth,
                "external_ids": row.external_ids(owner),
            }
            for key, row in sorted(desired.rows.items())
        ],
        "address_sets": [
            {"name": name, "addresses": sorted(each.addresses), "external_ids": each.external_ids(owner)}
            for name, each in sorted(desired.address_sets.items())
        ],
        "port_groups": [
            {"name": name, "ports": sorted(each.ports), "external_ids": each.external_ids(owner)}
            for name, each in sorted(desired.port_groups.items())
        ],
        "policies": [
            {
                "namespace": each.namespace,
                "name": each.name,
                "ready": each.ready,
                "problems": [{"field": problem.field, "message": problem.message} for problem in each.problems],
                "warnings": list(each.warnings),
            }
            for each in sorted(reports, key=lambda each: (each.namespace, each.name))
        ],
    }
