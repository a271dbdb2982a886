"""The objects that the tests of faults put into the cluster.

In: names and what matters about them. Out: manifests as decoded JSON. The rule: an address belongs to one pod.
"""

import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

NODES = ("n1", "n2")
NETWORK = "blue"
RANGES = {"default": ["10.240.0.0/12", "fd00:10:240::/44"], NETWORK: ["10.200.0.0/16"]}
"""By network, the ranges that every node says its pods have their addresses from."""
SWITCHES = (*NODES, *(f"{NETWORK}_{node}" for node in NODES))


def pod(namespace: str, name: str, number: int, *, node: str = "n1", labels: Mapping[str, str] | None = None) -> Json:
    """Give a pod with two addresses on the default network and one on `blue`; `number` tells addresses apart."""
    low, high = number % 250 + 1, number // 250
    networks = {
        "default": {"ip_addresses": [f"10.244.{high}.{low}/16", f"fd00:10:244::{number + 1:x}/64"], "role": "primary"},
        f"{namespace}/{NETWORK}": {"ip_addresses": [f"10.200.{high}.{low}/16"], "role": "secondary"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {"app": "web"}),
            "annotations": {"k8s.ovn.org/pod-networks": json.dumps(networks)},
        },
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "none"}]},
    }


def network(namespace: str) -> Json:
    """Give the NetworkAttachmentDefinition of `blue`: a layer3 network."""
    config = {
        "cniVersion": "1.0.0",
        "name": NETWORK,
        "type": "ovn-k8s-cni-overlay",
        "topology": "layer3",
        "subnets": "10.200.0.0/16/24",
        "netAttachDefName": f"{namespace}/{NETWORK}",
    }
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": NETWORK, "namespace": namespace},
        "spec": {"config": json.dumps(config)},
    }


def policy(namespace: str, name: str, *, priority: int = 10, app: str = "web", rules: list[Json] | None = None) -> Json:
    """Give a policy for the pods of an app; without rules, one that marks, limits and has peers."""
    egress = rules or [
        rule(20, rate=20000, to=[{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]),
        rule(30, to=[{"podSelector": {"matchLabels": {"app": "db"}}}], ports=[{"protocol": "TCP", "port": 5432}]),
    ]
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"priority": priority, "podSelector": {"matchLabels": {"app": app}}, "egress": egress},
    }


def rule(dscp: int, *, rate: int | None = None, **classifier: object) -> Json:
    """Give a rule; `rate` is in kbps."""
    limit = {} if rate is None else {"bandwidth": {"rate": rate, "burst": rate // 10}}
    return {"dscp": dscp, "classifier": classifier} | limit
