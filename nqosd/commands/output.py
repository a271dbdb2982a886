"""What commands print: documents and lines on standard output, complaints on standard error.

In: text, with line feeds where lines end, or a document. Out: the same lines, in which nothing acts on a terminal.
Rules: no command prints in another way, but for `Painter` in `nqosd.commands.colour`, which adds colours; an output
that takes nothing more ends the command. Complaints that nobody takes are lost: the exit code is the same.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from nqosd.api.text import visible
from nqosd.commands.exits import CommandError


class OutputError(CommandError):
    """Standard output takes nothing more; the message says why."""


def lines_of(text: str) -> str:
    """Give a text of several lines as it can be printed."""
    return "\n".join(map(visible, text.split("\n")))


def say(text: str) -> None:
    """Print what the command has to say."""
    write(f"{lines_of(text)}\n")


def show(document: object, *, one_line: bool = False) -> None:
    """Print a document as JSON; values may be in it as they are."""
    from msgspec.structs import asdict  # noqa: PLC0415 - it takes time, which `nqosd --help` hasn't

    say(json.dumps(document, indent=None if one_line else 2, ensure_ascii=False, default=asdict))


def write(text: str) -> None:
    """Put a text as it is on standard output.

    Raises:
        OutputError: the pipe is closed, or the disk full.
    """
    try:
        print(text, end="", flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more when it ends
        raise OutputError(f"standard output can't be written: {error.strerror}") from error


def complain(text: object) -> None:
    """Print what went wrong."""
    write_complaint(f"{lines_of(str(text))}\n")


def write_complaint(text: str) -> None:
    """Put a text as it is on standard error, if that takes it."""
    with contextlib.suppress(OSError):
        print(text, end="", file=sys.stderr, flush=True)


def have_standard_error() -> None:
    """Open standard error where it is closed: Python's own libraries would write to standard output in its place."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays open
