"""Matches as people read them: prefixes as the block that they come from and its exceptions, and no line too long.

In: a match, and whether `--wide` asks for it as it is. Out: text. Rule: it is for the eye only; JSON and commands have
the match that OVN gets.
"""

import argparse
import shutil
import sys
from collections.abc import Callable

from nqosd.explain.prefix_lists import folded

LEAST = 20
"""Characters of a match that are shown on the narrowest terminal."""


def width(options: argparse.Namespace) -> int | None:
    """Give how long a line may be; None for as long as it is."""
    return None if options.wide or not sys.stdout.isatty() else shutil.get_terminal_size().columns


def shown(options: argparse.Namespace, before: int = 0) -> Callable[[str], str]:
    """Give what shows a match after so many characters of its line."""
    if options.wide:
        return str
    room = width(options)
    return lambda match: cut(folded(match), None if room is None else max(room - before, LEAST))


def cut(line: str, room: int | None) -> str:
    """Cut a line to so many characters."""
    return line if room is None or len(line) <= room else f"{line[: room - 1]}…"
