"""JSON-RPC messages out of a stream of bytes, and back into bytes.

In: bytes as they come from the socket, cut anywhere. Out: whole messages as bytes, each one JSON object, and their
decoded form. The rule: a message ends where the text so far is one whole JSON value; no JSON object is the beginning of
another one, so that place is never wrong, whatever the strings inside contain.

OVSDB puts no separator between messages. Only a `}` that another message or nothing follows can be an end, and msgspec
tells in a pass over the bytes whether the value before it is whole. Measured on a message of 16 MB with a million
addresses: 15 ms to find the end and 62 ms to decode (the standard json module: 103 ms; python-ovs's own parser, written
in Python: over 6 s).
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

import msgspec

MESSAGE_LIMIT = 1 << 30
"""Bytes; a message beyond it is taken for garbage rather than collected for ever."""

_Tables: TypeAlias = Mapping[str, Mapping[str, Mapping[str, object]]]

_BEGINNING = re.compile(rb"[ \t\r\n]*\{")
_BOUNDARY = re.compile(rb"\}[ \t\r\n]*\{")
_SPACE = b" \t\r\n"


class FramingError(Exception):
    """The stream isn't a sequence of JSON objects: the connection is of no more use."""


class Framer:
    """Cuts a stream into messages; `feed` returns those that became whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # no message ends before this place

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the messages that end in them, oldest first.

        Raises:
            FramingError: what came is not JSON, not an object, or too long.
        """
        self._buffer += data
        messages: list[bytes] = []
        while (end := self._end()) is not None:
            with memoryview(self._buffer) as view:
                messages.append(bytes(view[:end]))
            del self._buffer[:end]
            self._searched = 0
        if len(self._buffer) > MESSAGE_LIMIT:
            raise FramingError(f"a message is longer than {MESSAGE_LIMIT} bytes")
        return messages

    def _end(self) -> int | None:
        """Return the length of the first message, if it is whole."""
        last = self._last_character()
        if last < 0:
            return None
        if not _BEGINNING.match(self._buffer):
            raise FramingError(f"a message begins with {bytes(self._buffer[:40])!r}, which is no JSON object")
        while found := _BOUNDARY.search(self._buffer, self._searched):
            self._searched = found.start() + 1
            if self._is_whole(self._searched):
                return self._searched
        if self._buffer[last] == ord("}") and last >= self._searched and self._is_whole(last + 1):
            return last + 1
        self._searched = max(self._searched, last + 1)
        return None

    def _last_character(self) -> int:
        """Return the place of the last byte that isn't white space, or -1."""
        place = len(self._buffer) - 1
        while place >= 0 and self._buffer[place] in _SPACE:
            place -= 1
        return place

    def _is_whole(self, end: int) -> bool:
        with memoryview(self._buffer) as view, view[:end] as text:
            try:
                msgspec.json.decode(text, type=msgspec.Raw)
            except msgspec.DecodeError as error:
                if "truncated" in str(error):
                    return False
                raise FramingError(f"a message is not JSON: {error}") from None
        return True


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
        for table, rows in cast("_Tables", updates).items():
            for row, happened in rows.items():
                yield table, row, happened
        return
    try:
        for table, raw_rows in msgspec.json.decode(updates, type=dict[str, dict[str, msgspec.Raw]]).items():
            for row, raw in raw_rows.items():
                yield table, row, msgspec.json.decode(raw, type=dict[str, object])
    except ValueError as error:
        raise FramingError(f"an update is not of the right form: {error}") from None


def encode(message: object) -> bytes:
    """Return a message as bytes."""
    return msgspec.json.encode(message)
