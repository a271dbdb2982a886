"""The workload of the benchmark, the one that the peer was measured with: pods, policies, one namespace, one node.

In: how many. Out: objects as an API server sends them, and what a database must hold once they are applied. Rule: it is
the peer's workload as recorded, with pods of the size that a Deployment and ovn-kubernetes make (5.6 KB).

Pod i has the label `g = i mod policies`, and `role = db` for every tenth. Policy g selects the pods of one g, and has
two rules: everything but 10.0.0.0/8 and 172.16.0.0/12 with a limit, and TCP 5432 to the pods with the role db.
"""

import json
from collections.abc import Iterator, Sequence

import attrs

from tests.api.manifests import POD_NETWORKS, Json, wire
from tools.bench import decoding

NAMESPACE = "bench"
NODE = "node-0"
NODE_SUBNETS = "k8s.ovn.org/node-subnets"
RANGE, RANGE_6 = "10.0.0.0/8", "fd00::/16"
"""The ranges that all pods have their addresses from."""
EVERYTHING = "everything"
"""The policy that selects all pods; its priority is below all others."""
_DB = 10
"""Every tenth pod is a database."""
_PRIORITIES = 100
"""Priorities 1 to 100; beyond 100 policies some share one, ten at most."""
_MARKS = ("@NAME@", "@IP@", "@G@", "@ROLE@", "@VERSION@")


@attrs.frozen
class Size:
    """How many pods, policies, and rules in each policy; the peer's policies had two."""

    pods: int
    policies: int
    rules: int = 2

    def __str__(self) -> str:
        return f"{self.pods:,} pods, {self.policies:,} policies" + (
            f" of {self.rules} rules" if self.rules != 2 else ""
        )

    @property
    def members(self) -> int:
        """Members of all sets: each pod in one set of senders, each tenth in the one that every second rule is to."""
        return self.pods + (-(-self.pods // _DB) if self.rules > 1 else 0)

    @property
    def rows(self) -> int:
        """Rows of QoS on the one switch: of each rule of each policy that has a pod, and one for its router."""
        return self.rules * min(self.pods, self.policies) + 1


def address(number: int) -> str:
    """Give a pod's address."""
    return f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def sets_entered(number: int) -> int:
    """Say how many address sets a pod is in."""
    return 1 + (number % _DB == 0)


class Pods:
    """Renders pods quickly: everything but five texts is the same for all of them."""

    def __init__(self, policies: int) -> None:
        self._policies = max(policies, 1)
        self._parts = list(_template())

    def render(self, number: int, version: int) -> bytes:
        """Give a pod at some resource version."""
        values = {
            "@NAME@": f"pod-{number}",
            "@IP@": address(number),
            "@G@": f"{number % self._policies}",
            "@ROLE@": "web" if number % _DB else "db",
            "@VERSION@": f"{version}",
        }
        return "".join([values.get(part, part) for part in self._parts]).encode()


def _template() -> Iterator[str]:
    """Take a realistic pod apart at the places where pods differ."""
    pod = json.loads(decoding.pod(0))
    meta = pod["metadata"]
    network: Json = {"ip_addresses": ["@IP@/16"], "mac_address": "0a:58:0a:80:00:01", "role": "primary"}
    meta |= {"name": "@NAME@", "namespace": NAMESPACE, "uid": "@NAME@", "resourceVersion": "@VERSION@"}
    meta["labels"] |= {"g": "@G@", "role": "@ROLE@"}
    meta["annotations"] = meta["annotations"] | {POD_NETWORKS: json.dumps({"default": network})}
    pod["spec"]["nodeName"] = NODE
    pod["status"] |= {"podIP": "@IP@", "podIPs": [{"ip": "@IP@"}]}
    rest = wire(pod).decode()
    while rest:
        found = [(rest.index(mark), mark) for mark in _MARKS if mark in rest]
        place, mark = min(found, default=(len(rest), ""))
        yield rest[:place]
        if mark:
            yield mark
        rest = rest[place + len(mark) :]


def policy(number: int, rules: int = 2) -> Json:
    """Give the policy for the pods of one g."""
    return _policy(f"policy-{number}", 1 + number % _PRIORITIES, {"matchLabels": {"g": f"{number}"}}, rules)


def policy_for_all() -> Json:
    """Give a policy for all pods."""
    return _policy(EVERYTHING, 0, {})


def surroundings() -> Sequence[tuple[str, Json]]:
    """Give the namespace and the node, each with its resource."""
    return [
        (
            "namespaces",
            {
                "kind": "Namespace",
                "apiVersion": "v1",
                "metadata": {"name": NAMESPACE, "labels": {"kubernetes.io/metadata.name": NAMESPACE}},
            },
        ),
        ("nodes", node()),
    ]


def node() -> Json:
    """Give the node, which says which addresses are its pods'."""
    annotations = {NODE_SUBNETS: json.dumps({"default": [RANGE, RANGE_6]})}
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": NODE, "annotations": annotations}}


def _rule(index: int) -> Json:
    """Give a rule: the first two are the peer's, further ones alternate and differ in the port."""
    if index % 2 == 0:
        block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12"]}
        ports = [{"protocol": "UDP", "port": 5000 + index}] if index else []
        return {"dscp": 20, "bandwidth": {"rate": 20000}, "classifier": {"to": [{"ipBlock": block}], "ports": ports}}
    database = {"podSelector": {"matchLabels": {"role": "db"}}}
    return {"dscp": 46, "classifier": {"to": [database], "ports": [{"protocol": "TCP", "port": 5431 + index}]}}


def _policy(name: str, priority: int, selector: Json, rules: int = 2) -> Json:
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": name,
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": "2026-11-24T10:00:00Z",
        },
        "spec": {"priority": priority, "podSelector": selector, "egress": [_rule(index) for index in range(rules)]},
    }
