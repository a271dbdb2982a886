"""What a reflector tells and asks for, step by step."""

import itertools
import math
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from nqosd.informers.pacing import CONFIRM, LOOKS, SOON
from nqosd.informers.reflector import AGAIN, Reflector
from nqosd.informers.reflector_steps import GetPage, GetStream, ReflectorOptions, Step, Wait
from nqosd.informers.transitions import Phase, RequestOutcome
from nqosd.informers.trust import SPACING
from nqosd.runtime.backoff import LONGEST_WAIT
from tests.informers import wire
from tests.informers.wire import appeared, bookmark, event, key, network, page, repainted, value, vanished

OPTIONS = ReflectorOptions(page_size=2, watch_time=5.0, list_time=60.0, streaming_retry=3600.0, absence=30.0)
LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


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
    """It asks for the initial events, for bookmarks, for no resource version, and for an end at its time."""
    query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "60", **LIST}
    assert streamed().action == GetStream(query, limit=63.0, silence=10.0)


def test_a_watch_is_asked_to_end_soon() -> None:
    """Its end in time is the sign that changes are heard; it is lost if that doesn't come."""
    query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "5", "resourceVersion": "9"}
    assert watching().action == GetStream(query, limit=8.0)


def test_a_streamed_list_is_told_as_it_arrives_and_watched_on() -> None:
    """Objects are told at once, "synced" comes with the bookmark that ends the list, and a watch goes on there."""
    reflector = streamed()
    first = reflector.lines([event("ADDED", network("a", 3))], 1.0)
    assert first.changes == [appeared("a", seen=1.0)]
    assert not first.moves
    second = reflector.lines([event("ADDED", network("b", 4)), bookmark(9, end=True)], 2.0)
    assert second.changes == [appeared("b", seen=2.0)]
    assert [(move.outcome, move.synced, move.seconds) for move in second.moves] == [
        (RequestOutcome.COMPLETE, True, 2.0)
    ]
    assert query_of(reflector)["resourceVersion"] == "9"


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
    assert "sendInitialEvents" in query_of(reflector)


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


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b"{}",
        wire.refusal(500),
        page([], 8).replace(b"UserDefinedNetworkList", b"ClusterUserDefinedNetworkList"),
        page([network("b", 3)], 8).replace(b'"resourceVersion":"8"', b'"resourceVersion":""'),
        page([network("b", 3)], 8)[:-30],
        page([network("b", 3), {"metadata": {"namespace": wire.NAMESPACE, "resourceVersion": "7"}}], 8),
        page([network("b", 3), {"metadata": {"name": "c", "resourceVersion": "7"}}], 8),
        page([network("b", 3), {"metadata": {"name": "c", "namespace": wire.NAMESPACE}}], 8),
        page([network("b", 3), {**network("c", 4), "kind": "ClusterUserDefinedNetwork"}], 8),
    ],
)
def test_an_answer_that_is_no_list_deletes_and_tells_nothing(body: bytes) -> None:
    """With status 200 or not, what isn't a whole page of that kind is reported, and the list is begun anew."""
    reflector = paged()
    reflector.page(page([network("a", 1)], 2), 0.0)
    reflector.lines([wire.error(410)], 0.0)
    reflector.waited(0.0)
    step = reflector.page(body, 1.0)
    assert [move.outcome for move in step.moves] == [RequestOutcome.WRONG]
    assert body[:20].decode() in step.moves[0].detail
    assert not step.changes
    assert step.undecodable == 1
    assert isinstance(reflector.action, Wait)
    assert reflector.objects() == {key("a"): value("a")}
    assert reflector.doubt


def test_pages_of_two_versions_are_no_list() -> None:
    """A page of another resource version than the first one begins the list anew."""
    reflector = paged()
    reflector.page(page([network("a", 1)], 7, "next"), 0.0)
    step = reflector.page(page([network("b", 1)], 8), 0.0)
    assert [move.outcome for move in step.moves] == [RequestOutcome.WRONG]
    reflector.waited(1.0)
    assert query_of(reflector) == {"limit": "2"}


def test_a_token_that_leads_in_circles_is_no_list() -> None:
    """A page with a token that brings nothing new begins the list anew."""
    reflector = paged()
    reflector.page(page([network("a", 1), network("b", 1)], 7, "next"), 0.0)
    step = reflector.page(page([network("a", 1), network("b", 1)], 7, "next"), 0.0)
    assert [move.outcome for move in step.moves] == [RequestOutcome.WRONG]


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
        "timeoutSeconds": "5",
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


def test_lines_after_the_end_of_a_list_are_not_taken() -> None:
    """What follows the list in the same stream comes again with the watch."""
    reflector = streamed()
    step = reflector.lines([bookmark(9, end=True), event("ADDED", network("a", 10))], 0.0)
    assert step.changes == []
    assert query_of(reflector)["resourceVersion"] == "9"


def test_half_an_event_is_no_event() -> None:
    """A line that doesn't parse ends the stream, so that the watch delivers it again."""
    reflector = watching()
    whole = event("ADDED", network("a", 10))
    step = reflector.lines([whole, event("ADDED", network("b", 11))[:-10]], 0.0)
    assert step.changes == [appeared("a")]
    assert [move.outcome for move in step.moves] == [RequestOutcome.BROKEN]
    reflector.waited(1.0)
    assert query_of(reflector)["resourceVersion"] == "10"


NAMELESS = {**wire.TYPE, "metadata": {"namespace": wire.NAMESPACE, "resourceVersion": "11"}}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (event("ADDED", NAMELESS), "metadata.name"),
        (event("DELETED", NAMELESS), "metadata.name"),
        (event("ADDED", {**wire.TYPE, "metadata": {"name": "a", "resourceVersion": "11"}}), "metadata.namespace"),
        (event("DELETED", {**wire.TYPE, "metadata": {"name": "a", "namespace": "red"}}), "metadata.resourceVersion"),
        (event("BOOKMARK", {**wire.TYPE, "metadata": {}}), "bookmark"),
        (event("BOOKMARK", {**wire.TYPE, "metadata": {"resourceVersion": ""}}), "bookmark"),
        (event("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": "11"}}), "v1 Pod"),
        (event("RENAMED", network("a", 10)), "RENAMED"),
        (event("ADDED", {**network("a", 10), "kind": "PartialObjectMetadata"}), "PartialObjectMetadata"),
        (event("DELETED", wire.status(500)), "UserDefinedNetwork"),
        (page([], 11), "watch event"),
        (wire.refusal(500), "watch event"),
        (b"{}", "watch event"),
        (b"<html>", "watch event"),
    ],
)
def test_an_event_that_makes_no_sense_ends_the_watch(line: bytes, words: str) -> None:
    """What isn't an event about an object of the kind counts for nothing, and neither does what comes after it."""
    reflector = watching("a")
    step = reflector.lines([line, event("ADDED", network("b", 12))], 0.0)
    assert step.changes == []
    assert [move.outcome for move in step.moves] == [RequestOutcome.BROKEN]
    assert words in step.moves[0].detail
    assert step.undecodable == 1
    assert reflector.objects() == {key("a"): value("a")}


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
    for seconds, wait in ((86_400, LONGEST_WAIT + 0.05), (10**400, LONGEST_WAIT + 0.05), (-86_400, 0.05)):
        absurd = watching()
        absurd.lines([wire.error(504, retry_after=seconds)], 0.0)
        assert absurd.action == Wait(wait)


def test_a_definition_that_is_not_installed_counts_as_told_and_empty() -> None:
    """It is synced with the first look, and looked for again: soon at first, then as rarely as the options say."""
    reflector = streamed()
    step = reflector.missing(0.0)
    assert [move.synced for move in step.moves] == [True]
    assert step.changes == []
    assert reflector.action == Wait(CONFIRM)
    reflector.waited(CONFIRM)
    assert [move.synced for move in reflector.missing(CONFIRM).moves] == [False]
    assert reflector.action == Wait(30.0)
    reflector.waited(60.0)
    step = reflector.lines([event("ADDED", network("a", 3)), bookmark(9, end=True)], 61.0)
    assert step.changes == [appeared("a", seen=61.0)]
    assert [move.synced for move in step.moves] == [False]


def test_objects_of_a_removed_definition_are_deleted_after_a_second_look() -> None:
    """When the resource is no longer known, its objects are gone; a server that says so once may be starting."""
    reflector = resumed(watching("a", "b"))
    step = reflector.missing(1.0)
    assert step.changes == []
    assert [move.outcome for move in step.moves] == [RequestOutcome.DOUBTED]
    assert "2 of 2 objects" in reflector.doubt
    assert reflector.action == Wait(CONFIRM)
    reflector.waited(4.0)
    assert reflector.missing(4.0).changes == [vanished("a", seen=4.0), vanished("b", seen=4.0)]
    assert not reflector.doubt


def test_a_removed_definition_is_looked_for_again_and_again() -> None:
    """An upgrade may make it anew: it is soon found, and asked for as rarely as the options say after two minutes."""
    reflector, now = resumed(watching("a")), 1.0
    reflector.missing(now)
    waits = list[float]()
    for _ in range(LOOKS + 2):
        assert isinstance(reflector.action, Wait)
        now += reflector.action.seconds
        reflector.waited(now)
        reflector.missing(now)
        assert isinstance(reflector.action, Wait)
        waits.append(reflector.action.seconds)
    assert waits == [CONFIRM, *[SOON] * (LOOKS - 1), OPTIONS.absence, OPTIONS.absence]


MANY = [f"n{number:02}" for number in range(30)]


@pytest.mark.parametrize("left", [0, 9, 14])
def test_a_list_that_would_remove_more_than_half_is_believed_the_second_time(left: int) -> None:
    """The first time it deletes nothing, whatever it adds; until the second one the kind is out of touch."""
    lines = [*(event("ADDED", network(name, 1)) for name in MANY[:left]), bookmark(20, end=True)]
    reflector = watching(*MANY)
    reflector.lines([wire.error(410)], 1.0)
    reflector.waited(1.0)
    first = reflector.lines([event("ADDED", network("new", 19)), *lines], 1.0)
    assert first.changes == [appeared("new", seen=1.0)]
    assert [move.outcome for move in first.moves] == [RequestOutcome.DOUBTED]
    assert f"{30 - left} of 31 objects" in reflector.doubt
    assert reflector.resource_version == "9"
    assert reflector.action == Wait(CONFIRM)
    reflector.waited(4.0)
    second = reflector.lines([event("ADDED", network("new", 19)), *lines], 4.0)
    assert second.changes == [vanished(name, seen=4.0) for name in MANY[left:]]
    assert not reflector.doubt
    assert reflector.resource_version == "20"
    assert query_of(reflector)["timeoutSeconds"] == "4"
    reflector.ended(8.0)
    assert "sendInitialEvents" in query_of(reflector)
    reflector.lines([*(event("ADDED", network(name, 1)) for name in MANY), bookmark(21, end=True)], 8.0)
    assert query_of(reflector)["timeoutSeconds"] == str(math.ceil(OPTIONS.watch_time))


def test_a_doubted_list_that_was_wrong_deletes_nothing() -> None:
    """When the second list has everything, nothing is told at all."""
    reflector = watching(*MANY)
    reflector.lines([wire.error(410)], 1.0)
    reflector.waited(1.0)
    reflector.lines([bookmark(20, end=True)], 1.0)
    reflector.waited(4.0)
    step = reflector.lines([*(event("ADDED", network(name, 1)) for name in MANY), bookmark(20, end=True)], 4.0)
    assert step.changes == []
    assert [move.outcome for move in step.moves] == [RequestOutcome.COMPLETE]


def test_a_second_list_that_lacks_others_is_doubted_as_well() -> None:
    """What has never been missing before isn't deleted in bulk, though another list lacked other objects."""
    reflector = watching(*MANY)
    reflector.lines([wire.error(410)], 1.0)
    reflector.waited(1.0)
    reflector.lines([*(event("ADDED", network(name, 1)) for name in MANY[:12]), bookmark(20, end=True)], 1.0)
    reflector.waited(4.0)
    step = reflector.lines([*(event("ADDED", network(name, 1)) for name in MANY[18:]), bookmark(20, end=True)], 4.0)
    assert step.changes == [vanished(name, seen=4.0) for name in MANY[:18]]


@pytest.mark.parametrize(("known", "left"), [(30, 15), (10, 0), (11, 1)])
def test_a_list_that_removes_half_or_a_few_is_believed_at_once(known: int, left: int) -> None:
    """Up to ten objects, or half of them, go without a second list."""
    reflector = watching(*MANY[:known])
    reflector.lines([wire.error(410)], 1.0)
    reflector.waited(1.0)
    step = reflector.lines([*(event("ADDED", network(name, 1)) for name in MANY[:left]), bookmark(20, end=True)], 1.0)
    assert step.changes == [vanished(name, seen=1.0) for name in MANY[left:known]]


@pytest.mark.parametrize("left", [0, 1])
def test_where_reflectors_share_a_kind_a_list_that_removes_a_few_is_believed_the_second_time(left: int) -> None:
    """Each may know no more than a few objects, which are all of the kind together."""
    listed = [*(event("ADDED", network(name, 1)) for name in MANY[:left]), bookmark(20, end=True)]
    reflector = Reflector(wire.NETWORKS, 0.0, OPTIONS, is_shared=True, uniform=lambda: 0.5)
    reflector.lines([*(event("ADDED", network(name, 1)) for name in MANY[:3]), bookmark(9, end=True)], 0.0)
    reflector.lines([wire.error(410)], 1.0)
    reflector.waited(1.0)
    assert reflector.lines(listed, 1.0).changes == []
    assert f"{3 - left} of 3 objects" in reflector.doubt
    reflector.waited(4.0)
    assert reflector.lines(listed, 4.0).changes == [vanished(name, seen=4.0) for name in MANY[left:3]]


def test_any_number_of_deleted_events_is_believed() -> None:
    """A watch that deletes everything is the truth."""
    reflector = watching(*MANY)
    step = reflector.lines([event("DELETED", network(name, 10)) for name in MANY], 0.0)
    assert len(step.changes) == len(MANY)
    assert not reflector.doubt


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
    """After a watch of a second, an expired version is the first one in a row."""
    reflector = watching()
    for _ in range(6):
        reflector.lines([wire.error(410)], 0.0)
        reflector.waited(0.0)
        reflector.lines([bookmark(9, end=True)], 0.0)
    assert reflector.lines([wire.error(410)], 1.0).moves[0].pause == pytest.approx(0.05)


def test_a_watch_that_lived_and_is_cut_is_no_failure_in_a_row() -> None:
    """A line that works for a second between two cuts is used at once each time."""
    reflector = watching()
    now, pauses = 0.0, []
    for _ in range(10):
        now += 1.0
        pauses.append(reflector.lost("cut", now, answered=True).moves[0].pause)
        reflector.waited(now)
        if "sendInitialEvents" in query_of(reflector):
            reflector.lines([bookmark(9, end=True)], now)
    assert pauses == pytest.approx([0.05] * 10)


def test_a_watch_that_ends_in_its_time_is_resumed_at_once() -> None:
    """The everyday end of a watch costs no pause and no doubt."""
    reflector = watching()
    step = reflector.ended(5.0)
    assert [(move.outcome, move.pause) for move in step.moves] == [(RequestOutcome.ENDED, 0.0)]
    assert query_of(reflector)["resourceVersion"] == "9"
    assert not reflector.doubt


def test_a_watch_that_ends_in_its_time_by_the_servers_clock_has_ended_in_time() -> None:
    """A clock that runs a little faster, or a sum of times that was rounded, makes no doubt; an earlier end does."""
    reflector = watching()
    step = reflector.ended(4.996)
    assert [move.outcome for move in step.moves] == [RequestOutcome.ENDED]
    assert not reflector.doubt
    step = reflector.ended(9.9)
    assert [move.outcome for move in step.moves] == [RequestOutcome.EARLY]


def test_watches_that_end_at_once_are_resumed_ever_more_rarely_and_listed() -> None:
    """A proxy that closes every stream as soon as it is open is neither asked in a tight loop nor trusted."""
    reflector = watching()
    pauses = []
    for _ in range(4):
        pauses.append(reflector.ended(0.0).moves[0].pause)
        reflector.waited(0.0)
        assert query_of(reflector)["resourceVersion"] == "9"
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert "ended after 0.0 s" in reflector.doubt
    reflector.ended(SPACING)
    assert "sendInitialEvents" in query_of(reflector)
    reflector.lines([bookmark(9, end=True)], SPACING)
    assert not reflector.doubt


@pytest.mark.parametrize(
    "fault",
    [
        lambda it, now: it.lost("cut", now, answered=True),
        lambda it, now: it.lost("not ended in time", now, answered=True, silent=True),
        lambda it, now: it.lost("away", now, answered=False),
        lambda it, now: it.refused(403, wire.refusal(403), now),
        lambda it, now: it.refused(429, wire.refusal(429), now),
        lambda it, now: it.ended(now),
        lambda it, now: it.lines([b"<html>"], now),
    ],
)
def test_whatever_may_have_hidden_a_change_is_followed_by_a_list(fault: Callable[[Reflector, float], Step]) -> None:
    """A server that was restored from a backup meanwhile tells nothing of what was lost to a watch that goes on."""
    reflector = watching("lost")
    reflector.ended(5.0)
    fault(reflector, 6.0)
    assert reflector.doubt
    reflector.waited(7.0)
    step = reflector.lines([bookmark(30, end=True)], 7.0)
    assert step.changes == [vanished("lost", seen=7.0)]
    assert not reflector.doubt


def test_lists_take_a_tenth_of_the_time_at_most() -> None:
    """After a list of two seconds the next one comes within twenty; the watch goes on until then, and ends for it."""
    reflector = streamed()
    reflector.lines([bookmark(9, end=True)], 2.0)
    reflector.lost("cut", 10.0, answered=True)
    reflector.waited(10.0)
    assert query_of(reflector)["timeoutSeconds"] == "5"
    reflector.ended(15.0)
    assert query_of(reflector) | {"timeoutSeconds": "5"} == query_of(reflector), "half of the twenty seconds by chance"
    assert reflector.doubt
    reflector.ended(20.0)
    assert "sendInitialEvents" in query_of(reflector)


def test_an_outage_does_not_count_as_time_that_a_list_takes() -> None:
    """A list that had to wait for its server says nothing of how dear lists are: the next one needn't wait for it."""
    reflector = streamed()
    for at in (10.0, 20.0):
        reflector.lost("away", at, answered=False)
        reflector.waited(at + 5.0)
    step = reflector.lines([bookmark(9, end=True)], 25.1)
    assert step.moves[-1].seconds == pytest.approx(0.1)
    reflector.lost("cut", 25.2, answered=True)
    reflector.waited(25.3)
    reflector.ended(25.4 + SPACING)
    assert "sendInitialEvents" in query_of(reflector)


def test_the_next_list_never_waits_long() -> None:
    """However long a list takes, a kind that may have missed changes is listed again within half a minute."""
    reflector = streamed()
    reflector.lines([bookmark(9, end=True)], 50.0)
    reflector.lost("cut", 60.0, answered=True)
    reflector.waited(60.0)
    for at in (65.0, 70.0, 75.0, 80.0, 85.0):
        if "sendInitialEvents" not in query_of(reflector):
            reflector.ended(at)
    assert "sendInitialEvents" in query_of(reflector)


def test_a_list_is_repeated_without_a_reason_after_a_long_time() -> None:
    """What no other check finds lasts half an hour at most; nobody is alarmed for it."""
    reflector = watching("a")
    at = 1.1 * OPTIONS.list_interval
    reflector.lines([bookmark(10)], at - 2.5)
    reflector.ended(at - 2.5)
    assert query_of(reflector)["timeoutSeconds"] == "3"
    reflector.ended(at + 0.5)
    assert "sendInitialEvents" in query_of(reflector)
    assert not reflector.doubt


@pytest.mark.parametrize(
    "line",
    [bookmark(8), event("ADDED", network("b", 8)), event("DELETED", network("a", 8))],
    ids=["mark", "new", "del"],
)
def test_a_version_that_goes_back_in_a_watch_leads_to_a_list(line: bytes) -> None:
    """The server's store has been restored: the event isn't taken, everything is listed."""
    reflector = watching("a")
    step = reflector.lines([line], 1.0)
    assert step.changes == []
    assert [move.outcome for move in step.moves] == [RequestOutcome.BEHIND]
    reflector.waited(1.0)
    assert "sendInitialEvents" in query_of(reflector)


def counting(*names: str) -> Reflector:
    """Give a reflector whose watch has said nothing for a minute and is followed by a count."""
    reflector = watching(*names)
    reflector.ended(66.0)
    assert query_of(reflector) == {"limit": "1"}
    return reflector


def test_a_watch_without_a_word_is_followed_by_a_count_now_and_then() -> None:
    """If number and version agree, the watch goes on for a minute without another count."""
    reflector = counting("a", "b")
    step = reflector.page(page([network("a", 1)], 100, "next", remaining=1), 66.0)
    assert [(move.phase, move.outcome) for move in step.moves] == [(Phase.COUNT, RequestOutcome.COMPLETE)]
    assert query_of(reflector)["resourceVersion"] == "9", "what happened since may not have been heard"
    reflector.ended(71.0)
    assert query_of(reflector)["resourceVersion"] == "9"


def test_the_probe_is_counted_after_each_watch() -> None:
    """Its watches are short, and whatever one has told, the server's store is asked again after it."""
    reflector = Reflector(replace(wire.NETWORKS, is_probe=True), 0.0, OPTIONS, uniform=lambda: 0.5)
    reflector.lines([event("ADDED", network("a", 1)), bookmark(9, end=True)], 0.0)
    for now in (3.0, 6.0):
        assert query_of(reflector)["timeoutSeconds"] == "3"
        reflector.lines([event("MODIFIED", network("a", 9 + int(now)))], now - 1.0)
        reflector.ended(now)
        assert query_of(reflector) == {"limit": "1"}
        reflector.page(page([network("a", 9 + int(now))], 100), now)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (page([network("a", 1)], 8, "next", remaining=1), RequestOutcome.BEHIND),
        (page([network("a", 1)], 100, "next", remaining=2), RequestOutcome.DIFFERS),
        (page([network("a", 1)], 100), RequestOutcome.DIFFERS),
        (page([], 100), RequestOutcome.DIFFERS),
    ],
)
def test_a_count_that_does_not_agree_is_followed_by_a_list(body: bytes, outcome: RequestOutcome) -> None:
    """An older version, more objects or fewer show that the watch doesn't tell everything."""
    reflector = counting("a", "b")
    step = reflector.page(body, 66.0)
    assert [move.outcome for move in step.moves] == [outcome]
    assert step.changes == []
    assert reflector.doubt
    reflector.waited(67.0)
    assert "sendInitialEvents" in query_of(reflector)


def test_a_count_that_the_server_does_not_give_says_nothing() -> None:
    """Not every server says how many objects are left."""
    reflector = counting("a", "b")
    assert not reflector.page(page([network("a", 1)], 100, "next"), 66.0).moves[0].pause
    assert not reflector.doubt


def lists_of_a_quiet_kind(reflector: Reflector, until: float, *, says_how_far: bool, began: float = 0.0) -> list[float]:
    """Let a server have nothing to tell of a kind, while its version grows; give when it was asked for lists.

    `says_how_far`: a watch after a count brings a bookmark with the version of that count.
    """
    lists, now, version = list[float](), began, int(reflector.resource_version)
    while now < until:
        query = query_of(reflector)
        if "sendInitialEvents" in query:
            lists.append(now)
            reflector.lines([event("ADDED", network("a", 1)), bookmark(version, end=True)], now)
        elif "limit" in query:
            version += 10
            reflector.page(page([network("a", 1)], version), now)
        else:
            if says_how_far and query["resourceVersion"] != str(version):
                reflector.lines([bookmark(version)], now + 3.0)
            now += 5.0
            reflector.ended(now)
    return lists


def test_a_quiet_kind_whose_watches_say_how_far_they_are_is_not_listed() -> None:
    """A bookmark with the version that a count has shown proves that there was nothing to tell."""
    assert lists_of_a_quiet_kind(watching("a"), 0.9 * OPTIONS.list_interval, says_how_far=True) == []


def test_a_watch_that_does_not_get_as_far_as_a_count_is_followed_by_a_list() -> None:
    """A changed object that no watch told of is found within a minute and a half; nobody is alarmed for it."""
    reflector = watching("a")
    first, *_ = lists_of_a_quiet_kind(reflector, 200.0, says_how_far=False)
    assert 60.0 < first <= 90.0
    assert not reflector.doubt


def test_a_server_whose_watches_never_say_how_far_they_are_is_asked_for_lists_ever_more_rarely() -> None:
    """Each list that had to show it doubles the time that the next watches are given, until one shows it again."""
    reflector, proven = watching("a"), 10 * OPTIONS.list_interval
    lists = lists_of_a_quiet_kind(reflector, proven, says_how_far=False)
    between = [after - before for before, after in itertools.pairwise(lists)]
    assert all(before <= after for before, after in itertools.pairwise(between[:7]))
    assert between[0] < 110.0
    assert min(between[7:]) >= 0.9 * OPTIONS.list_interval
    unproven = proven + 300.0
    lists_of_a_quiet_kind(reflector, unproven, says_how_far=True, began=proven)
    first, *_ = lists_of_a_quiet_kind(reflector, unproven + 200.0, says_how_far=False, began=unproven)
    assert first - unproven <= 90.0


def test_a_list_can_be_asked_for() -> None:
    """It comes at the time given, but not right after another one; until then the kind is in doubt."""
    reflector = watching("a")
    reflector.list_again("said so", 3.0)
    assert reflector.doubt == "said so"
    reflector.ended(SPACING)
    assert "sendInitialEvents" in query_of(reflector)


def test_a_list_that_began_before_the_time_is_not_the_one_that_was_asked_for() -> None:
    """Its end ends no doubt; another one follows, which does."""
    reflector = streamed()
    reflector.list_again("said so", 3.0)
    reflector.lines([bookmark(9, end=True)], 4.0)
    assert reflector.doubt == "said so"
    assert reflector.is_to_list
    reflector.ended(4.0 + SPACING)
    assert "sendInitialEvents" in query_of(reflector)
    reflector.lines([bookmark(9, end=True)], 10.0)
    assert not reflector.doubt
    assert not reflector.is_to_list


def test_what_may_be_pruned_is_listed_again_some_time_after_a_fault() -> None:
    """Only once, since the second list had no reason, and nobody is alarmed for it."""
    reflector = resumed(watching("a"), 1.0)
    lists = lists_of_a_quiet_kind(reflector, 1500.0, says_how_far=True, began=1.0)
    assert len(lists) == 2
    assert lists[1] - lists[0] == pytest.approx(1.1 * AGAIN * OPTIONS.absence, abs=OPTIONS.watch_time)
    assert not reflector.doubt


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
