"""What the tests can rely on from the kube-apiserver."""

import json
from typing import Any

import pytest

from tests.services.etcd import Etcd
from tests.services.kubernetes import ADMIN, DAEMON, ApiServer
from tests.services.process import ServiceError

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.tests.nqosd.io}
spec:
  group: tests.nqosd.io
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
            status: {type: object, properties: {seen: {type: integer}}}
"""
WIDGET = """
apiVersion: tests.nqosd.io/v1
kind: Widget
metadata: {{name: one, namespace: {namespace}}}
spec: {{size: 1}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: one, namespace: {namespace}}}
spec: {{nodeName: node-1, containers: [{{name: main, image: none}}]}}
"""
BIND = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: daemon, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: nqosd}}]
"""
WATCH_LIST = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


def test_the_server_answers_with_its_version(api_server: ApiServer) -> None:
    """The server says that it is the pinned release."""
    assert json.loads(api_server.request("GET", "/version"))["gitVersion"] == "v1.36.3"


def test_the_daemon_may_read_only_where_it_is_bound(api_server: ApiServer, namespace: str) -> None:
    """The user nqosd is forbidden to list pods until a role is bound to it."""
    with pytest.raises(ServiceError, match="Forbidden"):
        api_server.kubectl("-n", namespace, "get", "pods", user=DAEMON)
    api_server.apply(BIND.format(namespace=namespace))
    api_server.wait_until(lambda: _may_list_pods(api_server, namespace), what="allowing it", deadline=5)


def test_a_custom_resource_can_be_made_patched_and_watched(api_server: ApiServer, namespace: str) -> None:
    """A watch sees a custom resource made, patched and given a status, in this order."""
    api_server.apply_crds(WIDGETS)
    path = f"/apis/tests.nqosd.io/v1/namespaces/{namespace}/widgets"
    version = json.loads(api_server.request("GET", path))["metadata"]["resourceVersion"]
    api_server.apply(WIDGET.format(namespace=namespace))
    patch = ["-n", namespace, "patch", "widget", "one", "--type=merge"]
    api_server.kubectl(*patch, "-p", '{"spec":{"size":2}}')
    api_server.kubectl(*patch, "--subresource=status", "-p", '{"status":{"seen":2}}')
    events = _lines(api_server, f"{path}?watch=true&resourceVersion={version}&timeoutSeconds=1")
    seen = [(event["type"], event["object"]["spec"]["size"], event["object"].get("status")) for event in events]
    assert seen == [("ADDED", 1, None), ("MODIFIED", 2, None), ("MODIFIED", 2, {"seen": 2})]


def test_a_watch_list_ends_with_its_bookmark(api_server: ApiServer, namespace: str) -> None:
    """A watch that asks for the initial events gets them, then the bookmark that says they are complete."""
    api_server.apply(POD.format(namespace=namespace))
    events = _lines(api_server, f"/api/v1/namespaces/{namespace}/pods?{WATCH_LIST}&timeoutSeconds=1")
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_namespace_goes_with_its_objects(api_server: ApiServer) -> None:
    """A deleted namespace is gone at once, and so are the objects that were in it."""
    api_server.kubectl("create", "namespace", "short-lived")
    api_server.apply(POD.format(namespace="short-lived"))
    api_server.delete_namespace("short-lived")
    assert "short-lived" not in api_server.kubectl("get", "namespaces,pods", "--all-namespaces", "-o", "name")
    with pytest.raises(ServiceError, match="404"):
        api_server.request("GET", "/api/v1/namespaces/short-lived")


def test_a_server_of_its_own_bears_restart_and_kill_and_loses_features() -> None:
    """Objects outlive a restart and a kill, and a server without WatchList refuses it with 422."""
    with Etcd() as etcd, ApiServer(etcd, feature_gates={"WatchList": False}) as server:
        server.kubectl("create", "configmap", "kept")
        server.restart()
        server.kill()
        server.start()
        assert server.kubectl("get", "configmap", "kept", "-o", "name") == "configmap/kept\n"
        with pytest.raises(ServiceError, match=r"answered 422: .*sendInitialEvents"):
            server.request("GET", f"/api/v1/pods?{WATCH_LIST}&timeoutSeconds=1")
        assert etcd.compact() > 1


def test_both_users_have_a_kubeconfig(api_server: ApiServer) -> None:
    """A kubeconfig names its user, and kubectl says so."""
    for user in (ADMIN, DAEMON):
        assert f"Username    {user}" in " ".join(api_server.kubectl("auth", "whoami", user=user).split("\n")), user


def _may_list_pods(server: ApiServer, namespace: str) -> bool:
    try:
        server.request("GET", f"/api/v1/namespaces/{namespace}/pods", user=DAEMON)
    except ServiceError:
        return False
    return True


def _lines(server: ApiServer, path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.request("GET", path).splitlines()]
