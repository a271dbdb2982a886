"""Objects as an API server writes them, and the bytes that it sends."""

import json
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"
POD_NETWORKS = "k8s.ovn.org/pod-networks"


def wire(manifest: object) -> bytes:
    """Give the compact JSON that an API server sends."""
    return json.dumps(manifest, separators=(",", ":")).encode()


def pod(
    *,
    networks: object = None,
    reported: object = None,
    spec: Json | None = None,
    status: Json | None = None,
    **metadata: object,
) -> bytes:
    """Give a pod; `networks` and `reported` are written into the two annotations, a text as it is."""
    annotations: Json = {"kubernetes.io/config.seen": "2026-11-24T10:00:00Z"}
    for name, value in ((POD_NETWORKS, networks), (NETWORK_STATUS, reported)):
        if value is not None:
            annotations[name] = value if isinstance(value, str) else json.dumps(value)
    described = {"name": "web", "namespace": "shop", "resourceVersion": "7", "annotations": annotations} | metadata
    return wire({"kind": "Pod", "apiVersion": "v1", "metadata": described, "spec": spec or {}, "status": status or {}})


def policy(spec: object, **metadata: object) -> bytes:
    """Give a NetworkQoS."""
    described = {
        "name": "limit",
        "namespace": "shop",
        "uid": "0b1c",
        "generation": 3,
        "resourceVersion": "41",
        "creationTimestamp": "2026-11-24T10:00:00Z",
    } | metadata
    return wire({"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "metadata": described, "spec": spec})


def rule(**parts: object) -> Json:
    """Give a spec with one rule, to which parts are added."""
    return {"priority": 1, "egress": [{"dscp": 1} | parts]}


def classifier(**parts: object) -> Json:
    """Give a spec with one rule that has this classifier."""
    return rule(classifier=parts)


def definition(config: object, **metadata: object) -> bytes:
    """Give a NetworkAttachmentDefinition; the configuration is written into it, a text as it is."""
    described = {"name": "stream", "namespace": "shop", "resourceVersion": "9"} | metadata
    text = config if isinstance(config, str) else json.dumps(config)
    return wire({"kind": "NetworkAttachmentDefinition", "metadata": described, "spec": {"config": text}})


GUIDE_SPEC: Json = {
    "networkSelectors": [
        {
            "networkSelectionType": "NetworkAttachmentDefinitions",
            "networkAttachmentDefinitionSelector": {
                "namespaceSelector": {},
                "networkSelector": {"matchLabels": {"nad-type": "ovn-kubernetes-nqos"}},
            },
        },
    ],
    "podSelector": {"matchLabels": {"nqos-app": "bw-limited"}},
    "priority": 10,
    "egress": [
        {
            "dscp": 20,
            "bandwidth": {"burst": 100, "rate": 20000},
            "classifier": {
                "to": [
                    {
                        "ipBlock": {
                            "cidr": "0.0.0.0/0",
                            "except": ["10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16"],
                        }
                    },
                ],
            },
        },
    ],
}
"""The policy of the user's guide, section 3."""
