"""The Kubernetes side: a real API server with the project's own CRD and rights, and what the test put into it.

In: manifests. Out: objects on the server, the same objects for the oracle, and what the daemon says about policies in
their status. The rule: the daemon has the rights of `config/rbac` and no others.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import yaml

from tests.dataplane.networks import NODES, Network
from tests.dataplane.pods import Manifest, node_manifest
from tests.services.kubernetes import DAEMON, ApiServer

REPOSITORY = Path(__file__).parents[2]
POLICIES = "/apis/k8s.ovn.org/v1alpha1/networkqoses"


@attrs.frozen
class Told:
    """What the status of a policy says: whether it is ready, and the message of its condition."""

    ready: bool
    message: str


class Cluster:
    """What stands on an API server; with interconnect, each node is a zone."""

    def __init__(self, server: ApiServer, *, is_interconnect: bool = False) -> None:
        self._server = server
        self._is_interconnect = is_interconnect
        self._objects: dict[tuple[str, str, str], Manifest] = {}

    def install(self) -> None:
        """Make the CRDs, the nodes, and the daemon's rights."""
        files = [*(REPOSITORY / "config" / "crd").glob("*.yaml"), *(REPOSITORY / "tests/services/manifests").iterdir()]
        self._server.apply_crds("\n---\n".join(file.read_text() for file in sorted(files)))
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "nqosd-tests"},
            "subjects": [{"kind": "User", "name": DAEMON, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nqosd"},
        }
        leases = {
            **binding,
            "kind": "RoleBinding",
            "metadata": {"name": "nqosd-tests", "namespace": "kube-system"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "nqosd"},
        }
        roles = [(REPOSITORY / "config/rbac" / name).read_text() for name in ("cluster-role.yaml", "role.yaml")]
        self._server.apply("\n---\n".join([*roles, yaml.safe_dump(binding), yaml.safe_dump(leases)]))
        self.put_nodes(())

    def put(self, manifests: Iterable[Manifest]) -> None:
        """Create or change objects."""
        new = list(manifests)
        if not new:
            return
        self._server.apply(yaml.safe_dump_all(new))
        for manifest in new:
            self._objects[_identity(manifest)] = manifest

    def put_nodes(self, networks: Iterable[Network]) -> None:
        """Create the nodes, or tell that they have ranges on these networks."""
        there = list(networks)
        nodes = range(1, len(NODES) + 1)
        self.put(node_manifest(number, there, is_zone=self._is_interconnect) for number in nodes)

    def put_namespaces(self, *names: str) -> None:
        """Create namespaces, labelled as the API server would."""
        self.put(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            }
            for name in names
        )

    def delete(self, kind: str, namespace: str, *names: str) -> None:
        """Delete objects at once."""
        now = ["--wait=false", "--force", "--grace-period=0"] if kind == "Pod" else ["--wait=false"]
        self._server.kubectl("delete", kind, "-n", namespace, *now, *names)
        for name in names:
            del self._objects[kind, namespace, name]

    @property
    def objects(self) -> Mapping[str, list[Manifest]]:
        """What is there, by kind, as the oracle reads it."""
        found: dict[str, list[Manifest]] = {}
        for (kind, _, _), manifest in self._objects.items():
            found.setdefault(kind, []).append(manifest)
        return found

    @property
    def policies(self) -> frozenset[str]:
        """The keys of the policies that are there."""
        return frozenset(f"{space}/{name}" for kind, space, name in self._objects if kind == "NetworkQoS")

    def told(self) -> dict[str, Told]:
        """Give what the daemon told about each policy, by key; left out while it hasn't spoken of the current spec."""
        found = {}
        for policy in json.loads(self._server.request("GET", POLICIES))["items"]:
            meta = policy["metadata"]
            for condition in policy.get("status", {}).get("conditions", ()):
                if condition["type"] == "Ready" and condition["observedGeneration"] == meta["generation"]:
                    key = f"{meta['namespace']}/{meta['name']}"
                    found[key] = Told(condition["status"] == "True", condition["message"])
        return found

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl as the administrator and return what it prints."""
        return self._server.kubectl(*arguments)


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    if not isinstance(meta, Mapping):
        raise TypeError(f"metadata is {meta!r}")
    return str(manifest["kind"]), str(meta.get("namespace", "")), str(meta["name"])
