"""What the log says of policies."""

import attrs
import structlog

from nqosd.daemon.policy_log import LINES, PolicyLog
from tests.status.policies import policy, zone_condition


def test_a_namespace_does_not_fill_the_log() -> None:
    """Each namespace has a budget of lines; that it is spent is said once, and others say what they have to say."""
    log, mine = PolicyLog(), policy()
    other = attrs.evolve(mine, namespace="team-b")
    turns = [zone_condition("z", status) for status in ("True", "False")]
    with structlog.testing.capture_logs() as lines:
        for number in range(3 * LINES):
            log.say(mine, turns[number % 2])
        log.say(other, turns[0])
    said = [line for line in lines if line.get("policy") == mine.key]
    assert LINES <= len(said) < 2 * LINES
    assert {line["log_level"] for line in said} == {"info", "warning"}
    unsaid = [line for line in lines if "too often" in line["event"]]
    assert {line["namespace"] for line in unsaid} == {mine.namespace}
    assert len(unsaid) < LINES / 10
    assert lines[-1]["policy"] == other.key
