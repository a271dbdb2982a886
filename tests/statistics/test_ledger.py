"""Gains are added up without ever going backwards, and for the right owner, whatever happens to the counters."""

from hypothesis import given
from hypothesis import strategies as st

from nqosd.statistics.ledger import Ledger, Sample


def sample(value: int, age: float, owner: str = "rule", place: str = "flow") -> Sample[str]:
    """Give a reading of one counter."""
    return Sample(place, owner, (value,), age)


def test_what_was_there_before_is_nobodys_gain() -> None:
    """The first reading gains nothing, so that a restart of the exporter doesn't count everything again."""
    ledger: Ledger[str] = Ledger()
    assert ledger.take([sample(500, 100)], 1000) == {"rule": (0,)}
    assert ledger.take([sample(530, 105)], 1005) == {"rule": (30,)}


def test_once_takes_all_that_a_counter_holds() -> None:
    """With `whole`, the first reading gains what the counters hold."""
    assert Ledger[str](whole=True).take([sample(500, 100)], 1000) == {"rule": (500,)}


def test_a_new_counter_gains_from_zero() -> None:
    """What a counter holds that was made since the last reading is a gain."""
    ledger: Ledger[str] = Ledger()
    ledger.take([], 1000)
    assert ledger.take([sample(7, 2)], 1005) == {"rule": (7,)}


def test_a_counter_that_counted_for_others_brings_nothing_along() -> None:
    """One that is older than the last reading, and wasn't in it, counted for somebody else until now."""
    ledger: Ledger[str] = Ledger()
    ledger.take([], 1000)
    assert ledger.take([sample(7, 60)], 1005) == {"rule": (0,)}
    assert ledger.take([sample(9, 65)], 1010) == {"rule": (2,)}


def test_a_counter_made_anew_gains_all_it_holds() -> None:
    """After a reinstall the count begins at zero: smaller or larger than before, all of it is a gain."""
    for count in (3, 5000):
        ledger: Ledger[str] = Ledger()
        ledger.take([sample(500, 100)], 1000)
        assert ledger.take([sample(count, 2)], 1005) == {"rule": (count,)}


def test_a_reset_without_a_new_birth_is_noticed() -> None:
    """A count that fell was reset, even where the age says nothing of it."""
    ledger: Ledger[str] = Ledger()
    ledger.take([sample(500, 100)], 1000)
    assert ledger.take([sample(20, 105)], 1005) == {"rule": (20,)}


def test_a_counter_changes_hands() -> None:
    """When only the owner changes, the new one gains what came since, not what the old one had."""
    ledger: Ledger[str] = Ledger()
    ledger.take([sample(500, 100, "old")], 1000)
    assert ledger.take([sample(530, 105, "new")], 1005) == {"new": (30,)}


def test_a_number_given_anew_is_another_counter() -> None:
    """A meter's number that is given to another rule counts for it from zero."""
    ledger: Ledger[str] = Ledger()
    ledger.take([sample(500, 100, "old")], 1000)
    assert ledger.take([sample(600, 1, "new")], 1005) == {"new": (600,)}


def test_the_counters_of_an_owner_are_added() -> None:
    """All counters of an owner make one gain."""
    ledger: Ledger[str] = Ledger()
    ledger.take([], 0)
    assert ledger.take([sample(1, 1, place="a"), sample(2, 1, place="b")], 5) == {"rule": (3,)}


EVENTS = st.lists(
    st.tuples(st.sampled_from(["count", "count", "count", "reinstall", "renumber", "rest"]), st.integers(0, 1000)),
    max_size=40,
)


@given(EVENTS)
def test_nothing_is_counted_twice_or_backwards(events: list[tuple[str, int]]) -> None:
    """Over any series of counting, reinstalls and renumbering with readings between, gains are what was counted."""
    ledger: Ledger[str] = Ledger()
    now, born, value, place, counted, gained = 1000.0, 1000.0, 0, 0, 0, 0
    ledger.take([], now)
    for what, number in events:
        now += 10
        if what in ("reinstall", "renumber"):
            born, value = now - 5, 0
            place += what == "renumber"
        if what != "rest":
            value += number
            counted += number
        gain = ledger.take([Sample(place, "rule", (value,), now - born)], now)["rule"][0]
        assert gain >= 0
        gained += gain
    assert gained == counted
