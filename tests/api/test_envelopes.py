"""Lists, watch events, bookmarks and failures."""

import pytest

from nqosd.api.decoding import (
    Bookmark,
    DecodeError,
    Failure,
    check_type,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_list,
    decode_pod,
)
from tests.api.manifests import pod, wire

LIST = {"kind": "PodList", "apiVersion": "v1"}


def test_a_list_gives_its_version_its_token_and_undecoded_items() -> None:
    """A page of a LIST carries the resource version, the continue token, how many are left, and its items."""
    meta = {"resourceVersion": "12", "continue": "next", "remainingItemCount": 7}
    page = decode_list(wire({**LIST, "metadata": meta, "items": [{"metadata": {"name": "a"}}]}), "v1", "Pod")
    assert (page.resource_version, page.continue_token, page.remaining) == ("12", "next", 7)
    assert [bytes(item) for item in page.items] == [b'{"metadata":{"name":"a"}}']


def test_a_list_of_no_metadata_has_no_items() -> None:
    """A kube-apiserver writes `null` there, and nowhere else."""
    partial = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
    body = wire({**partial, "metadata": {"resourceVersion": "9"}, "items": None})
    assert decode_list(body, "v1", "Pod", may_be_partial=True).items == ()
    with pytest.raises(DecodeError, match="PartialObjectMetadataList"):
        decode_list(body, "v1", "Pod")


def test_a_list_of_nothing_is_empty() -> None:
    """An empty collection is listed as an empty list, at a resource version."""
    body = wire({**LIST, "metadata": {"resourceVersion": "12"}, "items": []})
    assert decode_list(body, "v1", "Pod").items == ()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500},
        {**LIST, "metadata": {"resourceVersion": "12"}, "items": None},
        {**LIST, "metadata": {"resourceVersion": "12"}},
        {**LIST, "metadata": {"resourceVersion": ""}, "items": []},
        {**LIST, "metadata": {"resourceVersion": None}, "items": []},
        {**LIST, "metadata": {}, "items": []},
        {**LIST, "items": []},
        {**LIST, "kind": "NodeList", "metadata": {"resourceVersion": "12"}, "items": []},
        {**LIST, "kind": "List", "metadata": {"resourceVersion": "12"}, "items": []},
        {**LIST, "kind": "Pod", "metadata": {"resourceVersion": "12"}, "items": []},
        {**LIST, "apiVersion": "v2", "metadata": {"resourceVersion": "12"}, "items": []},
        {"kind": "PodList", "metadata": {"resourceVersion": "12"}, "items": []},
    ],
)
def test_a_body_that_does_not_say_that_it_is_the_list_is_none(body: object) -> None:
    """Kind, API version, resource version and a list of items are needed; nothing else is a list of nothing."""
    with pytest.raises(DecodeError, match="list: "):
        decode_list(wire(body), "v1", "Pod")


@pytest.mark.parametrize(
    "raw",
    [
        pod(),
        b'{"apiVersion":"v1","kind":"Pod","metadata":{}}',
        b'{"metadata":{},"apiVersion":"v1","kind":"Pod"}',
        b'{ "kind" : "Pod", "apiVersion" : "v1" }',
    ],
)
def test_an_object_says_its_type_anywhere(raw: bytes) -> None:
    """The type counts wherever it stands."""
    check_type(raw, "v1", "Pod")


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"5",
        b'{"kind":"Pod"}',
        b'{"kind":"Pods","apiVersion":"v1","metadata":{}}',
        b'{"kind":"Pod","apiVersion":"v1beta1","metadata":{}}',
        b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a"}}',
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure"}',
    ],
)
def test_an_object_of_another_type_is_refused(raw: bytes) -> None:
    """Another kind, another version of it or no type at all is not the object."""
    with pytest.raises(DecodeError, match="Pod"):
        check_type(raw, "v1", "Pod")


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
            decode_list(raw, "v1", "Pod")
