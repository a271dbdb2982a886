"""A backup of an etcd and how to bring it back, as an administrator does: with the API server stopped.

In: an etcd and its API server. Out: both running again, with what was there when the backup was taken. The rule:
resource versions go on from the backup's.
"""

import json
import shutil
from pathlib import Path

import attrs

from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer


@attrs.frozen
class Backup:
    """One backup; it can be brought back any number of times."""

    etcd: Etcd
    server: ApiServer

    def take(self) -> None:
        """Copy the data, and start both again."""
        self._stop()
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._data, self._copy)
        self._start()

    def restore(self) -> None:
        """Put the copy back, and start both."""
        self._stop()
        shutil.rmtree(self._data)
        shutil.copytree(self._copy, self._data)
        self._start()

    def newest_version(self) -> int:
        """Give the newest resource version."""
        return int(json.loads(self.server.request("GET", "/api/v1/pods?limit=1"))["metadata"]["resourceVersion"])

    def grow_past(self, version: int) -> None:
        """Let objects that no policy depends on change until resource versions are greater."""
        path = "/api/v1/namespaces/default/configmaps"
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "growth-"}}
        while self.newest_version() <= version:
            for _ in range(20):
                self.server.request("POST", path, config_map)

    @property
    def _data(self) -> Path:
        return self.etcd.directory / "data"

    @property
    def _copy(self) -> Path:
        return self.etcd.directory / "backup"

    def _stop(self) -> None:
        self.server.kill()
        self.etcd.stop()

    def _start(self) -> None:
        self.etcd.start()
        self.server.start()
