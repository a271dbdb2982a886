"""A real kube-apiserver with RBAC, without controllers: no scheduler, no kubelet, no garbage collector.

In: a running `Etcd`. Out: a server on loopback with its own authority, two users with tokens, their kubeconfigs, and
kubectl. The rule: whatever a controller would do, the test does itself (a pod's status, the end of a namespace).
"""

import contextlib
import http.client
import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.services.etcd import Etcd
from tests.services.install import golang
from tests.services.process import Service, ServiceError, free_port
from tests.services.tls import Authority, write_signing_key

ADMIN = "admin"
DAEMON = "nqosd"
USERS = {ADMIN: "system:masters", DAEMON: ""}
"""Users and their groups. The daemon's user may do nothing until a test binds a role to it."""

REQUEST_TIMEOUT = 30.0


class ApiServer(Service):
    """A kube-apiserver; its port, certificates and tokens stay the same over restarts.

    `feature_gates` turn features on or off (`{"WatchList": False}`); `flags` are added to the command as they are.
    """

    def __init__(
        self,
        etcd: Etcd,
        *,
        directory: Path | None = None,
        feature_gates: Mapping[str, bool] | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        super().__init__("kube-apiserver", directory=directory)
        self._etcd = etcd
        self._flags = list(flags)
        if feature_gates:
            gates = ",".join(f"{name}={str(on).lower()}" for name, on in feature_gates.items())
            self._flags.append(f"--feature-gates={gates}")
        self.port = free_port()
        authority = Authority(self.directory / "pki")
        self.serving = authority.issue("kube-apiserver")
        """Its certificate; what stands in for it in a test shows the same."""
        self._signing = write_signing_key(authority.directory, "service-account")
        self.ca_file = authority.certificate
        self._tls = ssl.create_default_context(cafile=self.ca_file)
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        rows = [f'{self.tokens[user]},{user},{user},"{group}"\n' for user, group in USERS.items()]
        self._token_file = self.directory / "tokens.csv"
        self._token_file.write_text("".join(rows))

    @property
    def url(self) -> str:
        """The address of the server: `https://127.0.0.1:PORT`."""
        return f"https://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Return the command with the flags that are enough for objects, RBAC, CRDs and watches."""
        private, public = self._signing
        return [
            str(golang.kube_apiserver().require() / "bin" / "kube-apiserver"),
            f"--etcd-servers={self._etcd.url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.serving.certificate}",
            f"--tls-private-key-file={self.serving.key}",
            f"--token-auth-file={self._token_file}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--advertise-address=127.0.0.1",  # without these two it dies where there is no default route
            "--endpoint-reconciler-type=none",
            "--request-timeout=5s",  # bounds how long SIGTERM waits for open watches
            *self._flags,
        ]

    def environment(self) -> Mapping[str, str]:
        """Return what keeps kubectl from the user's own configuration and from a proxy."""
        return {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HOME": str(self.directory)}

    def is_ready(self) -> bool:
        """Return whether the server is ready and has the namespace `default`."""
        with contextlib.suppress(OSError, http.client.HTTPException, ServiceError):
            self.request("GET", "/readyz")
            self.request("GET", "/api/v1/namespaces/default")
            return True
        return False

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Return a kubeconfig file of a user: `admin` or `nqosd`."""
        name = user.replace(":", "-")  # a colon would separate two files
        file = self.directory / f"{name}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": user, "context": {"cluster": "tests", "user": user, "namespace": "default"}}],
            "current-context": user,
        }
        file.write_text(yaml.safe_dump(config))
        return file

    def kubectl(self, *arguments: str, stdin: str = "", user: str = ADMIN) -> str:
        """Run kubectl as a user and return what it prints.

        Raises:
            ServiceError: kubectl failed; carries what it said.
        """
        program = str(golang.kubectl_program())
        cache = self.directory / "kubectl-cache"
        return self.run(
            [program, f"--kubeconfig={self.kubeconfig(user)}", f"--cache-dir={cache}", *arguments], stdin=stdin
        )

    def apply(self, manifests: str) -> str:
        """Create or change the objects of a YAML text (server-side apply) and return what kubectl prints."""
        return self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifests)

    def apply_crds(self, manifests: str) -> None:
        """Create CustomResourceDefinitions and wait until the server serves them."""
        self.apply(manifests)
        for crd in yaml.safe_load_all(manifests):
            group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
            for version in crd["spec"]["versions"]:
                self._wait_until_served(f"/apis/{group}/{version['name']}/{plural}")

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace and everything in it, as the namespace controller would."""
        for collection in self._namespaced_collections():
            self.request("DELETE", collection.format(namespace=name), {"gracePeriodSeconds": 0})
        self.request("DELETE", f"/api/v1/namespaces/{name}")
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": []}}
        self.request("PUT", f"/api/v1/namespaces/{name}/finalize", body)

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        user: str = ADMIN,
        content_type: str = "application/json",
    ) -> bytes:
        """Send one request as a user and return the body of the answer.

        Raises:
            ServiceError: the server answered with a status other than 2xx; carries the answer.
        """
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self._tls, timeout=REQUEST_TIMEOUT)
        headers = {"Authorization": f"Bearer {self.tokens[user]}", "Content-Type": content_type}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status // 100 != http.client.OK // 100:
            raise ServiceError(f"{method} {path} as {user} was answered {response.status}: {answer.decode()}")
        return answer

    def _wait_until_served(self, path: str) -> None:
        """Wait while the server answers 404 (not established yet) or 429 (storage is initializing)."""

        def is_served() -> bool:
            with contextlib.suppress(ServiceError):
                self.request("GET", path)
                return True
            return False

        self.wait_until(is_served, what=f"serving {path}")

    def _namespaced_collections(self) -> list[str]:
        """Return the paths, with `{namespace}` in them, of every kind whose objects can be deleted all at once."""
        groups = json.loads(self.request("GET", "/apis"))["groups"]
        versions = [version["groupVersion"] for group in groups for version in group["versions"]]
        roots = ["/api/v1", *(f"/apis/{version}" for version in versions)]
        return [
            f"{root}/namespaces/{{namespace}}/{resource['name']}"
            for root in roots
            for resource in json.loads(self.request("GET", root))["resources"]
            if resource["namespaced"] and "deletecollection" in resource["verbs"]
        ]
