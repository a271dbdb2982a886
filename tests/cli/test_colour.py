"""Colour is for terminals."""

import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from nqosd.commands.colour import Hue, Painter


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """Give a terminal that can show colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        yield stream
    os.close(leader)


def test_a_terminal_gets_colours(terminal: TextIO) -> None:
    """Text for a terminal stands between escape sequences."""
    paint = Painter.of(terminal)
    assert paint.shown(f"it {paint('wins', Hue.GREEN)}") == "it \x1b[32mwins\x1b[0m"


def test_a_pipe_gets_plain_text() -> None:
    """Text for anything else stays as it is."""
    assert Painter.of(io.StringIO())("wins", Hue.GREEN) == "wins"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none(terminal: TextIO, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """NO_COLOR, and a terminal that can't, get plain text."""
    monkeypatch.setenv(name, value)
    assert Painter.of(terminal)("wins", Hue.GREEN) == "wins"


def test_no_color_that_is_empty(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty NO_COLOR counts as not set."""
    monkeypatch.setenv("NO_COLOR", "")
    assert Painter.of(terminal).is_on


def test_escape_sequences_of_a_text_are_shown(terminal: TextIO) -> None:
    """Only the painter colours: what a text holds of that kind is printed as what it is, in colour or not."""
    hostile = "\x1b[31mred\x1b[0m \x9b2J \u202eevil \ud800 \U000e0001 \n fake line"
    plain = r"\u001b[31mred\u001b[0m \u009b2J \u202eevil \ud800 \udb40\udc01 \u000a fake line"
    paint = Painter.of(terminal)
    assert paint.shown(paint(hostile, Hue.RED) + hostile) == f"\x1b[31m{plain}\x1b[0m{plain}"
    assert Painter.of(io.StringIO()).shown(hostile) == plain
