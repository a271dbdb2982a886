"""The few messages of OpenFlow 1.3 that ask a bridge for its counters, as bytes to send and bytes that came.

In: cookies; bytes of answers. Out: requests; `AnswerPart`s. Rule: no I/O here. Sizes and places are
those of the OpenFlow Switch Specification 1.3.5, sections 7.2 and 7.3.5; both Open vSwitch 3.1 and 3.5 answer so.
"""

import struct
from collections.abc import Iterator

import msgspec

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, MULTIPART_REQUEST, MULTIPART_REPLY = 0, 1, 2, 3, 18, 19

_VERSION = 4
_FLOW, _METER, _METER_FEATURES = 1, 9, 11
_MORE = 1
_ANY = 0xFFFFFFFF
_ALL_TABLES = 0xFF
_METER_INSTRUCTION = 6
_EXACT = (1 << 64) - 1
_NANO = 1e-9

_HEADER = struct.Struct("!BBHI")
_MULTIPART = struct.Struct("!HH4x")
_FLOW_REQUEST = struct.Struct("!B3xII4xQQHH4x")
_METER_REQUEST = struct.Struct("!I4x")
_FLOW_STATS = struct.Struct("!HBxIIHHHH4xQQQHH")
_METER_STATS = struct.Struct("!IH6xIQQII")
_BAND_STATS = struct.Struct("!QQ")
_INSTRUCTION = struct.Struct("!HH")
_METER_ID = struct.Struct("!I")
_VERSIONS = struct.Struct("!HHI")
_MATCH_AT = _FLOW_STATS.size - 4


class OpenFlowError(Exception):
    """What came isn't OpenFlow 1.3, or the bridge refuses the question."""


class FlowCounts(msgspec.Struct, frozen=True):
    """A flow's counters. `place`: what tells it from all other flows of the bridge; `age` in seconds; meter 0: none."""

    place: tuple[int, int, bytes]
    cookie: int
    meter: int
    packets: int
    bytes: int
    age: float


class MeterCounts(msgspec.Struct, frozen=True):
    """A meter's counters: what came to it, and what of that it dropped; `age` in seconds."""

    number: int
    packets: int
    bytes: int
    dropped_packets: int
    dropped_bytes: int
    age: float


class AnswerPart(msgspec.Struct, frozen=True):
    """A part of an answer: flows, meters, or how many meters the bridge can have; and whether more parts follow."""

    flows: tuple[FlowCounts, ...] = ()
    meters: tuple[MeterCounts, ...] = ()
    meter_limit: int | None = None
    goes_on: bool = False


class Message(msgspec.Struct, frozen=True):
    """A message without its header."""

    kind: int
    transaction: int
    body: bytes


def hello() -> bytes:
    """Begin: both sides say their highest version, and go on with the lower one."""
    return _message(HELLO, 0, b"")


def check_hello(message: Message) -> None:
    """See that the bridge speaks our version: it may list its versions as bits, and else speaks all up to its own.

    Raises:
        OpenFlowError: it doesn't.
    """
    if len(message.body) < _VERSIONS.size:
        return
    element, _length, versions = _VERSIONS.unpack_from(message.body)
    if element == 1 and not versions & 1 << _VERSION:
        raise OpenFlowError("the bridge doesn't speak OpenFlow 1.3: ovs-vsctl add bridge br-int protocols OpenFlow13")


def echo_reply(request: Message) -> bytes:
    """Answer a sign of life."""
    return _message(ECHO_REPLY, request.transaction, request.body)


def flows_request(transaction: int, cookie: int) -> bytes:
    """Ask for the flows that have a cookie, in all tables."""
    body = _FLOW_REQUEST.pack(_ALL_TABLES, _ANY, _ANY, cookie, _EXACT, 1, 4)  # the last two: an empty OXM match
    return _message(MULTIPART_REQUEST, transaction, _MULTIPART.pack(_FLOW, 0) + body)


def meters_request(transaction: int) -> bytes:
    """Ask for all meters."""
    return _message(MULTIPART_REQUEST, transaction, _MULTIPART.pack(_METER, 0) + _METER_REQUEST.pack(_ANY))


def meter_features_request(transaction: int) -> bytes:
    """Ask how many meters there can be."""
    return _message(MULTIPART_REQUEST, transaction, _MULTIPART.pack(_METER_FEATURES, 0))


def take_messages(buffer: bytearray) -> Iterator[Message]:
    """Take whole messages off the beginning of what has come.

    Raises:
        OpenFlowError: it isn't OpenFlow, or the bridge speaks no version 1.3.
    """
    while len(buffer) >= _HEADER.size:
        version, kind, length, transaction = _HEADER.unpack_from(buffer)
        if length < _HEADER.size or (version != _VERSION and kind != HELLO):
            raise OpenFlowError(f"what came is no message of OpenFlow 1.3: version {version}, type {kind}")
        if version < _VERSION:
            raise OpenFlowError(f"the bridge speaks OpenFlow of wire version {version} at most, 4 (1.3) is needed")
        if len(buffer) < length:
            return
        body = bytes(buffer[_HEADER.size : length])
        del buffer[:length]
        yield Message(kind, transaction, body)


def read_answer(message: Message) -> AnswerPart:
    """Read a part of an answer.

    Raises:
        OpenFlowError: the bridge refuses, or the answer is of another kind.
    """
    if message.kind == ERROR:
        kind, code = struct.unpack_from("!HH", message.body)
        raise OpenFlowError(f"the bridge refuses to show its counters: error type {kind}, code {code}")
    if message.kind != MULTIPART_REPLY:
        raise OpenFlowError(f"the bridge answers with a message of type {message.kind}")
    try:
        about, flags = _MULTIPART.unpack_from(message.body)
        content, goes_on = message.body[_MULTIPART.size :], bool(flags & _MORE)
        if about == _FLOW:
            return AnswerPart(flows=tuple(_flows(content)), goes_on=goes_on)
        if about == _METER:
            return AnswerPart(meters=tuple(_meters(content)), goes_on=goes_on)
        return AnswerPart(meter_limit=_METER_ID.unpack_from(content)[0], goes_on=goes_on)
    except struct.error as error:
        raise OpenFlowError(f"an answer of the bridge is cut off: {error}") from error


def _message(kind: int, transaction: int, body: bytes) -> bytes:
    return _HEADER.pack(_VERSION, kind, _HEADER.size + len(body), transaction) + body


def _flows(content: bytes) -> Iterator[FlowCounts]:
    at = 0
    while at < len(content):
        found = _FLOW_STATS.unpack_from(content, at)
        length, table, seconds, nanoseconds, priority, _idle, _hard, _flags, cookie, packets, size, _, match = found
        begin = at + _MATCH_AT
        instructions = begin + (match + 7) // 8 * 8
        yield FlowCounts(
            place=(table, priority, content[begin + 4 : begin + match]),
            cookie=cookie,
            meter=_meter(content[instructions : at + length]),
            packets=packets,
            bytes=size,
            age=seconds + nanoseconds * _NANO,
        )
        at += max(length, _FLOW_STATS.size)


def _meter(instructions: bytes) -> int:
    at = 0
    while at < len(instructions):
        kind, length = _INSTRUCTION.unpack_from(instructions, at)
        if kind == _METER_INSTRUCTION:
            return int(_METER_ID.unpack_from(instructions, at + _INSTRUCTION.size)[0])
        at += max(length, _INSTRUCTION.size)
    return 0


def _meters(content: bytes) -> Iterator[MeterCounts]:
    at = 0
    while at < len(content):
        number, length, _flows_of, packets, size, seconds, nanoseconds = _METER_STATS.unpack_from(content, at)
        bands = [
            _BAND_STATS.unpack_from(content, place)
            for place in range(at + _METER_STATS.size, at + length, _BAND_STATS.size)
        ]
        yield MeterCounts(
            number=number,
            packets=packets,
            bytes=size,
            dropped_packets=sum(dropped for dropped, _ in bands),
            dropped_bytes=sum(dropped for _, dropped in bands),
            age=seconds + nanoseconds * _NANO,
        )
        at += max(length, _METER_STATS.size)
