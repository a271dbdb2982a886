"""What stands around objects on the wire: lists, watch events, bookmarks and failures.

In: the body of a LIST, one line of a WATCH, or the object of a BOOKMARK or ERROR event. Out: the objects as
undecoded JSON (`msgspec.Raw`, itself good input for every `decode_*` function), and what the reflector steers by.

Rules: a body counts only if it says that it is what was asked for, since a list of nothing deletes everything; an
object is looked into only by the function of its kind.
"""

import functools

import msgspec

from nqosd.api.decoding.metadata import MALFORMED, DecodeError

PARTIAL = "PartialObjectMetadata"
"""The kind of objects of which only the metadata was asked for."""
PARTIAL_VERSION = "meta.k8s.io/v1"
TYPE_LENGTH = 128
"""Bytes at the beginning of an object that hold its type, if it stands there."""


class ObjectList(msgspec.Struct, frozen=True):
    """One page of a LIST; `continue_token` is empty on the last page, `remaining` None where the server didn't say."""

    resource_version: str
    continue_token: str
    items: tuple[msgspec.Raw, ...]
    remaining: int | None = None


class WatchEvent(msgspec.Struct, frozen=True, gc=False):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and its object.

    A Struct and not an attrs class because one is built for every line, straight from the bytes. The object is a view
    of the line: decode it before the line goes.
    """

    type: str
    object: msgspec.Raw


class Bookmark(msgspec.Struct, frozen=True):
    """How far a watch has come; `initial_events_end` marks the end of a WatchList's first part."""

    resource_version: str
    initial_events_end: bool = False


class Failure(msgspec.Struct, frozen=True):
    """A metav1.Status: the object of an ERROR event, or the body of a refused request; `retry_after` in seconds."""

    code: int = 0
    reason: str = ""
    message: str = ""
    retry_after: int = 0


class _ListMeta(
    msgspec.Struct,
    gc=False,
    rename={"resource_version": "resourceVersion", "continue_token": "continue", "remaining": "remainingItemCount"},
):
    resource_version: str
    continue_token: str | None = None
    remaining: int | None = None


class _List(msgspec.Struct, gc=False, rename={"api_version": "apiVersion"}):
    kind: str
    api_version: str
    metadata: _ListMeta
    items: list[msgspec.Raw] | None


class _Type(msgspec.Struct, gc=False, rename={"api_version": "apiVersion"}):
    kind: str
    api_version: str


class _BookmarkAnnotations(msgspec.Struct, gc=False, rename={"initial_events_end": "k8s.io/initial-events-end"}):
    initial_events_end: str | None = None


class _BookmarkMeta(msgspec.Struct, gc=False, rename={"resource_version": "resourceVersion"}):
    resource_version: str
    annotations: _BookmarkAnnotations | None = None


class _Bookmark(msgspec.Struct, gc=False):
    metadata: _BookmarkMeta


class _StatusDetails(msgspec.Struct, gc=False, rename={"retry_after": "retryAfterSeconds"}):
    retry_after: int | None = None


class _StatusBody(msgspec.Struct, gc=False):
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: _StatusDetails | None = None


_list = msgspec.json.Decoder(_List)
_type = msgspec.json.Decoder(_Type)
_event = msgspec.json.Decoder(WatchEvent)
_bookmark = msgspec.json.Decoder(_Bookmark)
_status = msgspec.json.Decoder(_StatusBody)


def decode_list(raw: bytes, api_version: str, kind: str, *, may_be_partial: bool = False) -> ObjectList:
    """Take the body of a LIST of a kind, or perhaps of the metadata of some, apart.

    Where a list of metadata is empty, of whatever kind, a kube-apiserver writes `items: null`; it never does so
    where whole objects are listed. What is left to tell an empty list from none are its type and its resource version.

    Raises:
        DecodeError: it is not a list of that kind as Kubernetes writes it.
    """
    try:
        page = _list.decode(raw)
    except MALFORMED as error:
        raise DecodeError(f"list: {error}") from error
    found, wanted = f"{page.api_version} {page.kind}", f"{api_version} {kind}List"
    is_partial = may_be_partial and found == f"{PARTIAL_VERSION} {PARTIAL}List"
    if found != wanted and not is_partial:
        raise DecodeError(f"list: {found!r} instead of {wanted!r}")
    if page.items is None and not is_partial:
        raise DecodeError("list: items: a list is needed")
    meta = page.metadata
    if not meta.resource_version:
        raise DecodeError("list: metadata.resourceVersion: a text is needed")
    return ObjectList(meta.resource_version, meta.continue_token or "", tuple(page.items or ()), meta.remaining)


def check_type(raw: bytes, api_version: str, kind: str, *, may_be_partial: bool = False) -> None:
    """Make sure that an object says that it is of a kind, or perhaps the metadata of some object.

    Servers write the type first, in one of two orders, so most objects need not be parsed for it.

    Raises:
        DecodeError: it says something else, or nothing.
    """
    if bytes(memoryview(raw)[:TYPE_LENGTH]).startswith(_beginnings(api_version, kind, may_be_partial)):
        return
    try:
        found = _type.decode(raw)
    except MALFORMED as error:
        raise DecodeError(f"{kind}: {error}") from error
    if (found.api_version, found.kind) not in _types(api_version, kind, may_be_partial):
        raise DecodeError(f"'{found.api_version} {found.kind}' instead of '{api_version} {kind}'")


def _types(api_version: str, kind: str, may_be_partial: bool) -> list[tuple[str, str]]:  # noqa: FBT001
    return [(api_version, kind), *([(PARTIAL_VERSION, PARTIAL)] if may_be_partial else [])]


@functools.lru_cache(maxsize=64)
def _beginnings(api_version: str, kind: str, may_be_partial: bool) -> tuple[bytes, ...]:  # noqa: FBT001 - cached
    return tuple(
        text.encode()
        for version, name in _types(api_version, kind, may_be_partial)
        for text in (f'{{"kind":"{name}","apiVersion":"{version}",', f'{{"apiVersion":"{version}","kind":"{name}",')
    )


def decode_event(line: bytes) -> WatchEvent:
    """Take one line of a watch apart, with or without its line feed.

    Raises:
        DecodeError: it is not a watch event.
    """
    try:
        return _event.decode(line)
    except MALFORMED as error:
        raise DecodeError(f"watch event: {error}") from error


def decode_bookmark(raw: bytes) -> Bookmark:
    """Read the object of a BOOKMARK event.

    Raises:
        DecodeError: it has no resource version.
    """
    try:
        meta = _bookmark.decode(raw).metadata
    except MALFORMED as error:
        raise DecodeError(f"bookmark: {error}") from error
    if not meta.resource_version:
        raise DecodeError("bookmark: metadata.resourceVersion: a text is needed")
    end = meta.annotations is not None and meta.annotations.initial_events_end == "true"
    return Bookmark(meta.resource_version, initial_events_end=end)


def decode_failure(raw: bytes) -> Failure:
    """Read the object of an ERROR event, or the body of a refused request.

    Raises:
        DecodeError: it is not a metav1.Status; a proxy, for one, answers with HTML.
    """
    try:
        status = _status.decode(raw)
    except MALFORMED as error:
        raise DecodeError(f"status: {error}") from error
    retry_after = (status.details.retry_after if status.details else 0) or 0
    return Failure(status.code or 0, status.reason or "", status.message or "", retry_after)
