"""Short ways to write the manifests of an example.

In: what an example is about. Out: decoded manifests. The rule: what isn't said is the plainest: namespace `red`, node
`n1`, phase Running, no labels.
"""

import json
from collections.abc import Mapping, Sequence

from tests.oracle.cluster_strategies import Manifest, manifest
from tests.oracle.meaning import Oracle, read_meaning

POD_NETWORKS = "k8s.ovn.org/pod-networks"

Labels = Mapping[str, str]


def namespace(name: str, **labels: str) -> Manifest:
    """A namespace."""
    return manifest("Namespace", None, name, labels=labels)


def node(name: str, zone: str | None = None, ranges: Sequence[str] = ()) -> Manifest:
    """A node, with its annotations where it has them: its zone, and the ranges of its pods on the default network."""
    annotations = {"k8s.ovn.org/zone-name": zone} if zone else {}
    if ranges:
        annotations["k8s.ovn.org/node-subnets"] = json.dumps({"default": list(ranges)})
    return manifest("Node", None, name, annotations=annotations)


def pod(
    name: str,
    *ips: str,
    space: str = "red",
    on: str = "n1",
    labels: Labels | None = None,
    phase: str = "Running",
    networks: Mapping[str, Sequence[str]] | None = None,
    annotations: Mapping[str, str] | None = None,
    **metadata: object,
) -> Manifest:
    """A pod with addresses on the default network (`ips`) and on others (`networks`, by attachment key)."""
    attached = {"default": ips, **(networks or {})} if ips else dict(networks or {})
    entries = {key: {"ip_addresses": [f"{ip}/{64 if ':' in ip else 24}" for ip in of]} for key, of in attached.items()}
    return manifest(
        "Pod",
        space,
        name,
        labels=dict(labels or {}),
        annotations={POD_NETWORKS: json.dumps(entries), **(annotations or {})},
        spec={"nodeName": on} if on else {},
        status={"phase": phase},
        **metadata,
    )


def nad(
    key: str,
    network: str,
    topology: str = "layer3",
    *,
    role: str | None = None,
    labels: Labels | None = None,
    owner: tuple[str, str] | None = None,
    **config: str,
) -> Manifest:
    """A NetworkAttachmentDefinition of ovn-kubernetes."""
    space, _, name = key.partition("/")
    written = {"type": "ovn-k8s-cni-overlay", "name": network, "topology": topology, **config}
    if role:
        written["role"] = role
    references = [{"kind": owner[0], "name": owner[1]}] if owner else []
    return manifest(
        "NetworkAttachmentDefinition",
        space,
        name,
        labels=dict(labels or {}),
        ownerReferences=references,
        spec={"config": json.dumps(written)},
    )


def policy(
    name: str,
    *egress: Manifest,
    space: str = "red",
    priority: int = 5,
    created: str = "2026-01-01T00:00:00Z",
    annotations: Labels | None = None,
    **spec: object,
) -> Manifest:
    """A NetworkQoS; without rules it has one that matches everything with DSCP 1."""
    rules = list(egress) or [{"dscp": 1}]
    return manifest(
        "NetworkQoS",
        space,
        name,
        annotations=dict(annotations or {}),
        creationTimestamp=created,
        spec={"priority": priority, "egress": rules, **spec},
    )


def rule(dscp: int = 1, **classifier: list[object]) -> Manifest:
    """A rule; `from_` is `from`."""
    return {"dscp": dscp, "classifier": {key.rstrip("_"): value for key, value in classifier.items()}}


def block(cidr: str, *excepted: str) -> Manifest:
    """An ipBlock entry."""
    return {"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}}


def meaning(*manifests: Manifest, zone: str | None = None, unselected_networks: str = "all") -> Oracle:
    """What some manifests mean."""
    objects: dict[str, list[Manifest]] = {}
    for each in manifests:
        objects.setdefault(str(each["kind"]), []).append(each)
    return read_meaning(objects, zone=zone, unselected_networks=unselected_networks)
