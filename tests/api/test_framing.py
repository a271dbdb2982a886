"""Lists, watch events, bookmarks and failures."""

import pytest

from nqosd.api.decoding import (
    Bookmark,
    DecodeError,
    Failure,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_list,
    decode_pod,
)
from tests.api.manifests import pod, wire


def test_a_list_gives_its_version_its_token_and_undecoded_items() -> None:
    """A page of a LIST carries the resource version, the continue token and its items."""
    body = wire({"metadata": {"resourceVersion": "12", "continue": "next"}, "items": [{"metadata": {"name": "a"}}]})
    page = decode_list(body)
    assert (page.resource_version, page.continue_token) == ("12", "next")
    assert [bytes(item) for item in page.items] == [b'{"metadata":{"name":"a"}}']


def test_a_malformed_item_does_not_lose_the_list() -> None:
    """The items beside a malformed one decode as ever."""
    body = b'{"metadata":{"resourceVersion":"12"},"items":[5,{"metadata":{}},%s]}' % pod()
    number, nameless, good = decode_list(body).items
    for bad in (number, nameless):
        with pytest.raises(DecodeError):
            decode_pod(bad)
    assert decode_pod(good).value.key == "shop/web"


@pytest.mark.parametrize("items", [None, []])
def test_a_list_without_items_is_empty(items: object) -> None:
    """An empty collection is listed as null or as an empty list."""
    assert decode_list(wire({"metadata": {"resourceVersion": "12"}, "items": items})).items == ()


def test_an_event_gives_its_type_and_its_object() -> None:
    """A line of a watch decodes into the event's type and the undecoded object."""
    event = decode_event(b'{"type":"ADDED","object":%s}\n' % pod())
    assert event.type == "ADDED"
    assert decode_pod(event.object) == decode_pod(pod())


@pytest.mark.parametrize(
    ("annotations", "ends"),
    [(None, False), ({}, False), ({"k8s.io/initial-events-end": "true"}, True)],
)
def test_a_bookmark_says_whether_the_initial_events_have_ended(annotations: object, ends: bool) -> None:  # noqa: FBT001
    """The annotation k8s.io/initial-events-end marks the end of a WatchList's first part."""
    raw = wire({"kind": "Pod", "metadata": {"resourceVersion": "99", "annotations": annotations}})
    assert decode_bookmark(raw) == Bookmark("99", initial_events_end=ends)


def test_a_failure_gives_code_reason_message_and_how_long_to_wait() -> None:
    """The object of an ERROR event is a metav1.Status."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old", "metadata": {}}
    assert decode_failure(wire(status)) == Failure(410, "Expired", "too old")
    busy = {"kind": "Status", "code": 429, "reason": "TooManyRequests", "details": {"retryAfterSeconds": 1}}
    assert decode_failure(wire(busy)) == Failure(429, "TooManyRequests", retry_after=1)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"metadata":5}', b'{"type":5,"object":{}}', b'{"items":5}'])
def test_what_is_no_frame_is_an_error_that_says_so(raw: bytes) -> None:
    """Bytes that are no list, event or bookmark are told apart from an empty one."""
    for decode, name in ((decode_event, "watch event"), (decode_bookmark, "bookmark")):
        with pytest.raises(DecodeError, match=name):
            decode(raw)
    if b"type" not in raw:
        with pytest.raises(DecodeError, match="list"):
            decode_list(raw)
