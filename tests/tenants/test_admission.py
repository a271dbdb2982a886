"""The admission policies of config/admission, in a real API server: who may say what ovn-kubernetes says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.manifests import Json
from tests.faults.cluster import Cluster
from tests.services.kubernetes import ADMIN, ApiServer
from tests.services.process import ServiceError

ADMISSION = Path("config/admission")
MERGE = "application/merge-patch+json"
TENANT = "system:serviceaccount:kube-system:tenant"
OVN = "system:serviceaccount:ovn-kubernetes:ovnkube-cluster-manager"
CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"
PODS = "/api/v1/namespaces/kube-system/pods"
NADS = "/apis/k8s.cni.cncf.io/v1/namespaces/kube-system/network-attachment-definitions"
POD_NETWORKS = "k8s.ovn.org/pod-networks"
NETWORK_ID = "k8s.ovn.org/network-id"
GRANT = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts"}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """Give a server in which the policies are in force; RBAC lets all accounts do everything."""
    with Cluster.started() as cluster:
        server = cluster.server
        server.apply(GRANT)
        for account in (TENANT, OVN, CONTROLLER):
            _, _, namespace, name = account.split(":")
            if namespace != "kube-system":
                cluster.create_namespace(namespace)
            server.kubectl("create", "serviceaccount", name, "-n", namespace)
            server.tokens[account] = server.kubectl("create", "token", name, "-n", namespace).strip()
        for file in ("policies", "identities", "binding"):
            server.apply((ADMISSION / f"{file}.yaml").read_text())
        number = iter(range(1000))
        server.wait_until(lambda: _is_refused(server, TENANT, f"early-{next(number)}"), what="refusing anything")
        yield server


def test_a_new_pod_has_no_addresses(server: ApiServer) -> None:
    """Neither a user nor a controller that makes pods of a user's template creates one that has the annotation."""
    for user in (TENANT, CONTROLLER):
        with pytest.raises(ServiceError, match=f"422|403.*only ovn-kubernetes may write it; {user} is not among"):
            server.request("POST", PODS, pod("forged", {POD_NETWORKS: "{}"}), user=user)
        server.request("POST", PODS, pod(f"plain-{user[-5:]}", {"other": "x"}), user=user)
    for user in (OVN, ADMIN):
        server.request("POST", PODS, pod(f"trusted-{user[-5:]}", {POD_NETWORKS: "{}"}), user=user)


@pytest.mark.parametrize("subresource", ["", "/status"])
def test_nobody_but_ovn_kubernetes_changes_addresses(server: ApiServer, subresource: str) -> None:
    """A user adds, changes or removes the annotation through no subresource, and may write everything else."""
    name = f"changed{subresource.replace('/', '-')}"
    server.request("POST", PODS, pod(name, {}))
    path = f"{PODS}/{name}"

    def annotate(value: str | None, user: str, key: str = POD_NETWORKS) -> None:
        change = {"metadata": {"annotations": {key: value}}}
        server.request("PATCH", f"{path}{subresource}", change, user=user, content_type=MERGE)

    with pytest.raises(ServiceError, match="only ovn-kubernetes may write it"):
        annotate('{"default": {}}', TENANT)
    annotate('{"default": {"ip_addresses": ["10.0.0.1/24"]}}', OVN)
    for value in ("{}", None):
        with pytest.raises(ServiceError, match="only ovn-kubernetes may write it"):
            annotate(value, TENANT)
    annotate("x", TENANT, key="other")
    annotate("y", CONTROLLER, key="other")
    metadata = json.loads(server.request("GET", path))["metadata"]
    assert metadata["annotations"] == {POD_NETWORKS: '{"default": {"ip_addresses": ["10.0.0.1/24"]}}', "other": "y"}


def test_a_binding_brings_no_addresses(server: ApiServer) -> None:
    """The annotations of a Binding become the pod's, so they are looked at, too."""
    unscheduled = pod("bound", {})
    unscheduled["spec"] = {"containers": [{"name": "c", "image": "x"}]}
    server.request("POST", PODS, unscheduled)
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "bound", "annotations": {POD_NETWORKS: "{}"}},
        "target": {"kind": "Node", "name": "n1"},
    }
    with pytest.raises(ServiceError, match="only ovn-kubernetes may write it"):
        server.request("POST", f"{PODS}/bound/binding", binding, user=TENANT)


def test_nobody_but_ovn_kubernetes_accepts_a_definition(server: ApiServer) -> None:
    """A user creates and changes definitions, but for the annotations that say what ovn-kubernetes made of them."""
    with pytest.raises(ServiceError, match="which definitions of networks ovn-kubernetes has accepted"):
        server.request("POST", NADS, nad("forged", {NETWORK_ID: "1"}), user=TENANT)
    server.request("POST", NADS, nad("net", {"other": "x"}), user=TENANT)

    def annotate(key: str, value: str | None, user: str) -> None:
        change = {"metadata": {"annotations": {key: value}}}
        server.request("PATCH", f"{NADS}/net", change, user=user, content_type=MERGE)

    annotate(NETWORK_ID, "7", OVN)
    for key, value in ((NETWORK_ID, "8"), (NETWORK_ID, None), ("k8s.ovn.org/network-name", "x")):
        with pytest.raises(ServiceError, match="which definitions of networks ovn-kubernetes has accepted"):
            annotate(key, value, TENANT)
    annotate("other", None, TENANT)
    assert json.loads(server.request("GET", f"{NADS}/net"))["metadata"]["annotations"] == {NETWORK_ID: "7"}


def pod(name: str, annotations: dict[str, str]) -> Json:
    """Give a pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "x"}]},
    }


def nad(name: str, annotations: dict[str, str]) -> Json:
    """Give a definition."""
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"config": "{}"},
    }


def _is_refused(server: ApiServer, user: str, name: str) -> bool:
    """Say whether both policies have come into force."""
    for path, manifest in ((PODS, pod(name, {POD_NETWORKS: "{}"})), (NADS, nad(name, {NETWORK_ID: "1"}))):
        try:
            server.request("POST", path, manifest, user=user)
        except ServiceError as error:
            if "ovn-kubernetes" in str(error):
                continue
        return False
    return True
