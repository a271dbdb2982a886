"""A made-up cluster in a real API server: nodes with 250 pods each, and the ten policies of the goals.

In: numbers of nodes. Out: objects in etcd, put there directly, since an API server takes 800 pods a second at most.
Rule: pods are of the size that a Deployment and ovn-kubernetes make (6.4 KB), nodes of 8.4 KB.

The pods of a node are spread over 100 namespaces; policy k selects those of namespace k, so that every node has senders
of every policy. Two policies have peers, the databases of their namespace: a tenth of its pods.
"""

import contextlib
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.api.manifests import Json
from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError
from tools.bench import decoding

PODS_OF_A_NODE = 250
NAMESPACES = 100
POLICIES = 10
WITH_PEERS = 2
BATCH = 100
"""Objects in one transaction of etcd, which takes 128 at most."""
POLICIES_PATH = "/apis/k8s.ovn.org/v1alpha1/namespaces/{}/networkqoses"
NETWORKS = "k8s.ovn.org/pod-networks"
TIME = "2026-11-24T10:00:00Z"
_SPARE = itertools.count()


def zone(number: int) -> str:
    """Give the name of a node, as long for each, so that one can be put in another's place."""
    return f"node-{number:05d}"


def namespace(number: int) -> str:
    """Give the namespace of the pods of a policy, and of others."""
    return f"tenant-{number % NAMESPACES:02d}"


def install(api: ApiServer, etcd: Etcd) -> None:
    """Create the kinds, the namespaces and the policies."""
    for crd in (*Path("config/crd").glob("*.yaml"), *Path("tests/services/manifests").glob("*.yaml")):
        api.apply_crds(crd.read_text())
    etcd.put({f"/registry/namespaces/{namespace(number)}": _namespace(number) for number in range(NAMESPACES)})
    for number in range(POLICIES):
        api.request("POST", POLICIES_PATH.format(namespace(number)), policy(number))


def policy(number: int) -> dict[str, object]:
    """Give a policy."""
    block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12"]}
    rules: list[Json] = [{"dscp": 20, "bandwidth": {"rate": 20000}, "classifier": {"to": [{"ipBlock": block}]}}]
    if number < WITH_PEERS:
        rules.append({"dscp": 46, "classifier": {"to": [{"podSelector": {"matchLabels": {"role": "db"}}}]}})
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"name": f"policy-{number}", "namespace": namespace(number)},
        "spec": {"priority": 1, "podSelector": {}, "egress": rules},
    }


def fill(etcd: Etcd, nodes: range) -> None:
    """Put nodes and their pods into etcd."""
    pod = _pod_template()
    for number in nodes:
        objects = [(f"minions/{zone(number)}", _node(number))]
        pods = range(number * PODS_OF_A_NODE, (number + 1) * PODS_OF_A_NODE)
        objects += [(f"pods/{namespace(index)}/pod-{index}", _pod(pod, index)) for index in pods]
        for begin in range(0, len(objects), BATCH):
            etcd.put({f"/registry/{key}": value for key, value in objects[begin : begin + BATCH]})


def await_cache(api: ApiServer) -> None:
    """Wait until the API server has read all pods from etcd: until then it refuses lists of them."""
    newest = json.loads(api.request("GET", "/api/v1/pods?limit=1"))["metadata"]["resourceVersion"]
    while True:
        with contextlib.suppress(ServiceError):
            api.request("GET", f"/api/v1/pods?limit=1&resourceVersion={newest}&resourceVersionMatch=NotOlderThan")
            return


def touch(api: ApiServer, index: int) -> None:
    """Change an annotation of a pod: an event for whoever watches it."""
    body = {"metadata": {"annotations": {"touched": f"{time.monotonic_ns()}"}}}
    path = f"/api/v1/namespaces/{namespace(index)}/pods/pod-{index}"
    api.request("PATCH", path, body, content_type="application/merge-patch+json")


def spare_address() -> str:
    """Give an address that no pod of a cluster of 30,000 nodes has, or had."""
    number = next(_SPARE)
    return f"10.{120 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def move(api: ApiServer, index: int, address: str) -> None:
    """Give a pod another address, as ovn-kubernetes does."""
    body = {"metadata": {"annotations": {NETWORKS: _networks(address)}}}
    path = f"/api/v1/namespaces/{namespace(index)}/pods/pod-{index}"
    api.request("PATCH", path, body, content_type="application/merge-patch+json")


def ways(node: int, nodes: int) -> Mapping[str, Sequence[int]]:
    """Give pods by the way in which they concern a node's rows: a sender there, a peer elsewhere, or both."""
    with_policy = [each for each in range(nodes * PODS_OF_A_NODE) if each % NAMESPACES < POLICIES]
    peers = {each for each in with_policy if each % NAMESPACES < WITH_PEERS and role(each) == "db"}
    own = {each for each in with_policy if each // PODS_OF_A_NODE == node}
    return {"own": sorted(own - peers), "peer": sorted(peers - own), "own and peer": sorted(own & peers)}


def heard(node: int, nodes: int) -> Sequence[int]:
    """Give the pods that a node's daemon needs to hear of: those of the node, and peers."""
    own = range(node * PODS_OF_A_NODE, (node + 1) * PODS_OF_A_NODE)
    return sorted({*own, *ways(node, nodes)["peer"]})


def role(index: int) -> str:
    """Give the role of a pod: a tenth of each namespace are databases."""
    return "db" if index // NAMESPACES % 10 == 0 else "web"


def _networks(address: str) -> str:
    networks = json.loads(json.loads(decoding.pod(0))["metadata"]["annotations"][NETWORKS])
    networks["default"] |= {"ip_addresses": [f"{address}/9"], "ip_address": f"{address}/9"}
    return json.dumps(networks)


def _pod(template: str, index: int) -> bytes:
    values = {
        "@NAME@": f"pod-{index}",
        "@NAMESPACE@": namespace(index),
        "@NODE@": zone(index // PODS_OF_A_NODE),
        "@IP@": f"10.{1 + (index >> 16)}.{index >> 8 & 255}.{index & 255}",
        "@ROLE@": role(index),
        "@UID@": f"8d4ff4a0-7a2f-4c4f-9b5e-{index:012x}",
    }
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template.encode()


def _pod_template() -> str:
    pod = json.loads(decoding.pod(0))
    meta = pod["metadata"]
    del meta["resourceVersion"], pod["spec"]["containers"][0]["volumeMounts"]
    meta |= {"name": "@NAME@", "namespace": "@NAMESPACE@", "uid": "@UID@"}
    meta["labels"]["role"] = "@ROLE@"
    annotations = meta["annotations"]
    annotations[NETWORKS] = _networks("@IP@")
    meta["managedFields"] = [
        each | {"operation": "Update", "apiVersion": "v1", "time": TIME, "fieldsType": "FieldsV1"}
        for each in meta["managedFields"]
    ]
    pod["spec"]["nodeName"] = "@NODE@"
    pod["status"] |= {"podIP": "@IP@", "podIPs": [{"ip": "@IP@"}]}
    return json.dumps(pod)


def _namespace(number: int) -> bytes:
    meta = {
        "name": namespace(number),
        "uid": f"8d4ff4a0-7a2f-4c4f-9b5d-{number:012x}",
        "creationTimestamp": TIME,
        "labels": {"kubernetes.io/metadata.name": namespace(number)},
    }
    body = {"kind": "Namespace", "apiVersion": "v1", "metadata": meta, "spec": {"finalizers": ["kubernetes"]}}
    return json.dumps(body | {"status": {"phase": "Active"}}).encode()


def _node(number: int) -> bytes:
    images = [
        {"names": [f"registry.example.com/team/image-{n}@sha256:{n:064x}"], "sizeBytes": 10**8} for n in range(50)
    ]
    addresses = [{"type": "InternalIP", "address": f"172.20.{number >> 8 & 255}.{number & 255}"}]
    annotations = {
        "k8s.ovn.org/node-subnets": json.dumps({"default": ["10.0.0.0/9"]}),
        "k8s.ovn.org/zone-name": zone(number),
        "k8s.ovn.org/l3-gateway-config": json.dumps({"default": {f"setting-{n}": "some value" for n in range(20)}}),
    }
    meta = {
        "name": zone(number),
        "uid": f"8d4ff4a0-7a2f-4c4f-9b5f-{number:012x}",
        "creationTimestamp": TIME,
        "labels": {"kubernetes.io/hostname": zone(number)},
        "annotations": annotations,
    }
    body = {"kind": "Node", "apiVersion": "v1", "metadata": meta, "status": {"images": images, "addresses": addresses}}
    return json.dumps(body).encode()
