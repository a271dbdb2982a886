"""What commands print: lines on standard output, complaints on standard error.

In: text, with line feeds where lines end. Out: the same lines, in which nothing acts on a terminal. Rule: no command
prints in another way, but for `Painter` in `nqosd.commands.colour`, which adds colours.
"""

import sys

from nqosd.api.text import visible


def lines_of(text: str) -> str:
    """Give a text of several lines as it can be printed."""
    return "\n".join(map(visible, text.split("\n")))


def say(text: str) -> None:
    """Print what the command has to say."""
    print(lines_of(text), flush=True)


def complain(text: object) -> None:
    """Print what went wrong."""
    print(lines_of(str(text)), file=sys.stderr)
