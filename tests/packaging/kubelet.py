"""Plays what a cluster without nodes lacks: the controller of DaemonSets, and the kubelet of one node.

In: an API server, a node, an image. Out: a pod for each DaemonSet, with the objects as the API server holds them, and
the DaemonSet's status, which `kubectl rollout status` waits for. Rule: it says that a pod is ready when its probes say
so, over IPv4 and over IPv6.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from tests.packaging.pods import Image, Manifest, Node, Pod
from tests.services.kubernetes import ApiServer

NAMESPACE = "kube-system"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
MERGE = "application/merge-patch+json"
PAUSE = 0.2


@contextlib.contextmanager
def kubelet(api_server: ApiServer, node: Node, image: Image) -> Iterator[None]:
    """Play until the end; what went wrong meanwhile is raised then."""
    ending = threading.Event()
    failures: list[BaseException] = []

    def play() -> None:
        try:
            _play(api_server, node, image, ending)
        except BaseException as error:  # noqa: BLE001 - raised where the test is
            failures.append(error)

    thread = threading.Thread(target=play, name="kubelet")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        if failures:
            raise failures[0]


def _play(api_server: ApiServer, node: Node, image: Image, ending: threading.Event) -> None:
    pods: dict[str, Pod] = {}
    with contextlib.ExitStack() as stack:
        while not ending.wait(PAUSE):
            for workload in _listed(api_server, DAEMON_SETS):
                name = workload["metadata"]["name"]
                if name not in pods:
                    pod = Pod(
                        workload,
                        _listed(api_server, f"/api/v1/namespaces/{NAMESPACE}/configmaps"),
                        node,
                        api_server,
                        image,
                    )
                    pods[name] = stack.enter_context(pod.running())
                _report(api_server, workload, ready=_is_ready(pods[name]))


def _listed(api_server: ApiServer, path: str) -> list[Manifest]:
    """List objects of a kind, each with its kind, which stands at the list alone."""
    found = json.loads(api_server.request("GET", path))
    return [{**each, "kind": found["kind"].removesuffix("List")} for each in found["items"]]


def _is_ready(pod: Pod) -> bool:
    answers = [*pod.probes(socket.AF_INET).values(), *pod.probes(socket.AF_INET6).values()]
    return set(answers) == {200}


def _report(api_server: ApiServer, workload: Manifest, *, ready: bool) -> None:
    """Write the status, if it isn't there yet."""
    status = {
        "observedGeneration": workload["metadata"]["generation"],
        "desiredNumberScheduled": 1,
        "currentNumberScheduled": 1,
        "updatedNumberScheduled": 1,
        "numberMisscheduled": 0,
        "numberReady": int(ready),
        "numberAvailable": int(ready),
    }
    if {key: value for key, value in workload["status"].items() if value} != {key: v for key, v in status.items() if v}:
        path = f"{DAEMON_SETS}/{workload['metadata']['name']}/status"
        api_server.request("PATCH", path, {"status": status}, content_type=MERGE)
