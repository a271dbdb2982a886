"""Text as roff source for a man page.

In: plain text with `code` in backticks. Out: lines of the macro package man(7). Rule: no character of the text is taken
for a request or an escape.
"""

import re
import textwrap
from collections.abc import Iterable

WIDTH = 68
"""Characters of a line of source; escapes make it longer."""


def title(name: str, section: int, version: str) -> list[str]:
    """Open a page; it bears no date, so that the same source gives the same page."""
    return [
        '.\\" Written by tools.docs.generate: change the code that it is made from, then run `make reference`.',
        f'.TH "{name.upper()}" "{section}" "" "nqosd {version}" "nqosd"',
        ".nh",
    ]


def heading(text: str) -> list[str]:
    """Open a section."""
    return [f'.SH "{escaped(text)}"']


def subheading(text: str) -> list[str]:
    """Open a subsection."""
    return [f'.SS "{escaped(text)}"']


def paragraph(text: str) -> list[str]:
    """Write a paragraph."""
    return [".PP", *filled(text)]


def item(term: str, *texts: str) -> list[str]:
    """Write an entry of a list of terms; each text is a paragraph of it."""
    lines = [".TP", f"\\fB{escaped(term)}\\fR"]
    for number, text in enumerate(texts):
        lines += [*([".IP"] if number else []), *filled(text)]
    return lines


def literal(lines: Iterable[str]) -> list[str]:
    """Write lines as they are."""
    return [".PP", ".in +4n", ".EX", *(_line(escaped(line)) for line in lines), ".EE", ".in"]


def filled(text: str) -> list[str]:
    """Break a text into lines of source; what stands in backticks is bold."""
    wrapped = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    marked = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escaped("\n".join(wrapped)))
    return [_line(line) for line in marked.splitlines()]


def escaped(text: str) -> str:
    """Escape what roff would interpret; a hyphen stays one that can be searched for and copied."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")


def _line(line: str) -> str:
    """Protect a line that begins like a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
