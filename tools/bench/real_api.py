"""The same workload on a real kube-apiserver with etcd: `python -m tools.bench.real_api [PODS POLICIES]`.

In: a size. Out: the time of a cold start, the latency of single pods, the daemon's cost. Rule: a latency begins before
the request that creates the pod is sent, so that the API server's own time, and etcd's, are in it; beside it stands the
time after the API server has answered, 0 where the row was there before the answer.
"""

import http.client
import json
import ssl
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from tests.api.manifests import Json, wire
from tests.services.etcd import Etcd
from tests.services.generation import GENERATIONS
from tests.services.kubernetes import ADMIN, ApiServer
from tests.services.latency import Latency
from tests.services.monitor import Monitor
from tests.services.ovsdb import OvsdbServer
from tools.bench.running import TIMEOUT
from tools.bench.services import Daemon, usage
from tools.bench.workload import NAMESPACE, NODE, Pods, Size, address, node, policy

PODS_PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"
POLICIES_PATH = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{NAMESPACE}/networkqoses"
CONNECTIONS = 8
SINGLE = 100
PAUSE = 0.05
"""Seconds between two single pods."""


@attrs.frozen
class RealCell:
    """What was measured; seconds, milliseconds, MiB."""

    size: Size
    cold: float
    transactions: int
    from_request: Latency
    from_answer: Latency
    daemon_cpu: float
    resident: float


def measure_real(size: Size) -> RealCell:
    """Create the objects, then start the daemon, then create single pods."""
    with Etcd() as etcd, ApiServer(etcd) as api, OvsdbServer(GENERATIONS[-1]) as server:
        port = f"stor-{NODE}"
        server.nbctl("ls-add", NODE, "--", "lsp-add", NODE, port, "--", "lsp-set-type", port, "router")
        for crd in (*Path("config/crd").glob("*.yaml"), *Path("tests/services/manifests").glob("*.yaml")):
            api.apply_crds(crd.read_text())
        api.kubectl("create", "namespace", NAMESPACE)
        api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node()})
        pods = Pods(size.policies)
        _create(api, POLICIES_PATH, (_new_policy(number, size) for number in range(size.policies)))
        _create(api, PODS_PATH, (_created(pods, number) for number in range(size.pods)))
        with Monitor(server.socket) as monitor:
            begin = time.monotonic()
            with Daemon([server.unix], kubeconfig=api.kubeconfig(ADMIN)) as daemon:
                expected = (size.rows, size.rows, size.members)
                end = monitor.wait(lambda it: (it.rows, it.attached, it.members) == expected, TIMEOUT)
                daemon.settle(deadline=TIMEOUT)
                cost, transactions = usage(daemon.pid), int(daemon.written()["transactions"])
                moments = [_add(api, monitor, pods, size.pods + number) for number in range(SINGLE)]
    return RealCell(
        size=size,
        cold=end - begin,
        transactions=transactions,
        from_request=Latency.of([seen - sent for sent, _answered, seen in moments]),
        from_answer=Latency.of([max(0.0, seen - answered) for _sent, answered, seen in moments]),
        daemon_cpu=cost.cpu,
        resident=cost.resident,
    )


def _add(api: ApiServer, monitor: Monitor, pods: Pods, number: int) -> tuple[float, float, float]:
    """Create a pod; gives when the request was sent, when it was answered, and when its address was seen."""
    time.sleep(PAUSE)
    body = json.loads(_created(pods, number))
    sent = time.monotonic()
    api.request("POST", PODS_PATH, body)
    answered = time.monotonic()
    monitor.wait(lambda it: address(number) in it.seen, TIMEOUT)
    return sent, answered, monitor.seen[address(number)]


def _new_policy(number: int, size: Size) -> bytes:
    """Give a policy without what only a server may set."""
    described = policy(number, size.rules)
    meta = described["metadata"]
    assert isinstance(meta, dict)
    del meta["resourceVersion"]
    return wire(described)


def _created(pods: Pods, number: int) -> bytes:
    """Give a pod without what only a server may set."""
    pod: dict[str, Json] = json.loads(pods.render(number, 0))
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        del pod["metadata"][field]
    del pod["status"]
    containers = pod["spec"]["containers"]
    assert isinstance(containers, list)
    del containers[0]["volumeMounts"]
    return wire(pod)


def _create(api: ApiServer, path: str, bodies: Iterable[bytes]) -> None:
    """Create many objects over a few connections that stay open."""
    shares: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    for number, body in enumerate(bodies):
        shares[number % CONNECTIONS].append(body)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(_post, api, path, share) for share in shares]:
            done.result()


def _post(api: ApiServer, path: str, bodies: Sequence[bytes]) -> None:
    tls = ssl.create_default_context(cafile=api.ca_file)
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, context=tls)
    headers = {"Authorization": f"Bearer {api.tokens[ADMIN]}", "Content-Type": "application/json"}
    for body in bodies:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != http.client.CREATED:
            raise RuntimeError(f"POST {path}: {response.status} {answer.decode()[:400]}")
    connection.close()


def main() -> int:
    """Print what was measured."""
    pods, policies = map(int, sys.argv[1:3] or ("10000", "100"))
    for name, value in attrs.asdict(measure_real(Size(pods, policies)), recurse=False).items():
        print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
