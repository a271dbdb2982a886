"""What the informers cost: `python -m tools.bench.informers [PODS]` prints CPU and wall time against a real API server.

The load comes from another process, so that CPU time here is the informer's alone.
"""

import asyncio
import concurrent.futures
import http.client
import itertools
import json
import multiprocessing
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import SpawnProcess

import attrs

from nqosd.api.changes import Change, ResourceKind
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.reflector import Reflector
from nqosd.informers.stream_lines import LineSplitter
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.informers.wire import BY_KIND
from tests.services.etcd import Etcd
from tests.services.kubernetes import ADMIN, ApiServer

WORKERS = 32
NAMESPACES = 20
CHUNK = 65_536
FILLER = "x" * 3400
"""Brings a pod to the 5.6 KB that one of a real cluster has."""


@attrs.frozen
class Target:
    """Where the load goes."""

    port: int
    ca_file: str
    token: str


def pod(number: int) -> dict[str, object]:
    """Give a pod as ovn-kubernetes annotates it."""
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    network = {"default": {"ip_addresses": [f"{address}/16"], "mac_address": "0a:58:0a:f4:00:03", "role": "primary"}}
    annotations = {"k8s.ovn.org/pod-networks": json.dumps(network), "filler": FILLER}
    labels = {"app": f"app-{number % 100}", "pod-template-hash": f"{number % 100:x}", "tier": "web"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number:05}", "labels": labels, "annotations": annotations},
        "spec": {"nodeName": f"node-{number % 50}", "containers": [{"name": "main", "image": "registry/app:1"}]},
    }


def send(target: Target, requests: Sequence[tuple[str, str, object]]) -> None:
    """Send requests with many connections at once (runs in a process of its own)."""
    tls = ssl.create_default_context(cafile=target.ca_file)
    local = threading.local()

    def one(request: tuple[str, str, object]) -> None:
        method, path, body = request
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPSConnection("127.0.0.1", target.port, context=tls, timeout=60)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {target.token}", "Content-Type": kind}
        local.connection.request(method, path, json.dumps(body), headers)
        answer = local.connection.getresponse()
        text = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, requests))


class Watcher:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.changes = 0
        self.is_synced = False

    def changed(self, changes: list[Change]) -> None:
        """Count."""
        self.changes += len(changes)

    def synced(self, kind: ResourceKind) -> None:
        """Take note."""
        self.is_synced = kind is ResourceKind.POD


def say(line: str) -> None:
    """Print a result."""
    sys.stdout.write(f"{line}\n")


async def wait(holds: Callable[[], bool]) -> None:
    """Poll rarely, so that polling costs nothing."""
    while not holds():  # noqa: ASYNC110 - the sink is what is measured, it shall not do more than it must
        await asyncio.sleep(0.02)


async def measure(server: ApiServer, pods: int, label: str, load: Callable[[], SpawnProcess] | None) -> None:
    """List once; then take events, if there is a load."""
    watcher = Watcher()
    async with KubeClient(KubeOptions(kubeconfig=str(server.kubeconfig()))) as client:
        await client.request("GET", "/version")
        source = ApiServerSource(client, resources=[BY_KIND[ResourceKind.POD]])
        cpu, wall = time.process_time(), time.monotonic()
        task = asyncio.create_task(source.run(watcher))
        await wait(lambda: watcher.is_synced)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        say(f"{label}: {pods} pods in {wall:.2f} s, CPU {cpu:.2f} s ({cpu / pods * 1e6:.1f} µs a pod)")
        if load is not None:
            start = watcher.changes
            process = load()
            cpu, wall = time.process_time(), time.monotonic()
            process.start()
            await wait(lambda: watcher.changes - start >= pods)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            await asyncio.to_thread(process.join)
            say(f"{label}: {pods} events in {wall:.1f} s, CPU {cpu / pods * 1e6:.1f} µs an event")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def measure_alone(pods: int) -> None:
    """Take the events of a watch without any I/O: cutting lines, decoding, comparing."""
    reflector, splitter = Reflector(BY_KIND[ResourceKind.POD], 0.0), LineSplitter()
    events = []
    for number in range(pods):
        body = pod(number)
        body["metadata"] |= {"namespace": "load", "resourceVersion": str(number)}  # type: ignore[operator]
        events.append(json.dumps({"type": "ADDED", "object": body}, separators=(",", ":")) + "\n")
    text = "".join(events).encode()
    cpu = time.process_time()
    for start in range(0, len(text), CHUNK):
        reflector.lines(splitter.feed(text[start : start + CHUNK]), 0.0)
    cpu = time.process_time() - cpu
    say(f"without I/O: {pods} events of {len(text) // pods} bytes, CPU {cpu / pods * 1e6:.1f} µs an event")


def main(pods: int) -> None:
    """Create pods, and measure both ways to list them, and events."""
    measure_alone(pods)
    with Etcd() as etcd, ApiServer(etcd) as server:
        target = Target(server.port, str(server.ca_file), server.tokens[ADMIN])
        for number in range(NAMESPACES):
            server.kubectl("create", "namespace", f"load-{number}")
        place = "/api/v1/namespaces/load-{}/pods"
        began = time.monotonic()
        send(target, [("POST", place.format(number % NAMESPACES), pod(number)) for number in range(pods)])
        say(f"{pods} pods created in {time.monotonic() - began:.1f} s")
        rounds = itertools.count(1)

        def load() -> SpawnProcess:
            label = {"metadata": {"labels": {"round": str(next(rounds))}}}
            paths = [f"{place.format(number % NAMESPACES)}/pod-{number:05}" for number in range(pods)]
            requests = [("PATCH", path, label) for path in paths]
            return multiprocessing.get_context("spawn").Process(target=send, args=(target, requests))

        asyncio.run(measure(server, pods, "streamed list", load))
        asyncio.run(measure(server, pods, "streamed list, again", None))
        with ApiServer(etcd, feature_gates={"WatchList": False}) as old:
            asyncio.run(measure(old, pods, "paged list", None))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
