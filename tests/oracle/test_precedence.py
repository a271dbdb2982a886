"""Which rule wins where several match, by example."""

import pytest

from tests.oracle.cluster_strategies import Manifest
from tests.oracle.examples import block, meaning, pod, policy, rule
from tests.oracle.meaning import Decision, Oracle
from tests.oracle.packet import packet

POD = pod("p", "10.0.0.1")
OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


def take(oracle: Oracle, destination: str = "192.0.2.1") -> Decision | None:
    """The decision on a packet of `red/p`."""
    return oracle.decide(oracle.sender("red/p", "default"), packet("10.0.0.1", destination, "icmp"))


def taken(oracle: Oracle, destination: str = "192.0.2.1") -> tuple[str, int] | None:
    """Policy and rule of that decision."""
    decision = take(oracle, destination)
    return None if decision is None else (decision.policy, decision.rule)


def test_later_rule_wins() -> None:
    """Within a policy the last rule that matches counts."""
    oracle = meaning(POD, policy("q", rule(1), rule(2), rule(3, to=[block("192.0.2.0/24")])))
    assert taken(oracle, "192.0.2.1") == ("red/q", 2)
    assert taken(oracle, "192.0.3.1") == ("red/q", 1)


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        (policy("a", priority=5), policy("b", priority=6), "red/b"),
        (policy("a", priority=100), policy("b", priority=0), "red/a"),
        (policy("a", created=NEW), policy("b", created=OLD), "red/b"),
        (policy("a", created=OLD), policy("b", created=NEW), "red/a"),
        (policy("a", created=OLD), policy("b", created=OLD), "red/a"),
        (policy("a", created=NEW, priority=6), policy("b", created=OLD, priority=5), "red/a"),
        (policy("a", created=OLD), policy("b", created=""), "red/a"),
        (policy("a-1", created=OLD), policy("a", created=OLD), "red/a"),
    ],
)
def test_between_policies(first: Manifest, second: Manifest, winner: str) -> None:
    """Higher priority wins, then the older policy, then the name; the order of the objects says nothing."""
    for manifests in ((POD, first, second), (POD, second, first)):
        found = taken(meaning(*manifests))
        assert found is not None
        assert found[0] == winner


def test_loser_takes_what_the_winner_leaves() -> None:
    """A packet that no rule of the winner matches takes a rule of the next policy."""
    oracle = meaning(POD, policy("a", rule(1, to=[block("192.0.2.0/24")]), priority=6), policy("b", priority=5))
    assert taken(oracle, "192.0.2.1") == ("red/a", 0)
    assert taken(oracle, "192.0.3.1") == ("red/b", 0)


def test_no_rule_no_decision() -> None:
    """A packet that no rule matches takes none; so does one under a policy without rules."""
    assert take(meaning(POD, policy("q", rule(1, to=[block("192.0.3.0/24")])))) is None
    empty = policy("q") | {"spec": {"priority": 1, "egress": []}}
    assert take(meaning(POD, empty)) is None
    assert list(meaning(POD, empty).applied) == ["red/q"]


def test_mark_and_limit_come_from_one_rule() -> None:
    """The limit of a rule that loses has no effect on a packet, even where the winner has none."""
    limited = policy("b", {"dscp": 2, "bandwidth": {"rate": 100}}, priority=5)
    assert take(meaning(POD, policy("a", priority=6), limited)) == Decision("red/a", 0, 1, None, None)


def test_ten_of_a_tie_are_applied() -> None:
    """The best ten of the valid policies that share a namespace and a priority are applied."""
    tied = [policy(f"q{letter}") for letter in "lkjihgfedcba"]
    invalid = policy("a-bad-one") | {"spec": {"priority": 5}}
    others = [policy("z1", priority=4), policy("z2", space="blue")]
    oracle = meaning(POD, *tied, invalid, *others)
    assert oracle.crowded_out == {"red/qk", "red/ql"}
    assert list(oracle.applied) == ["blue/z2", *(f"red/q{letter}" for letter in "abcdefghij"), "red/z1"]


def test_invalid_policy_is_not_applied_at_all() -> None:
    """One bad part makes the whole policy void, and leaves others as they are."""
    bad = policy("a", rule(1), rule(2, to=[block("nonsense")]), priority=6)
    oracle = meaning(POD, bad, policy("b", priority=5))
    assert [problem.field for problem in oracle.problems["red/a"]] == ["spec.egress[1].classifier.to[0].ipBlock.cidr"]
    assert taken(oracle) == ("red/b", 0)


def test_one_address_in_two_namespaces() -> None:
    """An address that live pods of two namespaces have meets the policies of the older pod's namespace alone."""
    mine = pod("p", "10.0.0.1", creationTimestamp=OLD)
    twin = pod("twin", "10.0.0.1", space="blue", creationTimestamp=NEW)
    assert taken(meaning(mine, twin, policy("a", priority=5), policy("b", space="blue", priority=6))) == ("red/a", 0)
    assert taken(meaning(mine, twin, policy("b", space="blue"))) is None
