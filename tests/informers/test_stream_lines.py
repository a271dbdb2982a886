"""Cutting a stream into lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqosd.informers.stream_lines import LineSplitter, LineTooLongError


@given(
    lines=st.lists(st.binary(min_size=1).map(lambda line: line.replace(b"\n", b"."))),
    rest=st.binary().map(lambda line: line.replace(b"\n", b".")),
    data=st.data(),
)
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], rest: bytes, data: st.DataObject) -> None:
    """Every complete line comes out once, in order, and what has no line feed doesn't come out."""
    stream = b"".join(line + b"\n" for line in lines) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    splitter = LineSplitter()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += splitter.feed(stream[start:end])
    assert found == lines


def test_a_line_longer_than_any_buffer_is_one_line() -> None:
    """A line of several MiB in small pieces comes out whole."""
    splitter = LineSplitter()
    piece = b"x" * 65_536
    assert [splitter.feed(piece) for _ in range(64)] == [[]] * 64
    assert splitter.feed(b"\n") == [piece * 64]


def test_empty_lines_are_no_events() -> None:
    """A keepalive of line feeds gives nothing."""
    assert LineSplitter().feed(b"\n\na\n\n") == [b"a"]


def test_a_line_without_end_is_refused() -> None:
    """What isn't an API server can't fill the memory."""
    splitter = LineSplitter(max_line=10)
    splitter.feed(b"12345678")
    with pytest.raises(LineTooLongError, match="more than 10 bytes"):
        splitter.feed(b"90a")
