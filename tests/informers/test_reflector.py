"""What a reflector tells and asks for, step by step."""

import pytest

from nqosd.informers.reflector import Reflector
from nqosd.informers.steps import GetPage, GetStream, ReflectorOptions, Wait
from nqosd.informers.transitions import Outcome
from tests.informers import wire
from tests.informers.wire import appeared, bookmark, event, key, network, page, repainted, value, vanished

OPTIONS = ReflectorOptions(page_size=2, watch_time=300.0, initial_time=60.0, streaming_retry=3600.0, absence=30.0)


def streamed() -> Reflector:
    """Give a reflector at the start."""
    return Reflector(wire.NETWORKS, 0.0, OPTIONS, uniform=lambda: 0.5)


def paged() -> Reflector:
    """Give a reflector whose server can't stream lists, at its first page."""
    reflector = streamed()
    reflector.refused(422, wire.refusal(422), 0.0)
    reflector.waited(0.0)
    return reflector


def watching(*names: str) -> Reflector:
    """Give a reflector that has listed some networks and watches on."""
    reflector = streamed()
    reflector.lines([*(event("ADDED", network(name, 1)) for name in names), bookmark(9, end=True)], 0.0)
    return reflector


def resumed(reflector: Reflector, now: float = 0.0) -> Reflector:
    """Break the stream and wait until the next request."""
    reflector.lost("cut", now, answered=True)
    reflector.waited(now)
    return reflector


def query_of(reflector: Reflector) -> dict[str, str]:
    """Give the query of the next request."""
    action = reflector.action
    assert isinstance(action, GetPage | GetStream)
    return dict(action.query)


def test_the_first_request_streams_the_newest_list() -> None:
    """It asks for the initial events, for bookmarks, for no resource version, and for an end at a time of its own."""
    assert streamed().action == GetStream(
        {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "300",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
        }
    )


def test_streams_are_asked_to_end_at_different_times() -> None:
    """Each stream lasts up to a fifth longer than the option says, by chance."""
    reflector = watching()
    reflector.lost("cut", 20.0, answered=True)
    reflector.waited(20.0)
    assert query_of(reflector)["timeoutSeconds"] == "330"


def test_a_streamed_list_is_told_as_it_arrives_and_watched_on() -> None:
    """Objects are told at once, "synced" comes with the bookmark that ends the list, and the stream goes on."""
    reflector = streamed()
    first = reflector.lines([event("ADDED", network("a", 3))], 1.0)
    assert first.changes == [appeared("a", seen=1.0)]
    assert not first.moves
    deadlines = [reflector.deadline]
    second = reflector.lines([event("ADDED", network("b", 4)), bookmark(9, end=True)], 2.0)
    assert second.changes == [appeared("b", seen=2.0)]
    assert [(move.outcome, move.synced, move.seconds) for move in second.moves] == [(Outcome.COMPLETE, True, 2.0)]
    assert reflector.streaming
    assert [*deadlines, reflector.deadline] == [60.0, None]
    assert query_of(resumed(reflector))["resourceVersion"] == "9"


def test_an_object_deleted_during_a_streamed_list_is_told_deleted() -> None:
    """A deletion between the first events and their end counts."""
    reflector = streamed()
    lines = [event("ADDED", network("a", 3)), event("DELETED", network("a", 5)), bookmark(9, end=True)]
    assert reflector.lines(lines, 0.0).changes == [appeared("a"), vanished("a")]
    assert reflector.objects() == {}


def test_a_bookmark_in_the_middle_does_not_end_a_streamed_list() -> None:
    """Only the annotated bookmark does."""
    reflector = streamed()
    assert not reflector.lines([bookmark(8)], 0.0).moves
    assert reflector.deadline is not None


def test_pages_follow_the_token_and_only_the_last_one_says_what_is_gone() -> None:
    """Each page is told as it arrives; what none of them has is deleted at the end, not earlier."""
    reflector = paged()
    reflector.page(page([network("gone", 1), network("kept", 1)], 2), 0.0)
    reflector.lines([wire.error(410)], 0.0)
    reflector.waited(0.0)
    assert query_of(reflector) == {"limit": "2"}
    first = reflector.page(page([network("kept", 1), network("m", 3)], 7, "next"), 1.0)
    assert first.changes == [appeared("m", seen=1.0)]
    assert query_of(reflector) == {"limit": "2", "continue": "next"}
    second = reflector.page(page([network("z", 4)], 7), 2.0)
    assert second.changes == [appeared("z", seen=2.0), vanished("gone", seen=2.0)]
    assert query_of(reflector)["resourceVersion"] == "7"
    assert "sendInitialEvents" not in query_of(reflector)


def test_a_page_that_was_lost_is_asked_for_again() -> None:
    """The list goes on at the same token."""
    reflector = paged()
    reflector.page(page([network("a", 1)], 7, "next"), 0.0)
    reflector.lost("cut", 0.0, answered=False)
    reflector.waited(1.0)
    assert query_of(reflector) == {"limit": "2", "continue": "next"}


def test_an_expired_token_begins_the_list_anew_with_greater_pages() -> None:
    """What the abandoned list had seen doesn't count, and a slow server can't make lists begin anew for ever."""
    reflector = paged()
    reflector.page(page([network("a", 1), network("b", 1)], 7, "next"), 0.0)
    reflector.refused(410, wire.refusal(410), 0.0)
    reflector.waited(1.0)
    assert query_of(reflector) == {"limit": "4"}
    step = reflector.page(page([network("b", 1)], 8), 2.0)
    assert step.changes == [vanished("a", seen=2.0)]
    resumed(reflector).lines([wire.error(410)], 3.0)
    reflector.waited(3.0)
    assert query_of(reflector) == {"limit": "2"}


def test_an_answer_that_is_no_list_is_reported_and_asked_for_again() -> None:
    """A proxy's page with status 200 is no list of nothing."""
    reflector = paged()
    reflector.page(page([network("a", 1)], 7, "next"), 0.0)
    step = reflector.page(b"<html>maintenance</html>", 1.0)
    assert step.moves[0].outcome is Outcome.REFUSED
    assert "<html>maintenance" in step.moves[0].detail
    assert not step.changes
    assert isinstance(reflector.action, Wait)


def test_events_become_changes() -> None:
    """Additions, modifications and deletions are told with what was there before."""
    reflector = watching("a")
    lines = [
        event("MODIFIED", network("a", 10, "red")),
        event("ADDED", network("b", 11)),
        event("DELETED", network("a", 12, "red")),
    ]
    step = reflector.lines(lines, 5.0)
    assert step.changes == [
        repainted("a", "blue", "red", seen=5.0),
        appeared("b", seen=5.0),
        vanished("a", "red", seen=5.0),
    ]
    assert step.events == 3
    assert reflector.number_of_objects == 1


def test_an_event_that_changes_nothing_is_not_told() -> None:
    """A heartbeat that touches only what no policy depends on makes no change, but moves the watch on."""
    reflector = watching("a")
    assert reflector.lines([event("MODIFIED", network("a", 10))], 0.0).changes == []
    assert query_of(resumed(reflector))["resourceVersion"] == "10"


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_a_watch_resumes_after_the_last_event(kind: str) -> None:
    """Every kind of event moves the resource version on."""
    reflector = watching("a")
    reflector.lines([event(kind, network("a", 42, "red"))], 0.0)
    assert query_of(resumed(reflector))["resourceVersion"] == "42"


def test_a_watch_resumes_after_the_last_bookmark() -> None:
    """A bookmark moves the resource version on without telling anything."""
    reflector = watching("a")
    step = reflector.lines([bookmark(77)], 0.0)
    assert not step.changes
    assert query_of(resumed(reflector)) == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "330",
        "resourceVersion": "77",
    }


def test_a_list_after_an_expired_watch_tells_only_the_differences() -> None:
    """Objects that stayed aren't told, changed ones are changes, vanished ones are deleted at the end."""
    reflector = watching("a", "b", "c")
    reflector.lines([wire.error(410, "too old")], 0.0)
    reflector.waited(1.0)
    step = reflector.lines(
        [event("ADDED", network("a", 1)), event("ADDED", network("b", 20, "red")), bookmark(30, end=True)], 2.0
    )
    assert step.changes == [repainted("b", "blue", "red", seen=2.0), vanished("c", seen=2.0)]
    assert [move.synced for move in step.moves] == [False]


def test_lines_after_an_error_are_not_taken() -> None:
    """What follows an ERROR event in the same chunk comes again with the list."""
    reflector = watching()
    step = reflector.lines([wire.error(410), event("ADDED", network("a", 10))], 0.0)
    assert step.changes == []
    assert step.events == 0


def test_half_an_event_is_no_event() -> None:
    """A line that doesn't parse ends the stream, so that the watch delivers it again."""
    reflector = watching()
    whole = event("ADDED", network("a", 10))
    step = reflector.lines([whole, event("ADDED", network("b", 11))[:-10]], 0.0)
    assert step.changes == [appeared("a")]
    assert [move.outcome for move in step.moves] == [Outcome.BROKEN]
    reflector.waited(1.0)
    assert query_of(reflector)["resourceVersion"] == "10"


def test_an_object_without_a_name_is_skipped_and_the_stream_goes_on() -> None:
    """It is reported, nothing else is lost, in lists as in watches."""
    nameless = {"metadata": {"namespace": wire.NAMESPACE, "resourceVersion": "11"}}
    reflector = watching()
    step = reflector.lines([event("ADDED", nameless), event("ADDED", network("a", 12))], 0.0)
    assert step.changes == [appeared("a")]
    assert len(step.undecodable) == 1
    assert "metadata.name" in step.undecodable[0]
    assert reflector.streaming
    listing = paged()
    step = listing.page(page([nameless, network("a", 12)], 13), 0.0)
    assert step.changes == [appeared("a")]
    assert len(step.undecodable) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (event("DELETED", {"metadata": {}}), "metadata.name"),
        (event("BOOKMARK", {"metadata": {}}), "bookmark"),
        (event("RENAMED", network("a", 10)), "RENAMED"),
    ],
)
def test_an_event_that_makes_no_sense_is_skipped(line: bytes, words: str) -> None:
    """A deletion without a name, a bookmark without a version and an unknown type are reported and passed over."""
    reflector = watching("a")
    step = reflector.lines([line, event("ADDED", network("b", 12))], 0.0)
    assert step.changes == [appeared("b")]
    assert words in step.undecodable[0]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_refusal_deletes_nothing(status: int) -> None:
    """Objects stay as they were told while the server refuses, however often."""
    reflector = watching("a")
    for _ in range(5):
        resumed(reflector)
        step = reflector.refused(status, wire.refusal(status, "no"), 0.0)
        assert step.changes == []
        assert step.moves[0].detail == f"{status} no"
        reflector.waited(0.0)
    assert reflector.objects() == {key("a"): value("a")}
    assert query_of(reflector)["resourceVersion"] == "9"


def test_a_refusal_in_html_shows_its_beginning() -> None:
    """The message of something that isn't an API server is cut, not lost."""
    step = streamed().refused(502, b"<h1>Bad Gateway</h1>" + b"x" * 1000, 0.0)
    assert step.moves[0].detail.startswith("502 <h1>Bad Gateway</h1>xxx")
    assert len(step.moves[0].detail) < 300


def test_retry_after_is_waited() -> None:
    """The header of a refusal and the details of an ERROR event both count."""
    header = streamed()
    header.refused(429, wire.refusal(429), 0.0, retry_after=7.0)
    assert header.action == Wait(7.05)
    details = watching()
    details.lines([wire.error(504, retry_after=3)], 0.0)
    assert details.action == Wait(3.05)


def test_a_definition_that_is_not_installed_counts_as_told_and_empty() -> None:
    """It is synced with the first look, and looked for again after the time that the options say."""
    reflector = streamed()
    step = reflector.missing(0.0)
    assert [move.synced for move in step.moves] == [True]
    assert step.changes == []
    assert reflector.action == Wait(30.0)
    reflector.waited(30.0)
    assert [move.synced for move in reflector.missing(30.0).moves] == [False]
    reflector.waited(60.0)
    step = reflector.lines([event("ADDED", network("a", 3)), bookmark(9, end=True)], 61.0)
    assert step.changes == [appeared("a", seen=61.0)]
    assert [move.synced for move in step.moves] == [False]


def test_objects_of_a_removed_definition_are_deleted() -> None:
    """When the resource is no longer known, its objects are gone."""
    reflector = resumed(watching("a", "b"))
    assert reflector.missing(1.0).changes == [vanished("a", seen=1.0), vanished("b", seen=1.0)]


def test_failures_in_a_row_wait_longer_and_an_answer_begins_anew() -> None:
    """The pause doubles with each failure and falls back with the first bookmark."""
    reflector = watching()
    pauses = []
    for _ in range(5):
        pauses.append(reflector.lost("away", 0.0, answered=False).moves[0].pause)
        reflector.waited(0.0)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8])
    reflector.lines([bookmark(10)], 0.0)
    assert reflector.lost("away", 0.0, answered=True).moves[0].pause == pytest.approx(0.05)


def test_lists_that_lead_nowhere_are_begun_ever_more_rarely() -> None:
    """A server that lists well but lets each watch expire at once isn't listed over and over."""
    reflector = watching()
    pauses = []
    for _ in range(6):
        pauses.append(reflector.lines([event("ADDED", network("a", 10)), wire.error(410)], 0.0).moves[0].pause)
        reflector.waited(0.0)
        reflector.lines([bookmark(9, end=True)], 0.0)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])


def test_a_watch_that_lived_makes_the_next_list_prompt() -> None:
    """After a watch of ten seconds, an expired version is the first one in a row."""
    reflector = watching()
    for _ in range(6):
        reflector.lines([wire.error(410)], 0.0)
        reflector.waited(0.0)
        reflector.lines([bookmark(9, end=True)], 0.0)
    assert reflector.lines([wire.error(410)], 10.0).moves[0].pause == pytest.approx(0.05)


def test_a_watch_that_ends_in_its_time_is_resumed_at_once() -> None:
    """The everyday end of a watch costs no pause."""
    reflector = watching()
    step = reflector.ended(300.0)
    assert [(move.outcome, move.pause) for move in step.moves] == [(Outcome.ENDED, 0.0)]
    assert query_of(reflector)["resourceVersion"] == "9"


def test_watches_that_end_at_once_are_resumed_ever_more_rarely() -> None:
    """A proxy that closes every stream as soon as it is open isn't asked in a tight loop."""
    reflector = watching()
    pauses = []
    for _ in range(4):
        pauses.append(reflector.ended(0.0).moves[0].pause)
        reflector.waited(0.0)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4])


def test_a_whole_watch_without_a_bookmark_is_followed_by_a_list() -> None:
    """A server whose version is behind ours, restored from a backup, says nothing to our watch for ever."""
    reflector = resumed(watching("a"))
    step = reflector.ended(330.0)
    assert [move.outcome for move in step.moves] == [Outcome.MUTE]
    reflector.waited(331.0)
    assert "sendInitialEvents" in query_of(reflector)


def test_a_silent_watch_that_had_spoken_is_resumed() -> None:
    """A connection that hangs after a bookmark costs no list."""
    reflector = resumed(watching("a"))
    reflector.lines([bookmark(50)], 60.0)
    step = reflector.lost("no answer in time", 210.0, answered=True, silent=True)
    assert [move.outcome for move in step.moves] == [Outcome.SILENT]
    reflector.waited(211.0)
    assert query_of(reflector)["resourceVersion"] == "50"


def test_a_server_that_is_slow_to_begin_a_watch_is_not_made_to_list() -> None:
    """No answer in time is a lost request, not a mute watch."""
    reflector = resumed(watching("a"))
    reflector.lost("no answer in time", 30.0, answered=False, silent=True)
    reflector.waited(31.0)
    assert query_of(reflector)["resourceVersion"] == "9"


def test_a_list_that_never_begins_to_stream_is_paged() -> None:
    """A server that doesn't answer the request for a streamed list in time may answer one for a page."""
    reflector = streamed()
    reflector.lost("no answer in time", 30.0, answered=False, silent=True)
    reflector.waited(31.0)
    assert query_of(reflector) == {"limit": "2"}


def test_lists_are_streamed_again_after_a_while() -> None:
    """A server that has been upgraded is noticed an hour after it refused to stream a list."""
    reflector = paged()
    reflector.page(page([], 7), 0.0)
    reflector.lines([wire.error(410)], 3599.0)
    reflector.waited(3599.0)
    assert query_of(reflector) == {"limit": "2"}
    reflector.page(page([], 7), 3599.0)
    reflector.lines([wire.error(410)], 3600.0)
    reflector.waited(3600.0)
    assert "sendInitialEvents" in query_of(reflector)


def test_reports_that_fit_no_request_are_refused() -> None:
    """A driver that reports what wasn't asked for is a bug that shows at once."""
    with pytest.raises(RuntimeError, match="no pause"):
        streamed().waited(0.0)
    with pytest.raises(RuntimeError, match="a page was reported"):
        streamed().page(page([], 1), 0.0)
    with pytest.raises(RuntimeError, match="without a stream"):
        paged().lines([], 0.0)
    reflector = streamed()
    reflector.lost("", 0.0, answered=False)
    with pytest.raises(RuntimeError, match="in a pause"):
        reflector.ended(0.0)


def test_the_resource_version_is_that_up_to_which_everything_was_told() -> None:
    """It is empty at first, moves with a whole list and with events, and stays while a list is under way."""
    reflector = paged()
    reflector.page(page([network("a", 1), network("b", 2)], 7, "next"), 0.0)
    assert reflector.resource_version == ""
    reflector.page(page([network("c", 3)], 7), 0.0)
    assert reflector.resource_version == "7"
    reflector.lines([event("ADDED", network("d", 9))], 0.0)
    assert reflector.resource_version == "9"
    reflector.lines([wire.error(410)], 0.0)
    reflector.waited(1.0)
    reflector.page(page([network("a", 1), network("b", 2)], 20, "next"), 1.0)
    assert reflector.resource_version == "9"
