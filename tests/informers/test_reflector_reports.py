"""What is logged and counted: a trouble once, its end once, an event never."""

from typing import Any

from msgspec.structs import replace
from structlog.testing import capture_logs

from nqosd.api.changes import ResourceKind
from nqosd.informers.reflector_reports import MOST, Reporter
from nqosd.informers.reflector_steps import Move, Step
from nqosd.informers.transitions import Phase, RequestOutcome
from tests.informers import wire
from tests.informers.listening import Counter

KIND = ResourceKind.USER_DEFINED_NETWORK


def move(outcome: RequestOutcome, detail: str = "", phase: Phase = Phase.WATCH, *, synced: bool = False) -> Step:
    """Give a step of one move."""
    return Step(moves=[Move(phase, outcome, detail, 0.1, 1, 2.0, synced)])


def lines_of(*steps: Step) -> tuple[list[tuple[str, str]], list[Any], Counter]:
    """Report steps; give levels and texts of the lines, the lines, and what was counted."""
    counter = Counter()
    with capture_logs() as lines:
        reporter = Reporter(wire.NETWORKS, counter)
        for step in steps:
            reporter.report(step, 3)
    return [(line["log_level"], line["event"]) for line in lines], lines, counter


def test_a_trouble_is_said_once_and_its_end_once() -> None:
    """Repetitions are debug; another trouble, and the first event afterwards, are said."""
    down = move(RequestOutcome.UNREACHABLE, "no connection")
    said, lines, counter = lines_of(down, down, move(RequestOutcome.REFUSED, "403"), Step(events=1), Step(events=1))
    assert said == [
        ("warning", "trying again"),
        ("debug", "trying again"),
        ("warning", "trying again"),
        ("info", "the API server answers again"),
    ]
    assert lines[0]["error"] == "no connection"
    assert counter.restarts == [(KIND, RequestOutcome.UNREACHABLE)] * 2 + [(KIND, RequestOutcome.REFUSED)]
    assert counter.received[KIND] == 2


def test_troubles_that_alternate_are_said_once_each() -> None:
    """A line for each of its words, however often one gives way to another, and for a few of them at most."""
    one, other = move(RequestOutcome.UNREACHABLE, "reset"), move(RequestOutcome.UNREACHABLE, "closed")
    said, _, _ = lines_of(one, other, one, other, Step(events=1), one)
    levels = [level for level, event in said if event == "trying again"]
    assert levels == ["warning", "warning", "debug", "debug", "warning"]
    said, _, _ = lines_of(*(move(RequestOutcome.REFUSED, f"500, request {number}") for number in range(2 * MOST)))
    assert [level for level, _ in said].count("warning") == MOST


def test_every_line_names_the_resource() -> None:
    """Lines can be told apart by resource."""
    _, lines, _ = lines_of(
        move(RequestOutcome.BROKEN), move(RequestOutcome.MISSING), move(RequestOutcome.COMPLETE), Step(events=1)
    )
    assert {line["resource"] for line in lines} == {"userdefinednetworks.k8s.ovn.org"}


def test_events_write_no_line() -> None:
    """A thousand events leave the log as it was."""
    said, _, counter = lines_of(Step(events=1000))
    assert said == []
    assert counter.received[KIND] == 1000


def test_the_everyday_end_of_a_watch_is_debug() -> None:
    """A watch that ends in its time is nothing to read about."""
    said, _, counter = lines_of(move(RequestOutcome.ENDED))
    assert [level for level, _ in said] == ["debug"]
    assert counter.restarts == [(KIND, RequestOutcome.ENDED)]


def test_an_expired_version_and_a_server_without_streamed_lists_are_no_warnings() -> None:
    """Both are everyday; they are said as information."""
    said, _, _ = lines_of(
        move(RequestOutcome.EXPIRED, "410"),
        move(RequestOutcome.UNSUPPORTED, "422", Phase.STREAMED_LIST),
        move(RequestOutcome.ERROR, "500", Phase.STREAMED_LIST),
    )
    assert [level for level, _ in said] == ["info"] * 3


def test_a_missing_definition_is_said_once() -> None:
    """Looking for it again says nothing, installing it is said, and so is its removal."""
    missing = move(RequestOutcome.MISSING)
    said, lines, counter = lines_of(
        move(RequestOutcome.MISSING, synced=True),
        missing,
        missing,
        move(RequestOutcome.COMPLETE),
        move(RequestOutcome.COMPLETE),
        missing,
    )
    assert [level for level, _ in said] == ["warning", "info", "info", "info", "warning"]
    assert [event for _, event in said[1:4]] == ["listed", "installed now", "listed"]
    assert "CustomResourceDefinition" in lines[0]["event"]
    assert counter.installations == [(KIND, False), (KIND, True), (KIND, False)]
    assert counter.lists == [(KIND, 0), (KIND, 3), (KIND, 3)]


def test_a_list_is_counted_with_its_objects() -> None:
    """A complete list says how many objects there are."""
    said, lines, counter = lines_of(move(RequestOutcome.PAGE, phase=Phase.PAGED_LIST), move(RequestOutcome.COMPLETE))
    assert said == [("info", "listed")]
    assert (lines[0]["objects"], lines[0]["seconds"]) == (3, 2.0)
    assert counter.lists == [(KIND, 3)]
    assert counter.restarts == []


def test_what_is_no_object_is_counted() -> None:
    """An answer that holds something else is said with what it brings about, and counted."""
    said, _, counter = lines_of(replace(move(RequestOutcome.WRONG, "list: {}"), undecodable=1))
    assert said == [("warning", "trying again")]
    assert counter.skipped[KIND] == 1


def test_a_list_that_is_doubted_is_warned_about() -> None:
    """The line has the numbers."""
    said, lines, counter = lines_of(move(RequestOutcome.DOUBTED, "30 of 40 objects that are known aren't there"))
    assert said == [("warning", "nothing is deleted until a second answer says the same")]
    assert "30 of 40" in lines[0]["error"]
    assert counter.restarts == [(KIND, RequestOutcome.DOUBTED)]


def test_a_count_is_nothing_to_read_about() -> None:
    """A count that agrees writes no line."""
    said, _, counter = lines_of(move(RequestOutcome.COMPLETE, phase=Phase.COUNT))
    assert said == []
    assert counter.lists == []
