"""What there is to beat, and what was promised.

PEER holds figures of ovn-kubernetes's own NetworkQoS controller (Go, commit 8871cd9c), recorded with the same workload
on a machine of this kind (2 shared cores) against a real ovsdb-server on a unix socket and an HTTP API on loopback.
Rule: nothing here is measured by this benchmark; what is, is compared with it.
"""

from collections.abc import Callable, Mapping

import attrs

from tools.bench.cell import ONE_BY_ONE, Cell
from tools.bench.workload import Size


@attrs.frozen
class Peer:
    """The peer's figures as they were written down; its one pod and its transactions stand for themselves."""

    cold: str
    cold_transactions: str
    one: str
    one_transactions: str
    at_once: str
    everything: str
    resident: str


SMALL, LARGE, HUGE = Size(1_000, 100), Size(10_000, 100), Size(100_000, 1_000)

PEER: Mapping[Size, Peer] = {
    Size(100, 10): Peer(
        "0.45 to 0.7 s",
        "2,211",
        "29 to 47 ms, 80 to 178 ms",
        "372",
        "1.1 to 1.8 s, 8,200 txns",
        "0.2 s, 803 txns",
        "121",
    ),
    Size(100, 100): Peer(
        "3.2 to 4.9 s",
        "20,700",
        "26 to 40 ms, 83 to 104 ms",
        "390",
        "11 to 12 s, 78,600 txns",
        "0.19 s, 803 txns",
        "155",
    ),
    Size(1_000, 10): Peer(
        "3.7 to 4.0 s",
        "21,800",
        "151 to 171 ms, 350 to 390 ms",
        "1,992",
        "3.3 to 4.9 s, 26,000 txns",
        "0.8 to 1.0 s, 2,603 txns",
        "160",
    ),
    SMALL: Peer(
        "33 to 35 s",
        "204,000",
        "150 to 183 ms, 386 to 600 ms",
        "2,091",
        "34 to 48 s, 248,700 txns",
        "0.8 to 1.2 s, 2,603 txns",
        "185",
    ),
    Size(10_000, 10): Peer(
        "39 s", "218,000", "1,809 ms, 4,221 ms", "18,067", "36 s, 201,000 txns", "20 s, 20,339 txns", "256"
    ),
    LARGE: Peer("398 s", "2,038,000", "1,933 ms, 4,693 ms", "18,955", "not measured", "21 s, 20,109 txns", "296"),
}
SHORT = tuple(PEER)
"""The cells of the peer's table."""
FULL = (*SHORT, HUGE)


@attrs.frozen
class Goal:
    """A number that must not be exceeded in one cell."""

    size: Size
    what: str
    limit: float
    unit: str
    value: Callable[[Cell], float | None]

    def verdict(self, cell: Cell) -> str:
        """Say whether a cell meets it."""
        value = self.value(cell)
        return "not measured" if value is None else "met" if value <= self.limit else "MISSED"


def _everywhere(size: Size) -> list[Goal]:
    """Give the goals that hold in every cell, the largest included."""
    return [
        Goal(size, "cold start: transactions", 3, "", lambda cell: cell.cold_written.transactions),
        Goal(size, "one pod: transactions each", 1, "", lambda cell: cell.one_written.transactions / ONE_BY_ONE),
        Goal(size, "100 pods at once", 0.1, "s", lambda cell: cell.at_once),
        Goal(size, "100 pods at once: transactions", 5, "", lambda cell: cell.at_once_written.transactions),
        Goal(size, "a policy for all pods: transactions", 1, "", lambda cell: cell.everything_written.transactions),
        Goal(size, "restart: operations", 0, "", lambda cell: cell.restart_written.writes),
        Goal(size, "process start to first list request", 0.5, "s", lambda cell: cell.first_list),
    ]


def _one_pod(size: Size) -> list[Goal]:
    return [
        Goal(size, "one pod, p50", 5, "ms", lambda cell: cell.one.p50),
        Goal(size, "one pod, p99", 15, "ms", lambda cell: cell.one.p99),
    ]


GOALS = [
    *_everywhere(SMALL),
    *_one_pod(SMALL),
    Goal(SMALL, "cold start", 1.5, "s", lambda cell: cell.cold),
    *_everywhere(LARGE),
    *_one_pod(LARGE),
    Goal(LARGE, "cold start", 4, "s", lambda cell: cell.cold),
    Goal(LARGE, "a policy for all pods", 0.3, "s", lambda cell: cell.everything),
    Goal(LARGE, "resident memory", 150, "MiB", lambda cell: cell.resident),
    Goal(LARGE, "idle", 0.5, "% of a core", lambda cell: None if cell.idle is None else cell.idle * 100),
    *_everywhere(HUGE),
    Goal(HUGE, "cold start", 30, "s", lambda cell: cell.cold),
    Goal(HUGE, "resident memory", 700, "MiB", lambda cell: cell.resident),
    Goal(HUGE, "200 pod events a second, p99", 25, "ms", lambda cell: cell.churn.p99 if cell.churn else None),
]
