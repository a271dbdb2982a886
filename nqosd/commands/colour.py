"""Colour on terminals: a few lines in place of a library, since two commands colour whole lines or words.

In: text. Out: the same text, between escape sequences if the reader can make use of them. Rules: a pipe, a dumb
terminal and NO_COLOR (set to anything but nothing, as no-color.org asks) get plain text; nobody but this module writes
escape sequences: those in a text are shown as what they are.
"""

import os
import secrets
from enum import Enum
from typing import TextIO

import attrs

from nqosd.api.text import visible
from nqosd.commands.output import write


class Hue(Enum):
    """The colours in use, by their numbers in ECMA-48."""

    RED = 31
    GREEN = 32
    CYAN = 36
    BOLD = 1
    DIM = 2


@attrs.frozen
class Painter:
    """Colours text, or leaves it as it is."""

    is_on: bool = False
    _mark: str = attrs.field(factory=lambda: secrets.token_hex(8), repr=False)
    """What stands for the beginning of an escape sequence until a line is printed; nobody can have foreseen it."""

    @classmethod
    def of(cls, stream: TextIO) -> "Painter":
        """Find out whether a stream can show colours."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(not plain and stream.isatty())

    def __call__(self, text: str, hue: Hue) -> str:
        """Colour a text; `shown` makes it one that can be printed."""
        return f"{self._mark}{hue.value}m{text}{self._mark}0m" if self.is_on else text

    def shown(self, line: str) -> str:
        """Give a line, of which parts may have been coloured, as it can be printed."""
        return visible(line).replace(self._mark, "\x1b[")

    def say(self, *lines: str, before: str = "") -> None:
        """Print lines; `before` is printed as it is."""
        write(before + "".join(f"{self.shown(line)}\n" for line in lines))
