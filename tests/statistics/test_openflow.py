"""Answers of real bridges are read right: what Open vSwitch 3.1 and 3.5 sent, held against what ovs-ofctl said then.

`recorded/answers-….bin` are the bytes that br-int of a node sent when asked for the flows of the guide's rule and for
all meters, and `recorded/ofctl-….txt` what ovs-ofctl printed of the same in the next moment, without traffic between.
"""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqosd.statistics import openflow
from nqosd.statistics.openflow import AnswerPart, FlowCounts, Message, MeterCounts, OpenFlowError

RECORDED = Path(__file__).parent / "recorded"
SERIES = ("23.03", "25.03")


def parts(series: str, size: int = 1 << 20) -> list[Message]:
    """Read the messages of a recording that arrives in pieces of some size."""
    content = (RECORDED / f"answers-{series}.bin").read_bytes()
    buffer, found = bytearray(), []
    for at in range(0, len(content), size):
        buffer += content[at : at + size]
        found += list(openflow.take_messages(buffer))
    assert not buffer
    return found


def answers(series: str) -> tuple[list[FlowCounts], list[MeterCounts]]:
    """Read all flows and meters of a recording."""
    flows, meters = list[FlowCounts](), list[MeterCounts]()
    for message in parts(series):
        if message.kind != openflow.HELLO:
            part = openflow.read_answer(message)
            flows += part.flows
            meters += part.meters
    return flows, meters


def printed(series: str, pattern: str) -> list[tuple[int, ...]]:
    """Read numbers from the lines that ovs-ofctl printed."""
    found = re.findall(pattern, (RECORDED / f"ofctl-{series}.txt").read_text())
    return sorted(tuple(int(each, 0) for each in line) for line in found)


@pytest.mark.parametrize("series", SERIES)
def test_flows_are_those_that_ofctl_shows(series: str) -> None:
    """Cookie, table, packets, bytes and priority of every flow are the same."""
    wanted = printed(series, r"cookie=(\w+),.* table=(\d+), n_packets=(\d+), n_bytes=(\d+),.* priority=(\d+)")
    flows, _ = answers(series)
    assert sorted((each.cookie, each.place[0], each.packets, each.bytes, each.place[1]) for each in flows) == wanted
    assert sum(each.packets for each in flows) > 20_000
    assert len({each.place for each in flows}) == len(flows)
    assert all(0 < each.age < 60 for each in flows)


@pytest.mark.parametrize("series", SERIES)
def test_a_flow_names_its_meter(series: str) -> None:
    """The meter of each flow is the one that ovs-ofctl shows among its actions."""
    wanted = printed(series, r"cookie=(\w+),.* actions=meter:(\d+)")
    flows, _ = answers(series)
    assert sorted((each.cookie, each.meter) for each in flows if each.meter) == wanted
    assert wanted


@pytest.mark.parametrize("series", SERIES)
def test_meters_are_those_that_ofctl_shows(series: str) -> None:
    """What came to each meter and what it dropped are the same."""
    band = r"meter:(\d+) .*packet_in_count:(\d+) byte_in_count:(\d+) .*\n0: packet_count:(\d+) byte_count:(\d+)"
    _, meters = answers(series)
    found = [(each.number, each.packets, each.bytes, each.dropped_packets, each.dropped_bytes) for each in meters]
    assert sorted(found) == printed(series, band)
    assert sum(each.dropped_packets for each in meters) > 10_000


@given(st.sampled_from(SERIES), st.integers(1, 5000))
def test_messages_may_arrive_in_any_pieces(series: str, size: int) -> None:
    """However the stream is cut, the messages are the same."""
    assert parts(series, size) == parts(series)


def test_an_answer_in_parts_says_so() -> None:
    """All parts of an answer but the last announce more."""
    more = struct.pack("!HH4x", 1, 1)
    assert openflow.read_answer(Message(openflow.MULTIPART_REPLY, 2, more)) == AnswerPart(goes_on=True)
    last = struct.pack("!HH4x", 1, 0)
    assert openflow.read_answer(Message(openflow.MULTIPART_REPLY, 2, last)) == AnswerPart()


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (Message(openflow.ERROR, 2, struct.pack("!HH", 1, 2)), "error type 1, code 2"),
        (Message(6, 2, b""), "a message of type 6"),
        (Message(openflow.MULTIPART_REPLY, 2, struct.pack("!HH4xH", 1, 0, 56)), "cut off"),
    ],
)
def test_a_refusal_is_an_error(message: Message, told: str) -> None:
    """An error, another kind of message and a truncated one are told as such."""
    with pytest.raises(OpenFlowError, match=told):
        openflow.read_answer(message)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"HTTP/1.1 400 Bad Request\r\n", "no message of OpenFlow"), (b"\1\0\0\x08\0\0\0\0", "wire version 1 at most")],
)
def test_another_protocol_is_an_error(content: bytes, told: str) -> None:
    """What isn't OpenFlow, or an OpenFlow that is too old, is told as such."""
    with pytest.raises(OpenFlowError, match=told):
        list(openflow.take_messages(bytearray(content)))


@pytest.mark.parametrize("series", SERIES)
def test_versions_are_compared(series: str) -> None:
    """A real bridge says hello with 1.3 among its versions; one without it is refused with the cure."""
    (hello,) = [each for each in parts(series) if each.kind == openflow.HELLO]
    openflow.check_hello(hello)
    with pytest.raises(OpenFlowError, match="add bridge br-int protocols OpenFlow13"):
        openflow.check_hello(Message(openflow.HELLO, 0, struct.pack("!HHI", 1, 8, 1 << 6)))
