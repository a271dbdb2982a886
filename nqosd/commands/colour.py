"""Colour on terminals: a few lines in place of a library, since two commands colour whole lines or words.

In: text. Out: the same text, between escape sequences if the reader can make use of them. Rule: a pipe, a dumb terminal
and NO_COLOR (set to anything but nothing, as no-color.org asks) get plain text.
"""

import os
from enum import Enum
from typing import TextIO

import attrs


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

    @classmethod
    def of(cls, stream: TextIO) -> "Painter":
        """Find out whether a stream can show colours."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(not plain and stream.isatty())

    def __call__(self, text: str, hue: Hue) -> str:
        """Colour a text."""
        return f"\x1b[{hue.value}m{text}\x1b[0m" if self.is_on else text
