"""The services of one cell of the benchmark, and what can be measured on them.

In: a size. Out: times, and counts of what was written. Rule: counts come from the daemon's metrics and are held against
a witness that watches the database; times are taken between the moments at which an event was written and its effect
was seen there.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Self, TypeVar, cast

import attrs

from tests.services.generation import GENERATIONS
from tests.services.latency import Latency
from tests.services.monitor import Monitor
from tests.services.ovsdb import OvsdbServer
from tools.bench.floor import Floor
from tools.bench.services import COUNTED, Daemon, FakeApiServer, usage
from tools.bench.workload import NODE, Size

FLOOR_SAMPLES = 300
IDLE = 10.0
CHURN_RATE = 200.0
CHURN_TIME = 20.0
TIMEOUT = 300.0
UNBOUNDED = {
    "limits": {
        "policies": 100_000,
        "namespace_selectors": 1_000_000,
        "members": 100_000_000,
        "namespace_members": 1_000_000_000,
    }
}
"""The peer has no limits, and a thousand policies to ten thousand pods each, and one more, are beyond a namespace's."""

_T = TypeVar("_T")


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


class Bench:
    """A database, an API server, a witness, and the daemon, which `cold` starts; a context manager."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self.next = size.pods
        """The number of the next pod that is added."""
        self._pods = size.pods
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.server = stack.enter_context(OvsdbServer(GENERATIONS[-1]))
            self._api = stack.enter_context(FakeApiServer(self._size))
            self._monitor = stack.enter_context(Monitor(self.server.socket))
            port = f"stor-{NODE}"
            self.server.nbctl("ls-add", NODE, "--", "lsp-add", NODE, port, "--", "lsp-set-type", port, "router")
            self.daemon = Daemon([self.server.unix], kubeconfig=self._api.kubeconfig, options=UNBOUNDED)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def cold(self) -> tuple[float, float]:
        """Start the daemon on an empty database; gives the seconds until the first list and until it has converged."""
        self._api.ask("GET", "first-list")
        begin = time.monotonic()
        self._stack.enter_context(self.daemon)
        end = self._monitor.wait(self._is_complete, TIMEOUT)
        self._settle()
        return cast("float", self._api.ask("GET", "first-list")) - begin, end - begin

    def floor(self, samples: int = FLOOR_SAMPLES, pause: float = 0.0) -> Latency:
        """Time bare transactions, each after a pause."""
        times = []
        with Floor(self.server.socket) as floor:
            for _ in range(samples):
                time.sleep(pause)
                times.append(floor.time())
        return Latency.of(times)

    def add(self, count: int) -> float:
        """Add pods; gives the seconds from the first one's event to the last one's effect."""
        written = cast("Mapping[str, float]", self._api.ask("POST", f"pods?first={self.next}&count={count}"))
        self.next += count
        self._pods += count
        self._monitor.wait(lambda monitor: all(address in monitor.seen for address in written), TIMEOUT)
        return max(self._monitor.seen[address] for address in written) - min(written.values())

    def add_alone(self, samples: int, pause: float) -> Latency:
        """Add pods one after another, each after a pause in which nothing happens."""
        times = []
        for _ in range(samples):
            time.sleep(pause)
            times.append(self.add(1))
        return Latency.of(times)

    def everything(self) -> float:
        """Add a policy that selects all pods; gives the seconds until its rows and members are there."""
        rows, members = self._monitor.rows + 2, self._monitor.members + self._pods
        written = cast("float", self._api.ask("POST", "policy"))
        return self._monitor.wait(lambda found: (found.rows, found.members) == (rows, members), TIMEOUT) - written

    def restart(self) -> float:
        """Start the daemon anew on what it has written; gives the seconds until it is ready."""
        self.daemon.stop()
        begin = time.monotonic()
        self.daemon.start()
        self.daemon.wait_until(self.daemon.says_ready, what="ready", deadline=TIMEOUT)
        ready = time.monotonic() - begin
        self._settle(quiet=1.0)
        return ready

    def idle(self) -> float:
        """Give the share of a core that the daemon takes while nothing happens."""
        before = usage(self.daemon.pid).cpu
        time.sleep(IDLE)
        return (usage(self.daemon.pid).cpu - before) / IDLE

    def churn(self, rate: float = CHURN_RATE, seconds: float = CHURN_TIME) -> Latency:
        """Add pods and delete them again, so many events a second."""
        question = f"churn?first={self.next}&rate={rate}&seconds={seconds}"
        written = cast("Mapping[str, float]", self._api.ask("POST", question))
        self.next += len(written)
        self._settle()
        return Latency.of([self._monitor.seen[address] - moment for address, moment in written.items()])

    def counted(self, work: Callable[[], _T], *, afresh: bool = False) -> tuple[_T, Written]:
        """Do something and say what was written meanwhile; `afresh`: by a daemon that is started by it."""
        before = {} if afresh else self.daemon.written()
        seen = self._monitor.transactions
        result = work()
        self._settle()
        now = self.daemon.written()
        transactions, writes, guards = (int(now[key] - before.get(key, 0.0)) for key in COUNTED)
        return result, Written(transactions, writes, guards, self._monitor.transactions - seen)

    def _settle(self, quiet: float = 0.3) -> None:
        """Wait until the daemon does nothing any more, the writing of statuses included."""
        self.daemon.settle(quiet, TIMEOUT)
        self.daemon.wait_until(lambda: self.daemon.metric("nqosd_status_pending") == 0, what="done with statuses")
        self.daemon.settle(quiet, TIMEOUT)

    def _is_complete(self, monitor: Monitor) -> bool:
        rows = self._size.rows
        return (monitor.rows, monitor.attached, monitor.members) == (rows, rows, self._size.members)
