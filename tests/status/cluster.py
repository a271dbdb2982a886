"""A namespace of a real API server with policies in it, and the daemon's rights there: those that config/ grants."""

import json
import secrets
from pathlib import Path

import attrs
import yaml

from nqosd.api.decoding import decode_network_qos
from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.status.conditions import READY
from tests.services.kubernetes import DAEMON, ApiServer

CONFIG = Path(__file__).parents[2] / "config"
CRD = (CONFIG / "crd" / "networkqoses.k8s.ovn.org.yaml").read_text()
RULES = [
    rule
    for file in ("cluster-role.yaml", "role.yaml")
    for rule in yaml.safe_load((CONFIG / "rbac" / file).read_text())["rules"]
]

LISTING = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: nqosd-policies
rules:
- apiGroups: [k8s.ovn.org]
  resources: [networkqoses]
  verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: nqosd-policies
subjects:
- kind: User
  name: {DAEMON}
  apiGroup: rbac.authorization.k8s.io
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: nqosd-policies
"""
POLICY = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata:
  name: {name}
  namespace: {namespace}
spec:
  priority: {priority}
  egress:
  - dscp: 20
"""


@attrs.frozen
class Cluster:
    """What a test does in its namespace."""

    server: ApiServer
    namespace: str

    def create(self, name: str = "video", priority: int = 10) -> NetworkQoS:
        """Create or change a policy."""
        self.server.apply(POLICY.format(name=name, namespace=self.namespace, priority=priority))
        return self.get(name)

    def get(self, name: str = "video") -> NetworkQoS:
        """Give a policy as the daemon's informers would decode it."""
        return decode_network_qos(self.server.request("GET", self.path(name))).value

    def ready(self, name: str = "video") -> Condition:
        """Give the condition of a policy over all zones."""
        (found,) = [each for each in self.get(name).status.conditions if each.type == READY]
        return found

    def resource_version(self, name: str = "video") -> str:
        """Give the version of a policy: it changes with each write."""
        return str(json.loads(self.server.request("GET", self.path(name)))["metadata"]["resourceVersion"])

    def delete(self, name: str = "video") -> None:
        """Delete a policy."""
        self.server.request("DELETE", self.path(name))

    def events(self, name: str = "video") -> list[dict[str, object]]:
        """Give the Events about a policy, oldest first."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        items = json.loads(self.server.request("GET", path))["items"]
        found: list[dict[str, object]] = [each for each in items if each["regarding"]["name"] == name]
        return sorted(found, key=lambda each: str(each["eventTime"]))

    def path(self, name: str) -> str:
        """Give the path of a policy."""
        return f"/apis/k8s.ovn.org/v1alpha1/namespaces/{self.namespace}/networkqoses/{name}"

    def grant(self, *, leases: bool = True) -> None:
        """Give the daemon's user, in this namespace, what config/rbac gives it; without the Leases if so told."""
        rules = [rule for rule in RULES if leases or "leases" not in rule["resources"]]
        subject = {"kind": "User", "name": DAEMON, "apiGroup": "rbac.authorization.k8s.io"}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rules}
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "nqosd"},
        }
        metadata = {"metadata": {"name": "nqosd", "namespace": self.namespace}}
        self.server.apply(yaml.safe_dump_all([role | metadata, binding | metadata]))

    def revoke(self) -> None:
        """Take all rights from the daemon's user again."""
        self.server.kubectl("delete", "rolebinding", "nqosd", "-n", self.namespace)


def new_namespace(server: ApiServer) -> Cluster:
    """Make another namespace; whoever makes it deletes it."""
    name = f"test-{secrets.token_hex(4)}"
    server.kubectl("create", "namespace", name)
    return Cluster(server, name)
