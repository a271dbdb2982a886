"""A cluster for the tests of faults: an API server that may be killed, and the objects in it.

In: manifests. Out: objects in a real API server, and what they mean by definition. The rule: `compiled` reads all
objects anew and knows nothing of what the daemon has seen.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import yaml

from nqosd.compiler.definition import Compiled, compile_everything
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.compiler.switches import Switches
from nqosd.informers.resources import RESOURCES, Resource
from nqosd.status.leases import ANNOTATION, LABEL, report_name
from nqosd.status.zone_report import ZoneReport
from tests.faults.manifests import NODES, RANGES, Json
from tests.proof.agreement import tables_of
from tests.services.etcd import Etcd
from tests.services.kubernetes import ADMIN, DAEMON, ApiServer
from tests.services.process import ServiceError

ROOT = Path(__file__).parents[2]
CRDS = [*ROOT.glob("config/crd/*.yaml"), *ROOT.glob("tests/services/manifests/*.yaml")]
ROLE = ROOT / "config" / "rbac" / "cluster-role.yaml"
LEASES = ROOT / "config" / "rbac" / "role.yaml"
MERGE = "application/merge-patch+json"
LARGE_OBJECTS = ("--request-timeout=60s",)
"""Flags of an API server that is given objects of a megabyte on a busy machine; otherwise it has 5 s for a request."""

BINDING: Json = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "nqosd-user"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nqosd"},
    "subjects": [{"kind": "User", "name": DAEMON, "apiGroup": "rbac.authorization.k8s.io"}],
}
LEASES_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "nqosd-user", "namespace": "kube-system"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "nqosd"},
    "subjects": BINDING["subjects"],
}
OF_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@attrs.frozen
class Cluster:
    """An API server with our CRD, those of networks, two nodes, and the daemon's rights for its user."""

    server: ApiServer
    etcd: Etcd

    @classmethod
    @contextlib.contextmanager
    def started(cls, feature_gates: Mapping[str, bool] | None = None, flags: Sequence[str] = ()) -> Iterator["Cluster"]:
        """Start one, with features of the API server turned on or off and flags added, and end it."""
        with Etcd() as etcd, ApiServer(etcd, feature_gates=feature_gates, flags=flags) as server:
            cluster = cls(server, etcd)
            for crd in CRDS:
                server.apply_crds(crd.read_text())
            server.apply(ROLE.read_text())
            server.apply(LEASES.read_text())
            server.apply(yaml.safe_dump(LEASES_BINDING))
            cluster.grant()
            annotations = {"k8s.ovn.org/node-subnets": json.dumps(RANGES)}
            for node in NODES:
                meta = {"name": node, "annotations": annotations}
                cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": meta})
            yield cluster

    def grant(self) -> None:
        """Give the daemon's user what config/rbac grants."""
        self.server.request("POST", BINDINGS, BINDING)

    def withdraw(self) -> None:
        """Take all rights from the daemon's user."""
        self.server.request("DELETE", f"{BINDINGS}/nqosd-user")

    def create(self, manifest: Json, *, user: str = ADMIN) -> None:
        """Create an object."""
        resource, metadata = _of(manifest)
        self.server.request("POST", _path(resource, metadata.get("namespace", "")), manifest, user=user)

    def patch(self, manifest: Json, change: Mapping[str, object], subresource: str = "", *, user: str = ADMIN) -> None:
        """Change an object, or a subresource such as `status`, by a merge patch."""
        path = f"{_object_path(manifest)}/{subresource}".rstrip("/")
        self.server.request("PATCH", path, change, user=user, content_type=MERGE)

    def delete(self, manifest: Json, *, user: str = ADMIN) -> None:
        """Delete an object at once; nothing if it is gone."""
        with contextlib.suppress(ServiceError):
            self.server.request("DELETE", _object_path(manifest), {"gracePeriodSeconds": 0}, user=user)

    def version(self, manifest: Json) -> int:
        """Give the resource version of an object."""
        return int(json.loads(self.server.request("GET", _object_path(manifest)))["metadata"]["resourceVersion"])

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Create a namespace."""
        metadata = {"name": name, "labels": dict(labels or {})}
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def leave_report(self, zone: str, renewed: str) -> None:
        """Leave the report of a zone whose daemon has ended."""
        annotations = {ANNOTATION: ZoneReport(zone, 1).encode()}
        metadata = {"name": report_name(zone), "labels": {LABEL: "zone"}, "annotations": annotations}
        spec = {"holderIdentity": zone, "renewTime": renewed, "leaseDurationSeconds": 60}
        self.server.request("POST", OF_LEASES, {"metadata": metadata, "spec": spec})

    def forget_leases(self) -> None:
        """Remove the Leases of daemons that have ended."""
        for each in json.loads(self.server.request("GET", OF_LEASES))["items"]:
            if each["metadata"]["name"].startswith("nqosd-"):
                self.server.request("DELETE", f"{OF_LEASES}/{each['metadata']['name']}")

    def objects(self, query: str = "") -> dict[str, list[Json]]:
        """List all objects of all kinds that a policy can depend on; `?resourceVersion=0` asks the server's cache."""
        found: dict[str, list[Json]] = {}
        for resource in RESOURCES:
            found[resource.kind.value] = json.loads(self.server.request("GET", resource.path + query))["items"]
        return found

    def compiled(
        self, objects: Mapping[str, list[Json]], *, zone: str, northd: str, around: Switches, owner: str = "nqosd"
    ) -> Compiled:
        """Compile objects by definition, for a database of a zone with these switches."""
        settings = Settings(owner=owner, zone=zone, ovn=parse_ovn_version(northd) if northd else None)
        return compile_everything(tables_of(objects), settings, around)

    def kubeconfig(
        self, file: Path, *, port: int | None = None, token: str = "", token_file: Path | None = None
    ) -> Path:
        """Write a kubeconfig for the daemon's user that leads through a port, with another token or a file of it."""
        config = yaml.safe_load(self.server.kubeconfig(DAEMON).read_text())
        if port is not None:
            config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        if token_file is not None:
            config["users"][0]["user"] = {"tokenFile": str(token_file)}
        elif token:
            config["users"][0]["user"] = {"token": token}
        file.write_text(yaml.safe_dump(config))
        return file


def _of(manifest: Json) -> tuple[Resource, dict[str, str]]:
    kind, metadata = manifest["kind"], manifest["metadata"]
    assert isinstance(metadata, dict)
    return next(each for each in RESOURCES if each.kind.value == kind), metadata


def _path(resource: Resource, namespace: str) -> str:
    root, _slash, plural = resource.path.rpartition("/")
    return f"{root}/namespaces/{namespace}/{plural}" if resource.namespaced else resource.path


def _object_path(manifest: Json) -> str:
    resource, metadata = _of(manifest)
    return f"{_path(resource, metadata.get('namespace', ''))}/{metadata['name']}"
