"""One cell of the benchmark: everything that is measured for one number of pods and of policies.

In: a size. Out: a `Cell`, numbers only. Rule: counts come from the daemon's metrics and are held against a witness that
watches the database; times are taken between the moments at which an event was written and its effect was seen there.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import attrs

from tests.bench.monitor import DATABASE, Monitor, OvsdbClient
from tests.bench.services import COUNTED, Daemon, FakeApiServer, usage
from tests.bench.workload import NODE, Size
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

ONE_BY_ONE = 200
AT_ONCE = 100
FLOOR_SAMPLES = 300
IDLE = 10.0
CHURN_RATE = 200.0
CHURN_TIME = 20.0
PATIENCE = 300.0

_T = TypeVar("_T")


@attrs.frozen
class Latency:
    """Milliseconds."""

    p50: float
    p99: float
    worst: float

    @property
    def times(self) -> tuple[float, float, float]:
        """All of them."""
        return self.p50, self.p99, self.worst

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Summarise some latencies."""
        ordered = sorted(each * 1000 for each in seconds)
        return cls(statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1])


@attrs.frozen
class Written:
    """Committed transactions, operations in them that write, and others (guards); how many changes a witness saw."""

    transactions: int
    writes: int
    guards: int
    witnessed: int

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """All of them."""
        return self.transactions, self.writes, self.guards, self.witnessed


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


class _Bench:
    """The services of one cell, and what can be measured on them."""

    def __init__(self, size: Size, server: OvsdbServer, api: FakeApiServer, monitor: Monitor, daemon: Daemon) -> None:
        self._size = size
        self._server = server
        self._api = api
        self._monitor = monitor
        self._daemon = daemon
        self._next = size.pods

    def cold(self, stack: contextlib.ExitStack) -> tuple[float, float]:
        """Start the daemon on an empty database, until the stack ends it.

        Gives the seconds until the first list and until it has converged.
        """
        self._api.ask("GET", "first-list")
        begin = time.monotonic()
        stack.enter_context(self._daemon)
        end = self._monitor.wait(self._is_complete, PATIENCE)
        self._daemon.settle(deadline=PATIENCE)
        return cast("float", self._api.ask("GET", "first-list")) - begin, end - begin

    def floor(self) -> Latency:
        """Time bare transactions of one mutation each, on a set that isn't the daemon's."""
        client = OvsdbClient(self._server.socket)
        row = {"name": "floor", "addresses": ["set", []]}
        client.call("transact", [DATABASE, {"op": "insert", "table": "Address_Set", "row": row}])
        times = []
        for number in range(FLOOR_SAMPLES):
            mutation = ["addresses", "insert", f"192.168.{number >> 8}.{number & 255}"]
            where = [["name", "==", "floor"]]
            mutate = {"op": "mutate", "table": "Address_Set", "where": where, "mutations": [mutation]}
            begin = time.monotonic()
            client.call("transact", [DATABASE, mutate])
            times.append(time.monotonic() - begin)
        client.close()
        return Latency.of(times)

    def add(self, count: int) -> float:
        """Add pods; gives the seconds from the first one's event to the last one's effect."""
        written = cast("Mapping[str, float]", self._api.ask("POST", f"pods?first={self._next}&count={count}"))
        self._next += count
        self._monitor.wait(lambda monitor: all(address in monitor.seen for address in written), PATIENCE)
        return max(self._monitor.seen[address] for address in written) - min(written.values())

    def everything(self) -> float:
        """Add a policy that selects all pods; gives the seconds until its rows and members are there."""
        rows, members = self._monitor.rows + 2, self._monitor.members + self._next
        written = cast("float", self._api.ask("POST", "policy"))
        return self._monitor.wait(lambda found: (found.rows, found.members) == (rows, members), PATIENCE) - written

    def restart(self) -> float:
        """Start the daemon anew on what it has written; gives the seconds until it is ready."""
        self._daemon.stop()
        begin = time.monotonic()
        self._daemon.start()
        self._daemon.wait_until(self._daemon.says_ready, what="ready", deadline=PATIENCE)
        ready = time.monotonic() - begin
        self._daemon.settle(quiet=1.0, deadline=PATIENCE)
        return ready

    def idle(self) -> float:
        """Give the share of a core that the daemon takes while nothing happens."""
        before = usage(self._daemon.pid).cpu
        time.sleep(IDLE)
        return (usage(self._daemon.pid).cpu - before) / IDLE

    def churn(self) -> Latency:
        """Add and delete pods at a steady rate."""
        question = f"churn?first={self._next}&rate={CHURN_RATE}&seconds={CHURN_TIME}"
        written = cast("Mapping[str, float]", self._api.ask("POST", question))
        self._daemon.settle(deadline=PATIENCE)
        return Latency.of([self._monitor.seen[address] - moment for address, moment in written.items()])

    def counted(self, work: Callable[[], _T], *, afresh: bool = False) -> tuple[_T, Written]:
        """Do something and say what was written meanwhile; `afresh`: by a daemon that is started by it."""
        before = {} if afresh else self._daemon.written()
        seen = self._monitor.transactions
        result = work()
        self._daemon.settle(deadline=PATIENCE)
        now = self._daemon.written()
        transactions, writes, guards = (int(now[key] - before.get(key, 0.0)) for key in COUNTED)
        return result, Written(transactions, writes, guards, self._monitor.transactions - seen)

    def _is_complete(self, monitor: Monitor) -> bool:
        rows = self._size.rows
        return (monitor.rows, monitor.attached, monitor.members) == (rows, rows, self._size.members)


def measure(size: Size, *, idle: bool = False, churn: bool = False) -> Cell:
    """Measure one cell; idling and churn take half a minute more."""
    with (
        OvsdbServer(GENERATIONS[-1]) as server,
        FakeApiServer(size) as api,
        Monitor(server.socket) as monitor,
        contextlib.ExitStack() as stack,
    ):
        daemon = Daemon([server.unix], kubeconfig=api.kubeconfig)
        server.nbctl("ls-add", NODE)
        bench = _Bench(size, server, api, monitor, daemon)
        before = usage(server.pid)
        (first_list, cold), cold_written = bench.counted(lambda: bench.cold(stack), afresh=True)
        daemon_cost, server_cost = usage(daemon.pid), usage(server.pid)
        floor = bench.floor()
        one, one_written = bench.counted(lambda: Latency.of([bench.add(1) for _ in range(ONE_BY_ONE)]))
        at_once, at_once_written = bench.counted(lambda: bench.add(AT_ONCE))
        everything, everything_written = bench.counted(bench.everything)
        idling = bench.idle() if idle else None
        churning = bench.churn() if churn else None
        last = usage(daemon.pid)
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
