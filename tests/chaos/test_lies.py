"""What counts as a lie, and how long it lasts."""

from tests.chaos.lies import Lies

NONE = frozenset[str]()
CUT = frozenset({"line cut"})
ONE = {"one": "active"}
BOTH = {"one": "active", "two": "standby"}


def lengths(lies: Lies) -> list[tuple[float, str, str]]:
    """Give the lies that were told, by daemon and by what they are about."""
    return [(each.seconds, each.daemon, each.what) for each in lies.told]


def test_a_difference_seen_again_while_ready_is_a_lie_until_it_is_gone() -> None:
    """It lasts from the first moment to the first without it, and names the faults of that time."""
    lies = Lies()
    for at, different in ((1, ["a"]), (2, ["a", "b"]), (3, ["a"]), (4, [])):
        lies.take(at, ONE, {"one"}, different, CUT if at == 2 else NONE)
    assert lengths(lies) == [(3, "one", "a")]
    assert lies.told[0].faults == CUT


def test_a_difference_seen_once_was_a_change_on_its_way() -> None:
    """One moment after the other with another difference each is work in progress."""
    lies = Lies()
    for at in range(10):
        lies.take(at, ONE, {"one"}, [f"set {at}"], NONE)
    lies.end(10)
    assert lies.told == []


def test_a_daemon_that_is_not_ready_tells_no_lie() -> None:
    """Neither does one that doesn't answer; saying so ends a lie."""
    lies = Lies()
    lies.take(1, ONE, {"one"}, ["a"], NONE)
    lies.take(2, ONE, {"one"}, ["a"], NONE)
    for at in range(3, 9):
        lies.take(at, ONE, set(), ["a"], NONE)
    assert lengths(lies) == [(2, "one", "a")]


def test_standbys_answer_for_the_database_only_while_nobody_is_active() -> None:
    """The active one's word counts before theirs, though it be that it isn't ready."""
    lies = Lies()
    for at in (1, 2):
        lies.take(at, BOTH, {"one", "two"}, ["a"], NONE)
    for at in (3, 4):
        lies.take(at, BOTH, {"two"}, ["a"], NONE)
    for at in (5, 6):
        lies.take(at, {"two": "standby"}, {"two"}, ["a"], NONE)
    lies.end(8)
    assert lengths(lies) == [(2, "one", "a"), (3, "two", "a")]


def test_what_is_open_when_the_looking_ends_counts() -> None:
    """A lie at the end of a run isn't lost."""
    lies = Lies()
    lies.take(1, ONE, {"one"}, ["a"], NONE)
    lies.take(2, ONE, {"one"}, ["a"], NONE)
    lies.end(7)
    assert lengths(lies) == [(6, "one", "a")]
