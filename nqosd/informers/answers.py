"""From the bytes of an API server's answers to what they say of one resource.

In: bodies with status 200, lines of streams, refusals. Out: objects, bookmarks, failures. Rule: what doesn't say that
it is of the resource, and which object of the kind's scope it is at which version, is a `DecodeError`, never an object
or the lack of one.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

import msgspec

from nqosd.api.decoding import (
    Bookmark,
    DecodeError,
    Failure,
    ObjectList,
    check_type,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_list,
)
from nqosd.api.decoding.metadata import identify
from nqosd.informers.resources import AnyDecoded, Resource
from nqosd.informers.transitions import RequestOutcome

BLAMES_REQUEST = (400, 405, 406, 415, 422)
GONE = 410
EXCERPT = 200
"""How many characters of an unexpected answer a message shows."""
_UNTYPED = b'{"metadata":'
"""How an item of a list begins that leaves its type to the list."""


class ObjectEvent(msgspec.Struct, frozen=True):
    """An object that is there, or has gone."""

    decoded: AnyDecoded
    is_there: bool


Event: TypeAlias = ObjectEvent | Bookmark | Failure
Page: TypeAlias = tuple[ObjectList, list[AnyDecoded]]
Answer = TypeVar("Answer", Event, Page)


class ReadAhead(Generic[Answer]):
    """What lines or pages say, or why they say nothing: read before it is asked for, as in another thread."""

    def __init__(self, read: Callable[[bytes, Resource], Answer], texts: Iterable[bytes], resource: Resource) -> None:
        self._found: dict[bytes, Answer | DecodeError] = {}
        for text in texts:
            try:
                self._found[text] = read(text, resource)
            except DecodeError as error:
                self._found[text] = error

    def __call__(self, text: bytes, _resource: Resource) -> Answer:
        """Give what was read.

        Raises:
            DecodeError: what reading it has raised.
        """
        found = self._found[text]
        if isinstance(found, DecodeError):
            raise found
        return found


def read_page(body: bytes, resource: Resource) -> Page:
    """Read a page of a list and its objects.

    Raises:
        DecodeError: it is no list of this resource, or holds something else.
    """
    page = decode_list(body, resource.api_version, resource.kind, may_be_partial=resource.only_metadata)
    return page, [_decode(item, resource, may_be_untyped=True) for item in page.items]


def read_event(line: bytes, resource: Resource) -> Event:
    """Read a line of a stream.

    Raises:
        DecodeError: it is no event, or its object is not of this resource.
    """
    event = decode_event(line)
    match event.type:
        case "ADDED" | "MODIFIED" | "DELETED":
            decoded = _decode(event.object, resource, may_be_untyped=False)
            return ObjectEvent(decoded, is_there=event.type != "DELETED")
        case "BOOKMARK":
            _check(event.object, resource)
            return decode_bookmark(event.object)
        case "ERROR":
            try:
                return decode_failure(event.object)
            except DecodeError:
                return Failure(message=excerpt(event.object))
        case _:
            raise DecodeError(f"watch event of unknown type {event.type!r}")


def read_failure(failure: Failure) -> tuple[RequestOutcome, str]:
    """Say what an ERROR event comes to, in a word and in a sentence."""
    is_expired = failure.code == GONE or failure.reason == "Expired"
    return RequestOutcome.EXPIRED if is_expired else RequestOutcome.ERROR, f"{failure.code} {failure.message}".strip()


def read_refusal(status: int, body: bytes) -> tuple[RequestOutcome, str]:
    """Say what an answer with another status than 200 comes to, in a word and in a sentence."""
    try:
        message = decode_failure(body).message
    except DecodeError:
        message = excerpt(body)
    if status == GONE:
        outcome = RequestOutcome.EXPIRED
    else:
        outcome = RequestOutcome.UNSUPPORTED if status in BLAMES_REQUEST else RequestOutcome.REFUSED
    return outcome, f"{status} {message}".strip()


def excerpt(body: bytes) -> str:
    """Give the beginning of an answer, to show it."""
    return bytes(memoryview(body)[:EXCERPT]).decode(errors="replace")


def _decode(raw: bytes, resource: Resource, *, may_be_untyped: bool) -> AnyDecoded:
    if not (may_be_untyped and bytes(memoryview(raw)[: len(_UNTYPED)]) == _UNTYPED):
        _check(raw, resource)
    decoded = resource.decode(raw)
    key = decoded.value.key
    if not decoded.resource_version:
        raise DecodeError(f"{resource.kind} {key}: metadata.resourceVersion: a text is needed")
    namespace = key.rpartition("/")[0] if resource.namespaced else identify(resource.kind, raw).namespace
    if resource.namespaced and not namespace:
        raise DecodeError(f"{resource.kind} {key}: metadata.namespace: a text is needed")
    if namespace and not resource.namespaced:
        raise DecodeError(f"{resource.kind} {key}: metadata.namespace: {namespace!r}, where this kind has none")
    return decoded


def _check(raw: bytes, resource: Resource) -> None:
    check_type(raw, resource.api_version, resource.kind, may_be_partial=resource.only_metadata)
