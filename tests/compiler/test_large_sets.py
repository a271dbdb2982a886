"""Sets that outgrow what anybody is likely to mean."""

import structlog.testing

from nqosd.compiler.desired import AddressSet, Delta, Desired, Members
from nqosd.daemon.large_sets import LargeSets


def test_a_set_that_outgrows_the_limit_is_told_once() -> None:
    """It is told when it passes the limit, not again while it stays there, and anew after it was smaller."""
    large = LargeSets(limit=2)
    told = []
    for size in (2, 3, 4, 1, 3):
        addresses = frozenset(f"10.0.0.{number}" for number in range(size))
        desired = Desired({}, {"all": AddressSet("all", "every pod", addresses)}, {})
        with structlog.testing.capture_logs() as said:
            large.look(Delta(sets={"all": Members()}), desired)
        told.append([each["members"] for each in said])
    assert told == [[], [3], [], [], [3]]


def test_a_set_that_is_gone_is_not_told() -> None:
    """What changed may be no more."""
    with structlog.testing.capture_logs() as said:
        LargeSets(limit=0).look(Delta(sets={"gone": Members()}), Desired({}, {}, {}))
    assert said == []
