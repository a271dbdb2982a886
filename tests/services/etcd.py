"""A real etcd, the store under a kube-apiserver.

In: a directory, or nothing. Out: a running etcd on loopback. The rule: its data outlives stop, kill and restart.
"""

import base64
import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.install import golang
from tests.services.process import Service, ServiceError, free_port

REQUEST_TIMEOUT = 10.0


class Etcd(Service):
    """An etcd with one member, without fsync: a test's data need not outlive the machine.

    `flags` are added to the command as they are.
    """

    def __init__(self, *, directory: Path | None = None, flags: Sequence[str] = ()) -> None:
        super().__init__("etcd", directory=directory)
        self._flags = flags
        self._client_port = free_port()
        self._peer_port = free_port()

    @property
    def url(self) -> str:
        """Where clients connect to: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._client_port}"

    def command(self) -> Sequence[str]:
        """Return the command that serves the data in this directory."""
        peer = f"http://127.0.0.1:{self._peer_port}"
        return [
            str(golang.etcd().require() / "bin" / "etcd"),
            f"--data-dir={self.directory / 'data'}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
            *self._flags,
        ]

    def is_ready(self) -> bool:
        """Return whether the member says that it is healthy."""
        try:
            return b'"health":"true"' in self._request("GET", "/health")
        except (OSError, http.client.HTTPException, ServiceError):
            return False

    def compact(self) -> int:
        """Drop every revision but the current one, and return that; watches of older ones then expire."""
        answer = json.loads(self._request("POST", "/v3/kv/range", {"key": "AA=="}))
        revision = int(answer["header"]["revision"])
        self._request("POST", "/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def put(self, values: Mapping[str, bytes]) -> None:
        """Store values by key, 128 at most, in one transaction."""
        puts = [
            {"requestPut": {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value).decode()}}
            for key, value in values.items()
        ]
        self._request("POST", "/v3/kv/txn", {"success": puts})

    def _request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._client_port, timeout=REQUEST_TIMEOUT)
        try:
            connection.request(method, path, json.dumps(body) if body else None)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ServiceError(f"etcd answered {response.status} to {method} {path}: {answer.decode()}")
        return answer
