"""What is really stored, read where no fault of a run reaches: etcd's own port, and the file of the database.

In: an etcd whose API server stores JSON, an ovsdb-server. Out: objects and rows as they are at that moment. The rule:
neither the API server nor ovsdb-server is asked, since both may be down, frozen, or lied about.
"""

import base64
import http.client
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs

from nqosd.informers.resources import RESOURCES, Resource
from tests.faults.manifests import Json
from tests.services.etcd import Etcd
from tests.services.ovsdb import OvsdbServer

TIMEOUT = 1.0
"""Seconds that etcd has for an answer."""
JSON_STORAGE = ("--storage-media-type=application/json",)
"""What the API server has to be told so that its objects can be read in etcd."""


@attrs.frozen
class DatabaseFile:
    """The database of a standalone ovsdb-server, read from its file."""

    nb: OvsdbServer

    def transact(self, *operations: Mapping[str, object]) -> list[dict[str, object]]:
        """Run operations that only read."""
        request = json.dumps([self.nb.database, *operations])
        tool = self.nb.generation.program("ovsdb-tool")
        results: list[dict[str, object]] = json.loads(self.nb.run([tool, "query", str(self.nb.file), request]))
        return results


def stored_objects(etcd: Etcd) -> dict[str, list[Json]]:
    """Read the objects of all kinds that a policy can depend on, as of one revision.

    Raises:
        OSError: etcd is down.
    """
    ranges = [{"requestRange": {"key": _text(start), "range_end": _text(start[:-1] + "0")}} for start in _PREFIXES]
    answer = json.loads(_ask(etcd, {"success": ranges}))
    found: dict[str, list[Json]] = {}
    for resource, response in zip(RESOURCES, answer["responses"], strict=True):
        pairs = response["response_range"].get("kvs", [])
        found[resource.kind.value] = [json.loads(base64.b64decode(pair["value"])) for pair in pairs]
    return found


def _ask(etcd: Etcd, transaction: Mapping[str, object]) -> bytes:
    """Ask at once or not at all: a frozen etcd must not hold up who looks every second."""
    connection = http.client.HTTPConnection("127.0.0.1", etcd._client_port, timeout=TIMEOUT)
    try:
        connection.request("POST", "/v3/kv/txn", json.dumps(transaction))
        return connection.getresponse().read()
    finally:
        connection.close()


def snapshot(etcd: Etcd, directory: Path) -> None:
    """Copy what etcd has written until now."""
    etcd.pause()
    try:
        shutil.copytree(etcd.directory / "data", directory)
    finally:
        etcd.resume()


def restore(etcd: Etcd, directory: Path, *, grow: int | None) -> None:
    """Put a copy back and start etcd from it; `grow` lets its revision go on to that many above the one it had."""
    before = _revision(etcd)
    etcd.kill()
    shutil.rmtree(etcd.directory / "data")
    directory.rename(etcd.directory / "data")
    etcd.start()
    if grow is not None:
        while _revision(etcd) < before + grow:
            etcd._request("POST", "/v3/kv/put", {"key": _text("/chaos"), "value": ""})


def _revision(etcd: Etcd) -> int:
    return int(json.loads(etcd._request("POST", "/v3/kv/range", {"key": "AA=="}))["header"]["revision"])


def _prefix(resource: Resource) -> str:
    """Give where the API server keeps a resource; `minions` is what nodes were called once."""
    plural = "minions" if resource.plural == "nodes" else resource.plural
    return f"/registry/{resource.group}/{plural}/".replace("//", "/")


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_PREFIXES = tuple(map(_prefix, RESOURCES))
