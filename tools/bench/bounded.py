"""One case of policies at a bound, on the real daemon beside a light API server and a real database.

In: a case, and how many policies of it come at once. Out: a `Found`: what it takes the daemon. Rule: the daemon is
watched from outside, but for the heart in its event loop; it is done when it has nothing more to do.
"""

import gc
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import attrs

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.decoding import decode_network_qos, decode_node, decode_pod
from nqosd.compiler.desired import Desired
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from tests.api.manifests import Json, wire
from tests.services.generation import GENERATIONS
from tests.services.monitor import Monitor
from tests.services.ovsdb import OvsdbServer
from tools.bench.bound_cases import DUAL, FIRST, Case
from tools.bench.services import Daemon, FakeApiServer, usage
from tools.bench.workload import NODE, Pods, Size, node

TIMEOUT = 120.0
SELDOM = 2.0
STATUS = 888
"""Bytes that the status adds to an object, with the note of who wrote it, where the policy is applied on one network.

Measured with kube-apiserver 1.36, as `tests/e2e/test_status.py` does; one that isn't applied has up to twice as many.
"""


class BeatingDaemon(Daemon):
    """The daemon with a heart."""

    @property
    def heart(self) -> Path:
        """The socket that tells how late it was."""
        return self.directory / "heart"

    def command(self) -> Sequence[str]:
        """Return the command."""
        return [sys.executable, "-m", "tools.bench.heartbeat", str(self.config), str(self.heart)]

    def stall(self) -> float:
        """Give the longest time that the event loop was held up, in seconds, since this was asked last."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.heart))
            return float(client.makefile().readline())


@attrs.frozen
class Found:
    """Times in seconds, bytes of the objects, memory in MiB.

    `there`: until the database had all rows; `pod`: until it has one that comes then.
    """

    count: int
    written: int
    rows: int
    there: float
    pod: float
    stall: float
    grown: float

    @property
    def factor(self) -> float:
        """By how many times the bytes of the objects the daemon's memory has grown."""
        return self.grown * 2**20 / self.written


def compiled(case: Case) -> tuple[Desired, float]:
    """Decode and compile one policy in this process; gives what is desired and the seconds of CPU that it took."""
    pods = Pods(1)
    compiler = IncrementalCompiler(Settings())
    compiler.apply([_change(ResourceKind.NODE, decode_node(wire(node())).value)])
    raw_pods = [*(pods.render(each, 1) for each in range(case.pods)), wire(DUAL)]
    compiler.apply([_change(ResourceKind.POD, decode_pod(raw).value) for raw in raw_pods])
    (raw,) = map(wire, case.policies(1))
    gc.collect()
    begun = time.process_time()
    compiler.apply([_change(ResourceKind.NETWORK_QOS, decode_network_qos(raw).value)])
    return compiler.desired, time.process_time() - begun


def measure(case: Case, count: int) -> Found:
    """Start everything, let the policies come, and look."""
    policies = case.policies(count)
    with (
        OvsdbServer(GENERATIONS[-1]) as server,
        FakeApiServer(Size(case.pods, 0)) as api,
        Monitor(server.socket) as monitor,
    ):
        server.nbctl("ls-add", NODE)
        with BeatingDaemon([server.unix], kubeconfig=api.kubeconfig) as daemon:
            daemon.wait_until(daemon.says_ready, what="ready")
            _add(api, "pods", [DUAL])
            _add(api, "networkqoses", FIRST)  # so that what every first policy takes isn't counted
            daemon.wait_until(lambda: monitor.rows > 0, what="done with the first policy")
            _settle(daemon)
            before, rows = usage(daemon.pid).resident, monitor.rows
            daemon.stall()
            begun = _add(api, "networkqoses", policies)
            _await_all(daemon, len(FIRST) + count)
            _settle(daemon)
            there, rows = max(0.0, monitor.moment - begun), monitor.rows - rows
            pod = _one_pod(api, monitor, case.pods)
            _settle(daemon)
            stall, grown = daemon.stall(), usage(daemon.pid).resident - before
    return Found(
        count=count,
        written=sum(len(wire(each)) + STATUS for each in policies),
        rows=rows,
        there=there,
        pod=pod,
        stall=stall,
        grown=grown,
    )


def _add(api: FakeApiServer, resource: str, objects: Sequence[Json]) -> float:
    return cast("float", api.ask("POST", f"objects?resource={resource}", objects))


def _one_pod(api: FakeApiServer, monitor: Monitor, number: int) -> float:
    """Add a pod; gives the seconds until what comes of it is in the database."""
    ((address, begun),) = cast("dict[str, float]", api.ask("POST", f"pods?first={number}&count=1")).items()
    monitor.wait(lambda found: address in found.seen, TIMEOUT)
    return monitor.seen[address] - begun


def _await_all(daemon: BeatingDaemon, policies: int) -> None:
    """Wait until so many policies have been compiled; it is asked seldom, since answering takes the daemon time too."""
    end = time.monotonic() + TIMEOUT
    while daemon.metric("nqosd_objects", kind="NetworkQoS") != policies:
        if time.monotonic() > end:
            raise TimeoutError(f"the daemon doesn't know all {policies} policies after {TIMEOUT:g} s")
        time.sleep(SELDOM)


def _settle(daemon: BeatingDaemon) -> None:
    daemon.settle(0.5, TIMEOUT)
    daemon.wait_until(lambda: daemon.metric("nqosd_status_pending") == 0, what="done with statuses", deadline=TIMEOUT)
    daemon.settle(0.5, TIMEOUT)


def _change(kind: ResourceKind, value: Object) -> Change:
    return Change(kind, value.key, None, value)
