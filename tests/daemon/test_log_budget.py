"""How much the log says of what users of a namespace write."""

import structlog

from nqosd.daemon.log_budget import LINES, LogBudget


def test_a_namespace_does_not_fill_the_log() -> None:
    """Each namespace has a budget of lines; that it is spent is said once, and others say what they have to say."""
    budget = LogBudget("too much")
    with structlog.testing.capture_logs() as lines:
        said = [budget.spend("team-a") for _ in range(3 * LINES)]
        assert budget.spend("team-b")
    assert all(said[:LINES])
    assert LINES <= sum(said) < 2 * LINES
    assert {(line["event"], line["namespace"]) for line in lines} == {("too much", "team-a")}
    assert len(lines) < LINES / 10
