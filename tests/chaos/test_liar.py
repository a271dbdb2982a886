"""The fake API server passes on what it doesn't lie about, and lies as it is told."""

import http.client
import json
import ssl

from tests.faults.cluster import Cluster
from tests.faults.liar import Answer, Liar


def ask(cluster: Cluster, port: int, path: str) -> tuple[int, bytes]:
    """Ask whoever listens there."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port, context=ssl.create_default_context(cafile=cluster.server.ca_file), timeout=60
    )
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {cluster.server.tokens['admin']}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_lies_about_what_it_is_told_to_and_nothing_else(cluster: Cluster) -> None:
    """Other paths, and everything once it stopped lying, are the real server's."""
    with Liar(cluster.server) as liar:
        liar.tell(lambda path: Answer(b"{}", status=418) if path == "/api/v1/nodes" else None)
        assert ask(cluster, liar.port, "/api/v1/nodes") == (418, b"{}")
        status, body = ask(cluster, liar.port, "/api/v1/namespaces/default")
        assert (status, json.loads(body)["kind"]) == (200, "Namespace")
        assert liar.lies == 1
        liar.stop_lying()
        status, body = ask(cluster, liar.port, "/api/v1/nodes")
        assert (status, json.loads(body)["kind"]) == (200, "NodeList")
