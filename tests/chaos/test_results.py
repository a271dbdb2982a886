"""How the figures of runs are summed up."""

from collections import Counter

from tests.chaos.lies import Lie
from tests.chaos.results import Recovery, Result, missed, summary

ONE = Result(
    1,
    Counter({"line cut": 2, "daemon killed": 1}),
    (Recovery(1.0, ("line cut", "daemon killed")), Recovery(3.0, ("line cut",))),
    (Lie(4.0, "nqosd-0", "active", "QoS a/b 0", frozenset({"line cut"})),),
)
TWO = Result(2, Counter({"line cut": 1}), (Recovery(8.0, ("line cut",)),), failure="rows of others")


def test_figures_are_those_of_all_runs_and_of_each_kind() -> None:
    """Counts, medians, the longest recovery and the longest lie stand there, and which seeds differed."""
    lines = list(summary([ONE, TWO]))
    assert "    3   3.0 s    8.0 s       4.0 s   line cut" in lines
    assert "4 faults of 2 kinds in 2 runs" in lines
    assert "differences: 1 (seeds [2])" in lines
    assert "from the end of the last fault to converged: median 3.0 s, longest 8.0 s (line cut)" in lines
    assert "longest lie of an active daemon: 4.0 s (nqosd-0 about QoS a/b 0; line cut)" in lines
    assert "longest lie of standbys, none being active: none" in lines


def test_a_run_that_failed_or_missed_a_goal_is_remarkable() -> None:
    """Its logs are kept, and its line says more."""
    assert not ONE.is_remarkable
    assert TWO.is_remarkable
    assert "FAILED rows of others" in str(TWO)
    assert Result(3, Counter(), (Recovery(36.0, ("line cut",)),)).is_remarkable


def test_a_missed_goal_is_named() -> None:
    """A difference, a long recovery and a slow median each are; a run that met all goals has none."""
    slow = Result(3, Counter(), (Recovery(36.0, ("line cut",)),))
    assert list(missed([ONE])) == []
    assert "no difference" in missed([TWO])
    assert list(missed([slow])) == [
        "converged within 35 s, no lie of more than 10 s",
        "converged within 3 s in the median, not 36.0 s",
    ]
