"""The options of the daemon as documentation: read once, written as a page and as a man page.

In: `config/nqosd.toml`, whose prose a test holds against the code, and the option classes. Out: sections with entries.
Rule: nothing is said here that the operator's file doesn't say; only the layout is added.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from nqosd.config.options import RELOADABLE, SECTIONS

FILE = Path(__file__).parents[2] / "config" / "nqosd.toml"
OPTION = re.compile(r"^#([a-z_]+) = (.*)$")


@attrs.frozen
class Entry:
    """Options that the file explains together, most often one: names with their defaults as TOML, and the prose."""

    defaults: tuple[tuple[str, str], ...]
    text: str
    reloadable: bool


@attrs.frozen
class Section:
    """A section of the file: its name, what it is about, its options."""

    name: str
    meaning: str
    entries: tuple[Entry, ...]


def introduction() -> tuple[str, ...]:
    """Give the paragraphs at the top of the file, without its title."""
    top = FILE.read_text().partition("\n[")[0]
    return tuple(_prose(each) for each in top.strip().split("\n#\n")[1:])


def sections() -> Iterator[Section]:
    """Give every section in the file's order."""
    for part in re.split(r"^\[", FILE.read_text(), flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("]\n")
        kind = SECTIONS[name]
        meaning = (inspect.getdoc(kind) or "").partition("`: ")[2]
        entries = tuple(_entry(kind, paragraph) for paragraph in body.strip().split("\n\n"))
        yield Section(name, meaning[:1].upper() + meaning[1:], entries)


def _entry(kind: type[attrs.AttrsInstance], paragraph: str) -> Entry:
    found = [OPTION.match(line) for line in paragraph.splitlines()]
    defaults = tuple((each[1], each[2]) for each in found if each)
    reloadable = attrs.fields_dict(kind)[defaults[0][0]].metadata[RELOADABLE]
    prose = "\n".join(line for line in paragraph.splitlines() if not OPTION.match(line))
    return Entry(defaults, _prose(prose).replace(" [reload]", ""), reloadable)


def _prose(comment: str) -> str:
    """Join the lines of a comment into one."""
    return " ".join(line.removeprefix("#").strip() for line in comment.splitlines())
