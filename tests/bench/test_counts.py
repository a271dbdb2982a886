"""What the daemon writes, counted: operations are the size of a change, never that of the cluster.

The daemon is the real process on a real ovsdb-server; a witness beside it sees the same number of transactions.
"""

from collections.abc import Iterator

import pytest

from tools.bench.running import Bench, Written
from tools.bench.workload import Size, sets_entered

SIZES = (Size(100, 10), Size(1_000, 100))
COLD = 3
"""Transactions that a start from nothing may take."""
BURST = 5
"""Transactions that a hundred pods at once may take."""


@pytest.fixture(scope="module", params=SIZES, ids=str)
def size(request: pytest.FixtureRequest) -> Size:
    """Give each size of cluster in turn."""
    assert isinstance(request.param, Size)
    return request.param


@pytest.fixture(scope="module")
def started(size: Size) -> Iterator[tuple[Bench, Written]]:
    """Give a daemon that has converged from nothing, and what that took."""
    with Bench(size) as bench:
        _times, written = bench.counted(bench.cold, afresh=True)
        yield bench, written


def test_a_cold_start_takes_a_few_transactions(size: Size, started: tuple[Bench, Written]) -> None:
    """A start from nothing writes each row and each set once, in at most three transactions."""
    _bench, written = started
    assert written.transactions <= COLD
    assert written.witnessed == written.transactions
    # rows, the policies' sets, those of own addresses from elsewhere (one for each family), the switch
    assert written.writes == size.rows + size.policies + 2 + 1 + written.transactions


@pytest.mark.parametrize("_attempt", range(2))
def test_one_pod_is_one_transaction(started: tuple[Bench, Written], _attempt: int) -> None:
    """One pod added is one transaction, with one mutation for each set it enters."""
    bench, _ = started
    number = bench.next
    _seconds, written = bench.counted(lambda: bench.add(1))
    assert (written.transactions, written.witnessed) == (1, 1)
    assert written.writes == sets_entered(number)
    assert written.guards == written.writes


def test_a_hundred_pods_at_once_share_transactions(started: tuple[Bench, Written]) -> None:
    """A burst of a hundred pods takes at most five transactions, and a set is mutated at most once in each."""
    bench, _ = started
    _seconds, written = bench.counted(lambda: bench.add(100))
    assert written.transactions <= BURST
    assert written.witnessed == written.transactions
    assert written.writes <= 110


def test_a_policy_for_all_is_one_transaction(started: tuple[Bench, Written]) -> None:
    """A new policy is one transaction however many pods it selects: its set, its two rows, their switch."""
    bench, _ = started
    _seconds, written = bench.counted(bench.everything)
    assert (written.transactions, written.witnessed, written.writes) == (1, 1, 4)


def test_a_restart_writes_nothing(started: tuple[Bench, Written]) -> None:
    """A daemon that starts on what it has written finds nothing to do."""
    bench, _ = started
    _seconds, written = bench.counted(bench.restart, afresh=True)
    assert written == Written(transactions=0, writes=0, guards=0, witnessed=0)
