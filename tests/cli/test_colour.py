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
    assert Painter.of(terminal)("wins", Hue.GREEN) == "\x1b[32mwins\x1b[0m"


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
