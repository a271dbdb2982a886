"""Which rule wins, as OVN priorities."""

from itertools import product
from random import Random

from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.compiler.precedence import KeysByAge, age, row_priority, standings

OVN_MAX = 32767


def policy(name: str, created: str, priority: int = 5) -> NetworkQoS:
    """Make a policy of one rule."""
    return NetworkQoS("ns", name, created, spec=NetworkQoSSpec(priority, (EgressRule(1),)))


def test_no_two_rules_share_a_priority() -> None:
    """All 101 priorities, 10 ranks and 20 rules give different numbers, in that order of weight, within OVN's range."""
    numbers = [row_priority(*each) for each in product(range(101), range(10), range(20))]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 10000
    assert numbers[-1] == 30199 <= OVN_MAX


def test_older_wins_then_the_name() -> None:
    """Among equals the older policy has the higher rank, then the first by name; one without an age is the youngest."""
    tied = [policy("b", "2026-01-01T00:00:00Z"), policy("a", "2026-01-01T00:00:00Z"), policy("new", "")]
    old = policy("z", "2025-01-01T00:00:00Z")
    ranks = standings([*tied, old])
    assert [ranks[f"ns/{name}"].rank for name in ("z", "a", "b", "new")] == [9, 8, 7, 6]
    assert ranks["ns/a"].tied == 3


def test_other_priorities_do_not_tie() -> None:
    """Policies of different priorities are each the winner of their own."""
    ranks = standings([policy("a", "", 1), policy("b", "", 2)])
    assert {(each.rank, each.tied) for each in ranks.values()} == {(9, 0)}


def test_eleventh_finds_no_room() -> None:
    """Ten tied policies are ranked, and the youngest beyond them is not."""
    ranks = standings(policy(f"p{number:02}", f"2026-01-{number + 1:02}T00:00:00Z") for number in range(11))
    assert [ranks[f"ns/p{number:02}"].rank for number in range(11)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, None]


def test_one_more_of_many_changes_no_other_standing() -> None:
    """Where more share a priority than fit, another that comes last stands alone for itself: nobody else is told."""
    many = [policy(f"p{number:03}", "2026-01-01T00:00:00Z") for number in range(201)]
    before, after = standings(many[:200]), standings(many)
    assert {key for key in after if after[key] != before.get(key)} == {"ns/p200"}


def test_the_oldest_are_those_of_the_definition() -> None:
    """Whatever comes, goes, gets another age or becomes invalid, in any order, the oldest are the first by age."""
    random = Random(0)  # noqa: S311 (a seed makes the same sequence again)
    ages, policies = KeysByAge(), dict[str, NetworkQoS]()
    for _ in range(1000):
        found = policy(f"p{random.randrange(20)}", random.choice(("", "2025", "2026")))
        policies.pop(found.key, None)
        if random.random() < 0.6:
            policies[found.key] = found if random.random() < 0.8 else NetworkQoS("ns", found.name, found.created)
        known = policies.get(found.key)
        ages.put(found.key, None if known is None or known.spec is None else age(known))
        valid = sorted((each for each in policies.values() if each.spec is not None), key=age)
        number = random.randrange(25)
        assert ages.oldest("ns", number) == [each.key for each in valid[:number]]
    for key in policies:
        ages.put(key, None)
    assert not ages
