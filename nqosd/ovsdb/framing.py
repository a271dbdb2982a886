"""JSON-RPC messages out of a stream of bytes, and back into bytes.

In: bytes as they come from the socket, cut anywhere. Out: whole messages as bytes, each one JSON object, and their
decoded form. The rule: a message ends where the text so far is one whole JSON value; no JSON object is the beginning of
another one, so that place is never wrong, whatever the strings inside contain.

OVSDB puts no separator between messages. Only a `}` that another message or nothing follows can be an end, and msgspec
tells in a pass over the bytes whether the value before it is whole, or where the first of several ends. There is one
such pass for each message and at most one more for each read, whatever the strings inside contain. Measured on a
message of 16 MB with a million addresses: 15 ms to find the end and 62 ms to decode (the standard json module: 103 ms;
python-ovs's own parser, written in Python: over 6 s).
"""

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import msgspec

MESSAGE_LIMIT = 1 << 30
"""Bytes; a message beyond it is taken for garbage rather than collected for ever."""

_BEGINNING = re.compile(rb"[ \t\r\n]*\{")
_NOTHING = re.compile(rb"[ \t\r\n]*\Z")
_MAY_END = re.compile(rb"\}[ \t\r\n]*(?:\{|\Z)")
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")


_TOO_DEEP = "a message is nested too deeply"


class FramingError(Exception):
    """The stream isn't a sequence of JSON objects: the connection is of no more use."""


class Framer:
    """Cuts a stream into messages; `feed` returns those that became whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun to come and isn't whole yet."""
        return _BEGINNING.match(self._buffer) is not None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the messages that end in them, oldest first.

        Raises:
            FramingError: what came is not JSON, not an object, nested too deeply, or too long.
        """
        start, looked_at = 0, len(self._buffer)  # no message ends before the latter
        self._buffer += data
        messages: list[bytes] = []
        while (end := self._end(start, looked_at)) is not None:
            messages.append(bytes(memoryview(self._buffer)[start:end]))
            start = looked_at = end
        del self._buffer[:start]
        if len(self._buffer) > MESSAGE_LIMIT:
            raise FramingError(f"a message is longer than {MESSAGE_LIMIT} bytes")
        return messages

    def _end(self, start: int, looked_at: int) -> int | None:
        """Return where the message that starts there ends, if it is whole."""
        if not _BEGINNING.match(self._buffer, start):
            if _NOTHING.match(self._buffer, start):
                return None
            begin = bytes(self._buffer[start : start + 40])
            raise FramingError(f"a message begins with {begin!r}, which is no JSON object")
        if not _MAY_END.search(self._buffer, looked_at):
            return None
        with memoryview(self._buffer) as view, view[start:] as text:
            length = _length(text)
        return None if length is None else start + length


def _length(text: memoryview) -> int | None:
    """Return the length of the value that the text begins with, if it is whole."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        if trailing := _TRAILING.search(str(error)):
            return int(trailing[1]) - 1
        if "truncated" in str(error):
            return None
        raise FramingError(f"a message is not JSON: {error}") from None
    except RecursionError:
        raise FramingError(_TOO_DEEP) from None
    return len(text)


_NULL = msgspec.Raw(b"null")

_ROWS_OF_UPDATE = 2
"""The place of the rows in the arguments of `update3` and in the result of `monitor_cond_since`."""


class _Envelope(msgspec.Struct):
    """A JSON-RPC message whose contents haven't been looked at."""

    id: object = None
    method: str | None = None
    params: list[msgspec.Raw] | None = None
    result: msgspec.Raw = _NULL
    error: object = None


def decode(message: bytes | msgspec.Raw) -> object:
    """Return what a message, or a part of one, says.

    Raises:
        FramingError: it is not JSON, or not in UTF-8.
    """
    try:
        return msgspec.json.decode(message)
    except ValueError as error:  # msgspec's own errors and UnicodeDecodeError
        raise FramingError(f"a message is not JSON: {error}") from None
    except RecursionError:
        raise FramingError(_TOO_DEEP) from None


def decode_envelope(message: bytes, light: int) -> dict[str, object]:
    """Return what a message says, but leave the rows of an update, or of a monitor's first answer, as they came.

    They are decoded later (`decode_updates`), a row at a time, so that no single step keeps all other threads waiting.
    Rows of at most `light` bytes in all are decoded at once.

    Raises:
        FramingError: it is not a JSON-RPC message.
    """
    try:
        found = msgspec.json.decode(message, type=_Envelope)
        parts: dict[str, object] = {"id": found.id, "method": found.method, "error": found.error}
        if found.params is not None:
            rows = _ROWS_OF_UPDATE if found.method == "update3" else None
            parts["params"] = [_decode_unless(place == rows, each, light) for place, each in enumerate(found.params)]
        if found.result != _NULL:
            parts["result"] = _decode_result(found.result, light)
    except ValueError as error:
        raise FramingError(f"a message is not JSON-RPC: {error}") from None
    except RecursionError:
        raise FramingError(_TOO_DEEP) from None
    return {name: part for name, part in parts.items() if part is not None}


def _decode_result(result: msgspec.Raw, light: int) -> object:
    """Decode a result; only that of `monitor_cond_since` is a list that begins with a truth value."""
    text = memoryview(result)
    if bytes(text[:5]) not in (b"[true", b"[fals"):
        return msgspec.json.decode(result)
    parts = msgspec.json.decode(result, type=list[msgspec.Raw])
    return [_decode_unless(place == _ROWS_OF_UPDATE, each, light) for place, each in enumerate(parts)]


def _decode_unless(holds_rows: bool, part: msgspec.Raw, light: int) -> object:  # noqa: FBT001 (computed for each part)
    return part if holds_rows and memoryview(part).nbytes > light else msgspec.json.decode(part)


def decode_updates(updates: object) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Yield (table, uuid of the row, what happened to it) for each row of a `<table-updates2>`, decoded or not.

    Raises:
        FramingError: it doesn't have that form.
    """
    if not isinstance(updates, msgspec.Raw):
        for table, rows in _members(updates):
            for row, happened in _members(rows):
                yield table, row, cast("Mapping[str, object]", happened)
        return
    try:
        for table, raw_rows in msgspec.json.decode(updates, type=dict[str, dict[str, msgspec.Raw]]).items():
            for row, raw in raw_rows.items():
                yield table, row, msgspec.json.decode(raw, type=dict[str, object])
    except ValueError as error:
        raise FramingError(f"an update is not of the right form: {error}") from None
    except RecursionError:
        raise FramingError(_TOO_DEEP) from None


def _members(value: object) -> Iterable[tuple[str, object]]:
    if not isinstance(value, dict):
        raise FramingError(f"an update is not of the right form: {reprlib.repr(value)} stands for an object")
    return value.items()


def encode(message: object) -> bytes:
    """Return a message as bytes."""
    return msgspec.json.encode(message)
