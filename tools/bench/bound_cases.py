"""Policies at every bound: the largest that a limit still lets through, and the worst that a spec may hold.

In: nothing. Out: `CASES`, each of which makes any number of policies that all differ. Rule: a policy stays below the
bound of a spec's size, and its rules at the limits that `nqosd.config.options.Limits` has by default.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence

import attrs

from nqosd.config.options import Limits
from tests.api.manifests import POD_NETWORKS, Json
from tools.bench.workload import NAMESPACE, NODE

LIMITS = Limits()
RULES = 20
SELECTORS = LIMITS.namespace_selectors // RULES
CHOSEN = LIMITS.members // (RULES * SELECTORS) - 1
"""Addresses that each selector chooses, those of a pod with two among them, so that there is room for one more."""
OWN_LIMITS = LIMITS.rows // RULES - 2
"""Pods with a limit of their own in each rule, so that there is room for one more."""
FAR_APART = 800_011
"""Single addresses as far apart as this leave some twenty prefixes between each two, of IPv6 a hundred."""

Egress = Sequence[Json]


@attrs.frozen(eq=False)
class Case:
    """`before` says what it was on dd6334f; `own` makes the rules of one policy, by its number."""

    name: str
    own: Callable[[int], Egress]
    before: str = ""
    pods: int = 10
    many: int = 100
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    priority: Callable[[int], int] = lambda number: number % 100 + 1
    is_applied: bool = True

    def policies(self, count: int) -> list[Json]:
        """Make the policies for all pods of the namespace."""
        created = (f"2026-11-24T00:{number // 60:02}:{number % 60:02}Z" for number in range(count))
        return [
            _policy(f"bound-{number}", moment, self.priority(number), self.own(number), self.annotations)
            for number, moment in enumerate(created)
        ]


def _dual_stack_pod() -> Json:
    networks = {"default": {"ip_addresses": ["10.255.0.1/16", "fd00:10::1/64"], "role": "primary"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "dual", "namespace": NAMESPACE, "annotations": {POD_NETWORKS: json.dumps(networks)}},
        "spec": {"nodeName": NODE},
        "status": {"phase": "Running"},
    }


def _policy(name: str, created: str, priority: int, egress: Egress, annotations: Mapping[str, str]) -> Json:
    fields: Json = {"f:spec": {".": {}, "f:egress": {}, "f:podSelector": {}, "f:priority": {}}}
    managed = {
        "manager": "kubectl-create",
        "operation": "Update",
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "time": created,
    }
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "generation": 1,
        "creationTimestamp": created,
        "annotations": dict(annotations),
        "managedFields": [{**managed, "fieldsType": "FieldsV1", "fieldsV1": fields}],
    }
    spec = {"priority": priority, "egress": list(egress)}
    return {"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "metadata": metadata, "spec": spec}


def _rule(**classifier: object) -> Json:
    return {"dscp": 20, "bandwidth": {"rate": 20000}, "classifier": classifier}


def _excepts_4(number: int) -> Egress:
    holes = [_dotted(0x01000000 + number + FAR_APART * each) for each in range(5000)]
    return [_rule(to=[{"ipBlock": {"cidr": "0.0.0.0/0", "except": holes}}])]


def _dotted(address: int) -> str:
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}/32"


def _excepts_6(number: int) -> Egress:
    holes = [f"{0x2000 + 8 * each:x}:{number:x}::{each + 1:x}/128" for each in range(850)]
    return [_rule(to=[{"ipBlock": {"cidr": "::/0", "except": holes}}])]


def _ports(number: int) -> Egress:
    ports = [{"protocol": "TCP", "port": 1000 + number + 2 * each} for each in range(LIMITS.ports)]
    return [_rule(ports=ports)] * RULES


def _selectors(number: int) -> Egress:
    names = [[f"x{number}-{rule}-{each}" for each in range(SELECTORS)] for rule in range(RULES)]
    return [_rule(to=[{"podSelector": {"matchLabels": {"a": name}}} for name in mine]) for mine in names]


def _members(number: int) -> Egress:
    names = [[f"x{number}-{rule}-{each}" for each in range(SELECTORS)] for rule in range(RULES)]
    absent = [[{"matchExpressions": [{"key": name, "operator": "DoesNotExist"}]} for name in mine] for mine in names]
    return [_rule(to=[{"podSelector": each} for each in mine]) for mine in absent]


def _limits_per_pod(number: int) -> Egress:
    return [_rule(ports=[{"port": 1000 + number + each}]) for each in range(RULES)]


def _plain(number: int) -> Egress:
    return [_rule(ports=[{"port": 1000 + number}])]


def _empty_entries(number: int) -> Egress:
    return [_rule(to=[{}] * (43_000 - number))]


def _mistakes(number: int) -> Egress:
    return [_rule(ports=[{"port": 0}] * (11_500 - number))]


DUAL = _dual_stack_pod()
"""A pod that has an address of IPv6 too, without which no rule is for IPv6."""
FIRST = (_policy("first", "2020-01-01T00:00:00Z", 0, [_rule()], {}),)
"""A policy that is there before."""

CASES = (
    Case("5,000 IPv4 excepts", _excepts_4, "1.6 MB of match for each row; ovn-controller 20 s, 391 MB"),
    Case("850 IPv6 excepts", _excepts_6, "13.8 MB of match for 4,000"),
    Case(f"{LIMITS.ports} ports in each of {RULES} rules", _ports, "43,600 ports: killed by the watchdog"),
    Case(f"{SELECTORS} selectors in each of {RULES} rules", _selectors),
    Case(
        f"{SELECTORS} selectors of {CHOSEN} addresses each in each of {RULES} rules", _members, pods=CHOSEN - 2, many=3
    ),
    Case(
        f"limits per pod: {OWN_LIMITS} pods, {RULES} rules",
        _limits_per_pod,
        "4.8 s for a pod, of 2,000",
        pods=OWN_LIMITS - 1,
        many=3,
        annotations={"nqosd.io/bandwidth-scope": "Pod"},
    ),
    Case("999 policies, ten of each priority", _plain, many=LIMITS.policies - 1),
    Case(
        "999 policies of one priority",
        _plain,
        "5 s for a change, of 10,000",
        many=LIMITS.policies - 1,
        priority=lambda _: 1,
    ),
    Case("43,000 entries that say nothing", _empty_entries),
    Case("11,500 mistakes", _mistakes, is_applied=False),
)
