"""How the object is found that the server refuses without naming it."""

from types import SimpleNamespace
from typing import cast

from nqosd.northbound.bisection import Bisection
from nqosd.northbound.plan.operations import SetName, Subject
from nqosd.northbound.plan.plan import Plan


def plan_of(*names: str) -> Plan:
    """Give a plan of which only the objects matter."""
    return cast("Plan", SimpleNamespace(parts=[SetName(name) for name in names]))


def test_a_part_that_cannot_be_written_alone_ends_in_blame() -> None:
    """Where the first object alone gives no operation, the two together are refused again and one of them is blamed."""
    narrowing, whole = Bisection(), plan_of("a", "b")
    tried = 0
    blamed: Subject | None = None
    while blamed is None:
        tried += 1
        if narrowing.rest(whole):  # the part without "b" has no operations
            narrowing.widen(whole)
        else:
            blamed = narrowing.refused(whole)
    assert (blamed, tried) == (SetName("a"), 3)
    assert narrowing.rest(whole) == frozenset()


def test_an_object_alone_is_blamed_for_silence_only_the_third_time() -> None:
    """Once or twice without an answer it may be the server itself."""
    narrowing, alone = Bisection(), plan_of("a")
    assert [narrowing.unanswered(alone) for _ in range(3)] == [None, None, SetName("a")]
    narrowing.unanswered(alone)
    narrowing.committed(whole=True)
    assert narrowing.unanswered(alone) is None
