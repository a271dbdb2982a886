"""One case of policies at a bound, on the real daemon beside a light API server and a real database.

In: a case, and how many policies of it come at once. Out: a `Found`: what it takes the daemon, and what it writes.
Rule: what must come of the policies is what the compiler says in this process; the daemon is watched from outside, but
for the heart in its event loop.
"""

import gc
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import attrs

from nqosd.api.decoding import decode_network_qos, decode_node, decode_pod
from nqosd.compiler.desired import Desired
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.informers.changes import Change, Kind, Object
from tests.api.manifests import Json, wire
from tests.bench.bound_cases import FIRST, Case
from tests.bench.monitor import Monitor
from tests.bench.services import Daemon, FakeApiServer, usage
from tests.bench.workload import NODE, Pods, Size, node
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

PATIENCE = 120.0


class BeatingDaemon(Daemon):
    """The daemon with a heart."""

    @property
    def heart(self) -> Path:
        """The socket that tells how late it was."""
        return self.directory / "heart"

    def command(self) -> Sequence[str]:
        """Return the command."""
        return [sys.executable, "-m", "tests.bench.heartbeat", str(self.config), str(self.heart)]

    def stall(self) -> float:
        """Give the longest time that the event loop was held up, in seconds, since this was asked last."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.heart))
            return float(client.makefile().readline())


@attrs.frozen
class Found:
    """Times in seconds, memory in MiB, the rest in bytes. `compile` is CPU time; `commit`, until rows are there."""

    count: int
    written: int
    rows: int
    compile: float
    commit: float
    stall: float
    match: int
    sets: int
    grown: float

    @property
    def factor(self) -> float:
        """By how many times the bytes of the objects the daemon's memory has grown."""
        return self.grown * 2**20 / self.written


def compiled(case: Case, policies: Sequence[Json]) -> tuple[Desired, float]:
    """Decode and compile policies in this process; gives what is desired and the seconds of CPU that they took."""
    pods = Pods(1)
    compiler = IncrementalCompiler(Settings())
    compiler.apply([_change(Kind.NODE, decode_node(wire(node())).value)])
    compiler.apply([_change(Kind.POD, decode_pod(pods.render(each, 1)).value) for each in range(case.pods)])
    compiler.apply([_change(Kind.NETWORK_QOS, decode_network_qos(wire(each)).value) for each in FIRST])
    raws = [wire(each) for each in policies]
    gc.collect()
    begun = time.process_time()
    compiler.apply([_change(Kind.NETWORK_QOS, decode_network_qos(raw).value) for raw in raws])
    return compiler.desired, time.process_time() - begun


def measure(case: Case, count: int) -> Found:
    """Start everything, let the policies come, and look."""
    policies = case.policies(count)
    desired, seconds = compiled(case, policies)
    with (
        OvsdbServer(GENERATIONS[-1]) as server,
        FakeApiServer(Size(case.pods, 0)) as api,
        Monitor(server.socket) as monitor,
    ):
        server.nbctl("ls-add", NODE)
        with BeatingDaemon([server.unix], kubeconfig=api.kubeconfig) as daemon:
            daemon.wait_until(daemon.says_ready, what="ready")
            _add(api, FIRST)  # so that what every first policy takes isn't counted
            daemon.wait_until(lambda: monitor.rows > 0, what="done with the first policy")
            _settle(daemon)
            before = usage(daemon.pid).resident
            daemon.stall()
            begun = _add(api, policies)
            end = monitor.wait(lambda found: found.rows == len(desired.rows), PATIENCE)
            _settle(daemon)
            stall, grown = daemon.stall(), usage(daemon.pid).resident - before
    return Found(
        count=count,
        written=sum(len(wire(each)) for each in policies),
        rows=len(desired.rows),
        compile=seconds,
        commit=max(0.0, end - begun),
        stall=stall,
        match=max((len(row.match) for row in desired.rows.values()), default=0),
        sets=sum(len(member) for each in desired.address_sets.values() for member in each.addresses),
        grown=grown,
    )


def _add(api: FakeApiServer, policies: Sequence[Json]) -> float:
    return cast("float", api.ask("POST", "policies", policies))


def _settle(daemon: BeatingDaemon) -> None:
    daemon.settle(0.5, PATIENCE)
    daemon.wait_until(lambda: daemon.metric("nqosd_status_pending") == 0, what="done with statuses", deadline=PATIENCE)
    daemon.settle(0.5, PATIENCE)


def _change(kind: Kind, value: Object) -> Change:
    return Change(kind, value.key, None, value)
