"""For how long the database has not been what it should be, by what rounds report."""

import attrs
import pytest

from nqosd.daemon.convergence import GRACE, Convergence
from nqosd.northbound.plan.operations import SetName
from nqosd.northbound.results import RoundOutcome, RoundResult


@attrs.define
class Daemon:
    """A clock that stands still, and the oldest change that waits."""

    now: float = 1000.0
    pending: float | None = None

    def convergence(self) -> Convergence:
        """Make what is tested."""
        return Convergence(lambda: self.pending, lambda: self.now)


def test_a_round_that_does_not_end_counts() -> None:
    """From the oldest change that it took, whatever holds it up; once it has ended well nothing is owed."""
    daemon = Daemon(pending=999.0)
    convergence = daemon.convergence()
    convergence.began()
    daemon.pending = None
    daemon.now += GRACE
    assert convergence.seconds == GRACE + 1
    assert "a round has not ended" in convergence.problem
    convergence.ended(RoundResult(RoundOutcome.COMMITTED))
    assert (convergence.seconds, convergence.problem) == (0, "")


def test_changes_that_no_round_takes_count() -> None:
    """A change waits from the moment at which it came."""
    daemon = Daemon(pending=1000.0)
    convergence = daemon.convergence()
    daemon.now += 7
    assert convergence.seconds == 7
    assert convergence.problem


@pytest.mark.parametrize(
    "result",
    [
        RoundResult(RoundOutcome.REFUSED, problem="constraint violation"),
        RoundResult(RoundOutcome.TIMED_OUT, problem="no constraint was answered"),
        RoundResult(RoundOutcome.UNCHANGED, conflicts={"set": "its constraint is taken"}),
        RoundResult(RoundOutcome.COMMITTED, blocked={SetName(f"s{number}"): "constraint" for number in range(9)}),
        RoundResult(RoundOutcome.WITHHELD, problem="constraint: out of touch"),
        RoundResult(RoundOutcome.STANDBY, problem="no constraint keeps whoever has the lock from writing"),
    ],
)
def test_what_is_not_written_counts_and_is_named(result: RoundResult) -> None:
    """However many rounds try again, the time goes on from the first one, and the reason is said."""
    daemon = Daemon()
    convergence = daemon.convergence()
    for _ in range(3):
        convergence.began()
        convergence.ended(result)
        daemon.now += GRACE
    assert convergence.seconds == 3 * GRACE
    assert "constraint" in convergence.problem


def test_what_the_server_refuses_is_named() -> None:
    """Its words alone would not say what they are about."""
    convergence = Daemon().convergence()
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.REFUSED, problem="constraint", blocked={SetName("s1"): "constraint"}))
    assert convergence.why == "set s1: constraint"


@pytest.mark.parametrize("outcome", [RoundOutcome.STANDBY, RoundOutcome.LOST_LOCK])
def test_a_standby_owes_nothing(outcome: RoundOutcome) -> None:
    """Another daemon writes."""
    daemon = Daemon()
    convergence = daemon.convergence()
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.REFUSED))
    convergence.began()
    convergence.ended(RoundResult(outcome))
    daemon.now += 100
    assert convergence.problem == ""


def test_what_another_daemon_does_not_write_counts_from_when_a_standby_saw_it() -> None:
    """It says so some looks later, and nobody is to wait once more for as long."""
    daemon = Daemon()
    convergence = daemon.convergence()
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.STANDBY, problem="not written", left_since=daemon.now - GRACE))
    assert convergence.problem


def test_what_is_not_removed_counts() -> None:
    """As long as a second list is awaited, a round that has nothing else to write isn't the end."""
    daemon = Daemon()
    convergence = daemon.convergence()
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.UNCHANGED), pruned=False)
    daemon.now += GRACE
    assert "second list" in convergence.problem
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.UNCHANGED))
    assert convergence.problem == ""


def test_what_is_left_counts_from_when_it_was_asked_for() -> None:
    """While rounds write what is much by and by, time counts from the oldest change that isn't written."""
    daemon = Daemon()
    convergence = daemon.convergence()
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.COMMITTED, left=frozenset({"games"})))
    daemon.now += GRACE
    assert "namespaces is being written: games" in convergence.problem
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.COMMITTED, left=frozenset({"games"}), left_since=daemon.now - 1))
    assert (convergence.seconds, convergence.problem) == (1, "")
    convergence.began()
    convergence.ended(RoundResult(RoundOutcome.COMMITTED))
    assert convergence.seconds == 0
