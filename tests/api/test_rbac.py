"""The daemon's rights: enough for what it does, and nothing more."""

import json
from pathlib import Path

import pytest
import yaml

from nqosd.config import Config
from nqosd.daemon.rights import READING, Right, rights
from nqosd.informers.resources import RESOURCES
from tests.api.manifests import Json, rule
from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError

ACCOUNT = "system:serviceaccount:kube-system:nqosd"
PATHS = {(each.group, each.plural): each.path for each in RESOURCES}
ROLES = [Path("config/rbac/cluster-role.yaml"), Path("config/rbac/role.yaml")]
QOSES = "/apis/k8s.ovn.org/v1alpha1/namespaces/{namespace}/networkqoses"
EVENTS = "/apis/events.k8s.io/v1/namespaces/{namespace}/events"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    """Give the shared server with the daemon's account, its rights, and all kinds that it reads."""
    for crd in [*Path("config/crd").glob("*.yaml"), *Path("tests/services/manifests").glob("*.yaml")]:
        api_server.apply_crds(crd.read_text())
    api_server.kubectl("apply", "-f", "config/rbac/")
    api_server.tokens[ACCOUNT] = api_server.kubectl("create", "token", "nqosd", "-n", "kube-system").strip()
    return api_server


def test_the_manifests_grant_the_rights_that_are_asked_about() -> None:
    """config/rbac, which the chart copies, has exactly the rights that the daemon needs and the command looks at."""
    roles = [yaml.safe_load(file.read_text()) for file in ROLES]
    granted = [
        Right(verb, group, resource, role["metadata"].get("namespace", ""))
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert sorted(granted, key=str) == sorted(rights(Config()), key=str)


@pytest.mark.parametrize("right", READING, ids=str)
def test_the_daemon_may_read_what_a_policy_depends_on(server: ApiServer, right: Right) -> None:
    """Each kind can be listed and watched in all namespaces."""
    name = f"{right.resource}.{right.group}".rstrip(".")
    assert server.kubectl("auth", "can-i", right.verb, name, "--all-namespaces", f"--as={ACCOUNT}").strip() == "yes"
    path = PATHS[right.group, right.resource]
    assert json.loads(server.request("GET", path, user=ACCOUNT))["items"] is not None


def test_the_daemon_may_write_status_and_events(server: ApiServer, namespace: str) -> None:
    """It patches the status of a policy, and creates an Event."""
    policy = {"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "metadata": {"name": "limit"}, "spec": rule()}
    server.request("POST", QOSES.format(namespace=namespace), policy)
    path = f"{QOSES.format(namespace=namespace)}/limit"
    server.request("PATCH", f"{path}/status", {"status": {"status": "x"}}, user=ACCOUNT, content_type=MERGE)
    event: Json = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "limit.1", "namespace": namespace},
        "eventTime": "2026-11-24T10:00:00.000000Z",
        "reportingController": "nqosd",
        "reportingInstance": "test",
        "action": "Validate",
        "reason": "Invalid",
        "type": "Warning",
        "note": "spec.priority: required",
        "regarding": {"kind": "NetworkQoS", "namespace": namespace, "name": "limit"},
    }
    server.request("POST", EVENTS.format(namespace=namespace), event, user=ACCOUNT)


def test_the_daemon_may_change_nothing_else(server: ApiServer, namespace: str) -> None:
    """A policy's spec, pods and secrets are out of its reach."""
    policy = {"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "metadata": {"name": "limit"}, "spec": rule()}
    server.request("POST", QOSES.format(namespace=namespace), policy)
    path = f"{QOSES.format(namespace=namespace)}/limit"
    with pytest.raises(ServiceError, match="403"):
        server.request("PATCH", path, {"spec": {"priority": 2}}, user=ACCOUNT, content_type=MERGE)
    with pytest.raises(ServiceError, match="403"):
        server.request("DELETE", path, user=ACCOUNT)
    with pytest.raises(ServiceError, match="403"):
        server.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/x", user=ACCOUNT)
    with pytest.raises(ServiceError, match="403"):
        server.request("GET", f"/api/v1/namespaces/{namespace}/secrets", user=ACCOUNT)
