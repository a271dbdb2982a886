"""How the figures of runs are summed up."""

from collections import Counter

import attrs

from tests.chaos.lies import Lie
from tests.chaos.results import Recovery, Result, goals, summary

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


def test_each_goal_is_met_or_missed() -> None:
    """A whole run has six, a short one those that don't depend on its size; a figure beside each."""
    many = Result(4, Counter({f"kind {number}": 25 for number in range(40)}), (Recovery(3.0, ()), Recovery(35.0, ())))
    few = Result(5, Counter({f"kind {number}": 26 for number in range(39)}), (Recovery(3.1, ()), Recovery(35.1, ())))
    one_less = Result(6, Counter({"line cut": 999}), (), (Lie(10.1, "nqosd-0", "active", "QoS", frozenset()),))
    assert _missed(attrs.evolve(many, recoveries=(Recovery(3.0, ()), Recovery(3.0, ()), Recovery(35.0, ())))) == []
    assert _missed(few) == [
        "at least 40 kinds: 39",
        "converged within 35 s at the longest: 35.1 s",
        "converged within 3 s in the median: 19.1 s",
    ]
    assert _missed(one_less)[:2] == ["no lie of more than 10 s: 10.1 s", "at least 1000 faults: 999"]
    assert _missed(TWO, is_whole=False) == ["no difference: 1"]
    assert _missed(few, is_whole=False) == []


def _missed(*results: Result, is_whole: bool = True) -> list[str]:
    return [goal for goal, is_met in goals(results, is_whole=is_whole) if not is_met]
