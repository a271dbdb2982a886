"""One cell of the benchmark: everything that is measured for one number of pods and of policies.

In: a size. Out: a `Cell`, numbers only. Rule: all but the start is measured on a daemon that has converged.
"""

import attrs

from tests.services.latency import Latency
from tools.bench.running import Bench, Written
from tools.bench.services import usage
from tools.bench.workload import Size

ONE_BY_ONE = 200
AT_ONCE = 100
ALONE, PAUSE = 100, 0.05
"""How many pods come alone, each so many seconds after the one before: processors have other things in their caches by
then, and each process has to be woken."""


@attrs.frozen
class Cell:
    """What was measured. Times are in seconds where nothing else is said, memory in MiB."""

    size: Size
    floor: Latency
    first_list: float
    cold: float
    cold_written: Written
    daemon_cpu: float
    server_cpu: float
    one: Latency
    one_written: Written
    """For all of ONE_BY_ONE pods together."""
    alone: Latency
    alone_floor: Latency
    at_once: float
    at_once_written: Written
    everything: float
    everything_written: Written
    resident: float
    peak: float
    restart: float
    restart_written: Written
    idle: float | None = None
    """Share of one core."""
    churn: Latency | None = None


def measure(size: Size, *, idle: bool = False, churn: bool = False) -> Cell:
    """Measure one cell; idling and churn take half a minute more."""
    with Bench(size) as bench:
        before = usage(bench.server.pid)
        (first_list, cold), cold_written = bench.counted(bench.cold, afresh=True)
        daemon_cost, server_cost = usage(bench.daemon.pid), usage(bench.server.pid)
        floor = bench.floor()
        one, one_written = bench.counted(lambda: Latency.of([bench.add(1) for _ in range(ONE_BY_ONE)]))
        alone, alone_floor = bench.add_alone(ALONE, PAUSE), bench.floor(ALONE, PAUSE)
        at_once, at_once_written = bench.counted(lambda: bench.add(AT_ONCE))
        idling = bench.idle() if idle else None
        churning = bench.churn() if churn else None
        everything, everything_written = bench.counted(bench.everything)
        last = usage(bench.daemon.pid)
        restart, restart_written = bench.counted(bench.restart, afresh=True)
        return Cell(
            size=size,
            floor=floor,
            first_list=first_list,
            cold=cold,
            cold_written=cold_written,
            daemon_cpu=daemon_cost.cpu,
            server_cpu=server_cost.cpu - before.cpu,
            one=one,
            one_written=one_written,
            alone=alone,
            alone_floor=alone_floor,
            at_once=at_once,
            at_once_written=at_once_written,
            everything=everything,
            everything_written=everything_written,
            resident=daemon_cost.resident,
            peak=last.peak,
            restart=restart,
            restart_written=restart_written,
            idle=idling,
            churn=churning,
        )
