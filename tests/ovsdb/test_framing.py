"""How a stream of bytes becomes messages."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqosd.ovsdb.framing import Framer, FramingError, decode, decode_envelope, decode_updates

TRICKY = st.text(alphabet='{}[]",:\\ \né€😀a', max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=12,
)
MESSAGES = st.lists(st.dictionaries(TRICKY, VALUES, max_size=4), max_size=4)
GAPS = st.sampled_from([b"", b" ", b"\n", b"\r\n\t"])


def text_of(message: object, *, ascii_only: bool) -> bytes:
    """Write a message as JSON, with escapes for everything beyond ASCII or with none."""
    return json.dumps(message, ensure_ascii=ascii_only).encode()


@given(MESSAGES, st.booleans(), GAPS, st.data())
def test_messages_survive_any_cuts(messages: list[object], ascii_only: bool, gap: bytes, data: st.DataObject) -> None:  # noqa: FBT001
    """Whatever the strings hold and wherever reads cut the stream, the same messages come out, as soon as they end."""
    stream = b"".join(text_of(message, ascii_only=ascii_only) + gap for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    framer, found = Framer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += framer.feed(stream[start:end])
    assert [decode(message) for message in found] == messages


@given(MESSAGES, st.booleans())
def test_messages_survive_byte_by_byte(messages: list[object], ascii_only: bool) -> None:  # noqa: FBT001
    """Cut at every byte, inside characters and escapes too, each message comes with its last byte."""
    framer = Framer()
    for message in messages:
        text = text_of(message, ascii_only=ascii_only)
        found = [framer.feed(text[i : i + 1]) for i in range(len(text))]
        assert found[:-1] == [[]] * (len(text) - 1)
        assert [decode(each) for each in found[-1]] == [message]


def test_several_messages_come_in_one_read() -> None:
    """Messages without any separator are told apart, and the beginning of the next one is kept."""
    framer = Framer()
    assert framer.feed(b'{"a":"}{"}{"b":{}}{"c"') == [b'{"a":"}{"}', b'{"b":{}}']
    assert framer.feed(b":1}") == [b'{"c":1}']


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n", b"[1]", b'{"a":x}', b'{"a":1}}{', b'{"a":1,}'])
def test_garbage_is_refused(garbage: bytes) -> None:
    """What can't become a sequence of JSON objects is an error, not a wait for more."""
    framer = Framer()
    with pytest.raises(FramingError):
        framer.feed(garbage + b"{}")


def test_bytes_that_are_no_text_are_refused() -> None:
    """A message that isn't UTF-8 is an error when it is decoded."""
    (message,) = Framer().feed(b'{"a":"\xff"}')
    with pytest.raises(FramingError, match="not JSON"):
        decode(message)


@given(st.dictionaries(TRICKY, st.dictionaries(TRICKY, st.dictionaries(TRICKY, VALUES, max_size=2), max_size=3)))
def test_heavy_updates_are_decoded_row_by_row(updates: dict[str, dict[str, dict[str, object]]]) -> None:
    """An update that is left undecoded because of its size gives the same rows as one that was decoded at once."""
    notification = text_of({"method": "update3", "params": [["x"], "1", updates], "id": None}, ascii_only=False)
    reply = text_of({"id": 3, "result": [False, "1", updates], "error": None}, ascii_only=False)
    heavy, light = decode_envelope(notification, 0), decode_envelope(reply, 1 << 20)
    assert light == {"id": 3, "result": [False, "1", updates]}
    params = heavy["params"]
    assert isinstance(params, list)
    assert isinstance(params[2], msgspec.Raw)
    assert list(decode_updates(params[2])) == list(decode_updates(updates))


@pytest.mark.parametrize(
    "message",
    [
        {"id": 3, "result": {"QoS": {"1": {"initial": {}}}}},
        {"id": 3, "result": [{"rows": [{"name": "a"}]}, None, {"count": 1}]},
        {"method": "update2", "params": ["x", {"Database": {"1": {"modify": {}}}}]},
    ],
)
def test_other_heavy_messages_are_decoded_whole(message: dict[str, object]) -> None:
    """Answers to other requests, and updates of the server's own state, come decoded whatever their size."""
    assert decode_envelope(text_of(message, ascii_only=False), 0) == message


@pytest.mark.parametrize("text", [b'{"id":1,"result":[1}', b'{"method":2,"params":[]}', b'{"params":{}}'])
def test_a_heavy_message_of_the_wrong_form_is_refused(text: bytes) -> None:
    """A long message that is no JSON-RPC is an error."""
    with pytest.raises(FramingError):
        decode_envelope(text, 0)


def test_a_heavy_update_of_the_wrong_form_is_refused() -> None:
    """A long update whose rows aren't objects is an error."""
    with pytest.raises(FramingError):
        list(decode_updates(msgspec.Raw(b'{"QoS":{"1":7}}')))
