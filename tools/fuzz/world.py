"""A small cluster of two tenants: what one has stays, what the other one has is what mutations begin with."""

import json
from collections.abc import Iterator

import attrs

from nqosd.api.changes import Change, ResourceKind
from nqosd.cache.tables import Tables
from nqosd.informers.resources import RESOURCES
from tests.api.manifests import GUIDE_SPEC, Json, wire
from tests.informers.wire import BY_KIND

VICTIM = "victim"
ATTACKER = "attacker"  # sorts before the other one
CREATED = "2026-11-24T00:00:00Z"
SHARED = "stream"
"""A network that both are on."""


def victim() -> Tables:
    """Return the tables of what is there before anything is mutated."""
    tables = Tables()
    for kind, manifest in _objects(VICTIM):
        value = BY_KIND[kind].decode(wire(manifest)).value
        tables.apply(Change(kind, value.key, None, value))
    for namespace in (VICTIM, ATTACKER):
        value = BY_KIND[ResourceKind.NAMESPACE].decode(wire(_named("v1", "Namespace", "", namespace))).value
        tables.apply(Change(ResourceKind.NAMESPACE, value.key, None, value))
    for key, manifest in (("pod", _pod(ATTACKER)), ("policy", _policy(ATTACKER))):
        kind = ResourceKind.POD if key == "pod" else ResourceKind.NETWORK_QOS
        value = BY_KIND[kind].decode(wire(manifest)).value
        tables.apply(Change(kind, value.key, None, value))
    return tables


def copy(tables: Tables) -> Tables:
    """Return tables that can be changed apart from these."""
    return Tables(**{field.name: dict(getattr(tables, field.name)) for field in attrs.fields(Tables) if field.init})


def seeds() -> Iterator[tuple[int, bytes]]:
    """Yield objects of the attacker, each with the place of its resource."""
    places = {resource.kind: place for place, resource in enumerate(RESOURCES)}
    for kind, manifest in _objects(ATTACKER):
        yield places[kind], wire(manifest)
    network = _named("k8s.ovn.org/v1", "UserDefinedNetwork", ATTACKER, "own")
    yield places[ResourceKind.USER_DEFINED_NETWORK], wire(network)
    network = _named("k8s.ovn.org/v1", "ClusterUserDefinedNetwork", "", "all")
    yield places[ResourceKind.CLUSTER_USER_DEFINED_NETWORK], wire(network)
    yield places[ResourceKind.NAMESPACE], wire(_named("v1", "Namespace", "", ATTACKER))


def _objects(namespace: str) -> Iterator[tuple[ResourceKind, Json]]:
    subnets = json.dumps({"default": ["10.244.0.0/24", "fd00:1::/64"]})
    annotations = {"k8s.ovn.org/node-subnets": subnets, "k8s.ovn.org/zone-name": "n1"}
    yield ResourceKind.NODE, _named("v1", "Node", "", "n1", annotations=annotations)
    yield ResourceKind.POD, _pod(namespace)
    yield ResourceKind.NETWORK_ATTACHMENT_DEFINITION, _definition(namespace)
    yield ResourceKind.NETWORK_QOS, _policy(namespace)


def _pod(namespace: str) -> Json:
    last = 5 if namespace == VICTIM else 6
    networks = {
        "default": {"ip_addresses": [f"10.244.0.{last}/24", f"fd00:1::{last}/64"]},
        f"{VICTIM}/{SHARED}": {"ip_addresses": [f"10.245.1.{last}/16"]},
    }
    pod = _named("v1", "Pod", namespace, "web", annotations={"k8s.ovn.org/pod-networks": json.dumps(networks)})
    ips = [{"ip": f"10.244.0.{last}"}]
    return pod | {"spec": {"nodeName": "n1"}, "status": {"phase": "Running", "podIPs": ips}}


def _definition(namespace: str) -> Json:
    config = {
        "cniVersion": "1.0.0",
        "type": "ovn-k8s-cni-overlay",
        "name": SHARED if namespace == VICTIM else "own",
        "netAttachDefName": f"{namespace}/{SHARED}",
        "topology": "layer2",
        "role": "secondary",
        "subnets": "10.245.0.0/16",
    }
    annotations = {"k8s.ovn.org/network-id": "3"} if namespace == VICTIM else {}
    version, kind = "k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition"
    found = _named(version, kind, namespace, SHARED, annotations=annotations, labels={"on": "it"})
    return found | {"spec": {"config": json.dumps(config)}}


def _policy(namespace: str) -> Json:
    spec = {
        "priority": 7,
        "podSelector": {"matchLabels": {"app": "web"}},
        "networkSelectors": [
            {"networkSelectionType": "DefaultNetwork"},
            {
                "networkSelectionType": "NetworkAttachmentDefinitions",
                "networkAttachmentDefinitionSelector": {
                    "namespaceSelector": {},
                    "networkSelector": {"matchLabels": {"on": "it"}},
                },
            },
        ],
        "egress": [
            *GUIDE_SPEC["egress"],  # type: ignore[misc] # it is a list
            {
                "dscp": 8,
                "bandwidth": {"rate": 9000},
                "classifier": {
                    "to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7/32"]}}],
                    "ports": [{"protocol": "TCP", "port": 80}, {"protocol": "UDP", "port": 53}],
                },
            },
        ],
    }
    annotations = {"nqosd.io/bandwidth-scope": "Pod"} if namespace == ATTACKER else {}
    version = "k8s.ovn.org/v1alpha1"
    return _named(version, "NetworkQoS", namespace, "limit", annotations=annotations) | {"spec": spec}


def _named(version: str, kind: str, namespace: str, name: str, **metadata: object) -> Json:
    described = {"name": name, "resourceVersion": "7", "creationTimestamp": CREATED, "labels": {"app": "web"}}
    described |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": described | metadata}
