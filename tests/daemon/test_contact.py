"""What a daemon knows of Kubernetes, and what follows from it for the lock and for writing."""

import pytest
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind
from nqosd.daemon.contact import GRACE, LONGEST, NOTICED, PATIENCE, Contact
from nqosd.northbound.replica.writer_record import WriterRecord

MINE = WriterRecord("nqosd", "nqosd", "here", "1.a", {"Pod": "100", "Node": "7"})
OTHER = WriterRecord("nqosd", "nqosd", "there", "2.b", {"Pod": "100", "Node": "7"})


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits_since: float | None = None
        self.contact = Contact(lambda: None, lambda: self.now, waits_since=lambda: self.waits_since)


@pytest.fixture
def clock() -> Clock:
    """Give a clock and a daemon that is in touch."""
    return Clock()


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        (OTHER, False),
        (replace(OTHER, versions={"Pod": "99"}), False),
        (replace(OTHER, versions={"Pod": "101", "Node": "7"}), True),
        (replace(OTHER, versions={"Pod": "1000"}), True),
        (replace(OTHER, versions={"NetworkQoS": "1"}), True),
        (replace(OTHER, versions={"Pod": "x"}), True),
        (replace(OTHER, versions={}), True),
        (WriterRecord("nqosd"), True),
        (replace(MINE, versions={"Pod": "9999"}), False),
    ],
)
def test_out_of_touch_it_writes_only_after_who_knew_no_more(
    clock: Clock, before: WriterRecord, *, refused: bool
) -> None:
    """Versions are compared as numbers, kind by kind; what can't be compared counts as more; time changes nothing."""
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=False, reason="refused")
    assert bool(clock.contact.refusal(MINE.versions, MINE.process, before, clock.now)) is refused
    clock.now += 100_000
    assert bool(clock.contact.refusal(MINE.versions, MINE.process, before, clock.now)) is refused


def test_in_touch_it_always_writes_in_the_end(clock: Clock) -> None:
    """A restored etcd counts backwards, so whoever has been in touch for a moment since it has the lock may write."""
    before = replace(OTHER, versions={"Pod": "9999"})
    assert "catching up" in clock.contact.refusal(MINE.versions, MINE.process, before, clock.now)
    held_since = clock.now
    clock.now += NOTICED
    assert clock.contact.refusal(MINE.versions, MINE.process, before, held_since) == ""
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=False)
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=True)
    assert clock.contact.refusal(MINE.versions, MINE.process, before, held_since)
    assert not clock.contact.refusal({}, MINE.process, before, held_since), "there is no API server"


def test_what_waits_for_its_pods_to_be_listed_is_caught_up_with(clock: Clock) -> None:
    """As long as a change waits that the writer before may have known, only long time in touch proves anything."""
    before = replace(OTHER, versions={"Pod": "9999"})
    held_since = clock.now
    clock.waits_since = held_since + NOTICED
    clock.now += NOTICED + PATIENCE - 0.1
    assert "catching up" in clock.contact.refusal(MINE.versions, MINE.process, before, held_since)
    clock.waits_since += 0.1
    assert clock.contact.refusal(MINE.versions, MINE.process, before, held_since) == "", "it came later"
    clock.waits_since -= 0.1
    clock.now += 0.1
    assert clock.contact.refusal(MINE.versions, MINE.process, before, held_since) == "", "others wait for long"
    clock.waits_since = None
    assert clock.contact.refusal(MINE.versions, MINE.process, before, held_since) == ""


def test_it_says_for_how_long_with_which_kinds_and_why(clock: Clock) -> None:
    """A watch that was cut and is answered again at once is no fault; a new reason doesn't start the time anew."""
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=False, reason="gone")
    assert clock.contact.problem == ""
    clock.now += GRACE
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=False, reason="no answer")
    clock.contact.in_touch(ResourceKind.NODE, is_in_touch=False, reason="no answer")
    clock.now += 10
    assert clock.contact.problem == f"out of touch with the API server for {GRACE + 10:.0f} s (Node, Pod: no answer)"
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=True)
    assert clock.contact.seconds == 10
    clock.contact.in_touch(ResourceKind.NODE, is_in_touch=True)
    assert (clock.contact.seconds, clock.contact.problem) == (0, "")


def test_the_lock_is_given_up_with_pauses_that_double(clock: Clock) -> None:
    """Never in touch; first after the set time, then after twice as long each time, at most a minute."""
    assert clock.contact.yields_at(10) is None
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=False)
    pauses = []
    for _ in range(6):
        moment = clock.contact.yields_at(10)
        assert moment is not None
        pauses.append(moment - clock.now)
        clock.now = moment
        clock.contact.yielded()
    assert pauses == [10, 10, LONGEST, LONGEST, LONGEST, LONGEST]
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=True)
    clock.contact.in_touch(ResourceKind.POD, is_in_touch=False)
    assert clock.contact.yields_at(10) == clock.now + 10
