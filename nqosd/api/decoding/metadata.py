"""What all kinds share: the metadata of an object, its labels, and what is known of an object that doesn't decode.

Rule: equal labels are one mapping in memory. Most pods of a workload carry the same labels, so a cluster of 100,000
pods holds some thousand mappings.
"""

import contextlib
import functools
import re
from datetime import UTC, datetime
from sys import intern
from typing import Generic, TypeVar

import msgspec

from nqosd.api.labels import Labels
from nqosd.api.validation.fields import quoted

T_co = TypeVar("T_co", covariant=True)

MALFORMED = (ValueError, RecursionError)
"""What msgspec raises for bad input: its own errors and UnicodeDecodeError are ValueErrors; too deep is the other."""
TOO_DEEP = "more lists and objects within each other than can be read; no object needs so many"

SHARED = 1024
"""Bytes of labels, in JSON, that are remembered; the longest that anybody writes are some hundred."""

_TIME_LENGTH = 20
"""Of a time in UTC to the second, which is taken as it is; most are."""

_TYPE = "(str|int|float|bool|array|object|null)"
_EXPECTED = re.compile(rf"Expected `{_TYPE}(?: \| null)?`, got `{_TYPE}`")
_TYPES = {
    "str": "a string",
    "int": "a number",
    "float": "a number",
    "bool": "a boolean",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_INDEX = re.compile(r"\[(\d+)\]")
_ENDS = re.compile(r"[.\[]")

NOTHING = msgspec.Raw(b"null")
"""A part that is absent; in Kubernetes that is the same as null."""


class DecodeError(ValueError):
    """Some bytes are no object with a name: names the kind and what was there instead."""


class Decoded(msgspec.Struct, Generic[T_co], frozen=True):
    """An object and the resource version under which a watch can go on after it (empty in a manifest)."""

    resource_version: str
    value: T_co


class Identity(msgspec.Struct, frozen=True):
    """What can be told of an object that doesn't decode; `labels` is empty where they are the part that doesn't."""

    namespace: str
    name: str
    resource_version: str
    labels: Labels


class Metadata(msgspec.Struct, gc=False, rename={"resource_version": "resourceVersion"}):
    """The metadata that every kind needs; kinds that read annotations or owners extend it."""

    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = None
    labels: msgspec.Raw = NOTHING


class _RawObject(msgspec.Struct, gc=False):
    metadata: msgspec.Raw = NOTHING


class _RawMetadata(msgspec.Struct, gc=False, rename={"resource_version": "resourceVersion"}):
    name: msgspec.Raw = NOTHING
    namespace: msgspec.Raw = NOTHING
    resource_version: msgspec.Raw = NOTHING
    labels: msgspec.Raw = NOTHING


_raw_object = msgspec.json.Decoder(_RawObject)
_raw_metadata = msgspec.json.Decoder(_RawMetadata)
_text = msgspec.json.Decoder(str)
_labels = msgspec.json.Decoder(dict[str, str] | None)


def named(meta: Metadata) -> str:
    """Give the object's name.

    Raises:
        ValueError: it has none.
    """
    if not meta.name:
        raise ValueError("metadata.name: a text is needed")
    return meta.name


def namespaced(meta: Metadata) -> str:
    """Give the object's namespace, interned.

    Raises:
        ValueError: it has none, which only a manifest can bring about.
    """
    if not meta.namespace:
        raise ValueError("metadata.namespace: a text is needed")
    return intern(meta.namespace)


def read_time(text: str | None) -> str:
    """Read RFC 3339, and write it as an API server does: in UTC, to the second, so that times compare as texts.

    Empty where it is no time.
    """
    try:
        time = datetime.fromisoformat(text or "")
        if time.tzinfo is UTC and len(text or "") == _TIME_LENGTH:
            return intern(text or "")
        if time.tzinfo is not None:
            return f"{time.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()}Z"
    except (ValueError, OverflowError):
        pass
    return ""


def shared_labels(raw: msgspec.Raw) -> Labels:
    """Decode labels into a mapping that equal labels share, unless they are long; it must not be changed.

    Raises:
        ValueError: they are not a map of texts.
    """
    text = bytes(raw)
    if len(text) > SHARED:
        return _read_labels(text)  # to share texts takes twice as long as to read them
    return _shared_labels(text)


def _read_labels(raw: bytes) -> dict[str, str]:
    try:
        return _labels.decode(raw) or {}
    except msgspec.ValidationError as error:
        text, _, place = f"{error}".partition(" - at `$")
        raise ValueError(f"{text} - at `$.metadata.labels{place or '`'}") from error


# Lists come sorted by name, so the pods of a workload come one after the other. What users write at any length must not
# be remembered: of the labels that an object doesn't have any more there would be as many as of those that it has.
@functools.lru_cache(maxsize=4096)
def _shared_labels(raw: bytes) -> Labels:
    return {intern(key): intern(value) for key, value in _read_labels(raw).items()}


def identify(kind: str, raw: bytes) -> Identity:
    """Find out which object this is, though some part of it doesn't decode.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        parts = _raw_metadata.decode(_raw_object.decode(raw).metadata)
    except msgspec.ValidationError as error:
        raise DecodeError(f"{kind}: {error}; an object with metadata is needed") from error
    except MALFORMED as error:
        raise DecodeError(f"{kind}: not JSON: {error}") from error
    namespace = _text_or_empty(parts.namespace)
    name = _text_or_empty(parts.name)
    if not name:
        raise DecodeError(f"{kind}{f' in namespace {namespace}' if namespace else ''}: metadata.name: a text is needed")
    try:
        labels = shared_labels(parts.labels)
    except MALFORMED:
        labels = {}
    return Identity(intern(namespace), name, _text_or_empty(parts.resource_version), labels)


def _text_or_empty(raw: msgspec.Raw) -> str:
    try:
        return _text.decode(raw)
    except MALFORMED:
        return ""


def locate(error: ValueError | RecursionError) -> tuple[str, str]:
    """Tell the field that doesn't decode, as a path (empty where it isn't known), from what is wrong with it."""
    if isinstance(error, RecursionError):
        return "", TOO_DEEP
    text, marker, path = f"{error}".rpartition(" - at `$")
    return (path.rstrip("`").lstrip("."), text) if marker else ("", f"{error}")


def explain(error: ValueError | RecursionError, raw: bytes | msgspec.Raw) -> str:
    """Say what in some JSON doesn't decode, the field's path first: `spec.nodeName: 5 is a number, not a string`."""
    field, text = locate(error)
    if found := _EXPECTED.fullmatch(text):
        wanted, got = _TYPES[found[1]], _TYPES[found[2]]
        value = None
        with contextlib.suppress(*MALFORMED):  # what follows the wrong value may be no JSON at all
            value = _at(msgspec.json.decode(raw), field)
        is_shown = isinstance(value, str | int | float)
        text = f"{quoted(value)} is {got}, not {wanted}" if is_shown else f"{got} is not {wanted}"
    return ": ".join(filter(None, (field, text)))


def _at(value: object, path: str) -> object:
    """Give what stands at a path; None if the path doesn't say so."""
    while path:
        if isinstance(value, list) and (index := _INDEX.match(path)):
            value, path = value[int(index[1])], path[index.end() :]
        elif isinstance(value, dict):
            ends = (*(f"{path[: each.start()]}" for each in _ENDS.finditer(path)), path)
            key = next((each for each in reversed(ends) if each in value), None)
            if key is None:
                return None
            value, path = value[key], path[len(key) :]
        else:
            return None
        path = path.removeprefix(".")
    return value
