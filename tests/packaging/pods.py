"""Pods as a kubelet would run them, where there is none: each container of a rendered manifest becomes a process.

In: a DaemonSet or Deployment, what was rendered with it, a node (a folder that stands for the host's root), an API
server, an image. Out: processes whose command, environment, user, power, root and mounts are the manifest's, in a
network namespace that is the pod's, and the answers to its probes. Rule: what a container's manifest says and isn't
played here is an error, so that nothing is left out unseen.
"""

import contextlib
import http.client
import json
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from tests.dataplane.namespaces import open_socket
from tests.faults.relay import Relay
from tests.services.chassis import NetworkNamespace
from tests.services.kubernetes import ApiServer
from tests.services.process import Service, ServiceError

Manifest: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[2]
LAUNCHER = Path(__file__).parent / "launch.py"
ADDRESSES = {socket.AF_INET: "10.244.1.7", socket.AF_INET6: "fd00:10:244:1::7"}
"""The pod's; a node has one of a kind, and so a pod may be probed at either."""
TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a folder
PROBE_TIMEOUT = 10.0
PLAYED = {
    "args", "command", "env", "image", "imagePullPolicy", "livenessProbe", "name", "ports", "readinessProbe",
    "resources", "securityContext", "terminationMessagePath", "terminationMessagePolicy", "volumeMounts",
}  # fmt: skip


@attrs.frozen
class Image:
    """What a container's root is made of: folders that are bound there, links, files; and what is run in it."""

    folders: Mapping[str, str]
    links: Mapping[str, str]
    files: Mapping[str, str]
    entrypoint: Sequence[str]
    environment: Mapping[str, str]


def checkout() -> Image:
    """Give this machine's Python with nqosd as it is checked out: an image that needs no building."""
    # at places of their own, since a volume of the manifest may cover those where they are, such as /tmp
    own = {"/opt/checkout": str(ROOT), "/opt/environment": sys.prefix}
    python = Path("/opt/environment") / Path(sys.executable).relative_to(sys.prefix)
    tops = {f"/{name}": f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")}
    return Image(
        {**{each: each for each in ("/usr", "/dev", "/proc", sys.base_prefix)}, **own},
        {**tops, "/var/run": "/run"},
        {"/etc/passwd": "root:x:0:0::/:/bin/sh\n", "/etc/group": "root:x:0:\n", "/etc/hosts": "127.0.0.1 localhost\n"},
        [str(python), "-m", "nqosd"],
        {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "/opt/checkout"},
    )


@attrs.frozen
class Node:
    """A node: its name, and the folder that stands for its root."""

    name: str
    root: Path


class Container(Service):
    """One container."""

    def __init__(self, pod: "Pod", spec: Manifest) -> None:
        unknown = set(spec) - PLAYED
        if unknown:
            raise ServiceError(f"container {spec['name']} has {', '.join(sorted(unknown))}, which isn't played here")
        super().__init__(f"{pod.name}-{spec['name']}", directory=pod.directory / spec["name"])
        self.spec = spec
        self._pod = pod

    def command(self) -> Sequence[str]:
        """Return the command that makes it a container in its pod's network."""
        return [*self._pod.network.enter, "unshare", "--mount", sys.executable, str(LAUNCHER), str(self._write())]

    def probe(self, name: str, family: socket.AddressFamily) -> int:
        """Ask a probe as a kubelet does, at the pod's address of a family; gives the status, 0 if nothing answers."""
        get = self.spec[name]["httpGet"]
        port = next(each["containerPort"] for each in self.spec["ports"] if each["name"] == get["port"])
        connection = http.client.HTTPConnection("pod", port)
        with contextlib.closing(open_socket(self._pod.network, family, socket.SOCK_STREAM)) as opened:
            try:
                opened.settimeout(PROBE_TIMEOUT)
                opened.connect((ADDRESSES[family], port))
                connection.sock = opened
                connection.request("GET", get["path"])
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return 0

    def _write(self) -> Path:
        """Write for the launcher what the manifest says."""
        context = self.spec["securityContext"]
        power = context["capabilities"]
        if power["drop"] != ["ALL"] or context["allowPrivilegeEscalation"]:
            raise ServiceError(f"container {self.spec['name']} keeps power")
        image = self._pod.image
        root = self.directory / "root"
        root.mkdir(exist_ok=True)
        text = {
            "root": str(root),
            "image": {"folders": image.folders, "links": image.links, "files": image.files},
            "mounts": [*map(self._mount, self.spec["volumeMounts"]), self._pod.account()],
            "readOnly": context["readOnlyRootFilesystem"],
            "user": context["runAsUser"],
            "group": context.get("runAsGroup", 0),
            "capabilities": power.get("add", []),
            "command": [*self.spec.get("command", image.entrypoint), *self.spec["args"]],
            "environment": {**image.environment, **self._pod.environment(), **self._environment()},
        }
        file = self.directory / "container.json"
        file.write_text(json.dumps(text))
        return file

    def _mount(self, mount: Manifest) -> Manifest:
        volume = self._pod.volume(mount["name"])
        return {"path": mount["mountPath"], "source": volume, "readOnly": mount.get("readOnly", False)}

    def _environment(self) -> dict[str, str]:
        values = {}
        for each in self.spec.get("env", []):
            field = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            values[each["name"]] = self._pod.fields()[field] if field else each["value"]
        return values


class Pod:
    """The pod of a template on a node; a context manager that starts its containers."""

    def __init__(
        self, workload: Manifest, objects: Sequence[Manifest], node: Node, api_server: ApiServer, image: Image
    ) -> None:
        self.name: str = workload["metadata"]["name"]
        self.namespace: str = workload["metadata"]["namespace"]
        self.node = node
        self.image = image
        self._spec: Manifest = workload["spec"]["template"]["spec"]
        self._objects = objects
        self._api_server = api_server
        self._stack = contextlib.ExitStack()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="nqosd-pod-")))
        self.network = NetworkNamespace(directory=self.directory / "network")
        self.containers: dict[str, Container] = {}

    def account(self) -> Manifest:
        """Give the mount with the token of the pod's account."""
        name = self._spec["serviceAccountName"]
        folder = self.directory / "account"
        folder.mkdir(exist_ok=True)
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = json.loads(self._api_server.request("POST", path, request))
        (folder / "token").write_text(answer["status"]["token"])
        (folder / "ca.crt").write_bytes(self._api_server.ca_file.read_bytes())
        (folder / "namespace").write_text(self.namespace)
        return {"path": TOKEN_FOLDER, "source": str(folder), "readOnly": True}

    def environment(self) -> dict[str, str]:
        """Give what a kubelet puts into every container: of Services only the API server, as the manifest says."""
        if self._spec["enableServiceLinks"]:
            raise ServiceError(f"{self.name} takes variables of Services")
        port = str(self._api_server.port)
        return {"HOSTNAME": self.name, "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}

    def fields(self) -> dict[str, str]:
        """Give what the downward API knows."""
        return {
            "spec.nodeName": self.node.name,
            "metadata.name": f"{self.name}-x7k2p",
            "metadata.namespace": self.namespace,
        }

    def volume(self, name: str) -> str | None:
        """Give the folder of a volume; None: an empty one in memory.

        Raises:
            ServiceError: it can't be mounted, as a kubelet says of a host's folder that isn't there.
        """
        (volume,) = (each for each in self._spec["volumes"] if each["name"] == name)
        if "emptyDir" in volume:
            return None
        if "hostPath" in volume:
            folder = self.node.root / volume["hostPath"]["path"].lstrip("/")
            if not folder.is_dir() and volume["hostPath"]["type"] == "Directory":
                raise ServiceError(f"hostPath type check failed: {volume['hostPath']['path']} is not a directory")
            return str(folder)
        return self._write_config_map(volume["configMap"]["name"])

    def probes(self, family: socket.AddressFamily) -> dict[str, int]:
        """Ask every probe of every container."""
        return {
            f"{name} {probe}": container.probe(probe, family)
            for name, container in self.containers.items()
            for probe in ("livenessProbe", "readinessProbe")
        }

    @contextlib.contextmanager
    def running(self) -> Iterator["Pod"]:
        """Start the containers, and end them."""
        with self._stack:
            self._stack.enter_context(self.network)
            lines = [f"ip address add {address} dev lo" for address in ADDRESSES.values()]
            self.network.run([*self.network.enter, "sh", "-ec", "\n".join(lines)])
            listener = open_socket(self.network, socket.AF_INET, socket.SOCK_STREAM)
            listener.settimeout(None)
            listener.bind(("127.0.0.1", self._api_server.port))
            listener.listen()
            self._stack.enter_context(Relay(self._api_server.port, listener=listener))
            for spec in self._spec["containers"]:
                self.containers[spec["name"]] = self._stack.enter_context(Container(self, spec))
            yield self

    def _write_config_map(self, name: str) -> str:
        (found,) = (each for each in self._objects if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name)
        folder = self.directory / f"config-map-{name}"
        folder.mkdir(exist_ok=True)
        for key, text in found["data"].items():
            (folder / key).write_text(text)
        return str(folder)
