"""TOML text in, a document out, whatever the text holds.

In: text. Out: a document, or a `TomlError` with the line to look at. Rule: what the standard library's parser can't
take, and doesn't call a mistake of the text, is one too: a number of 5,000 digits, a thousand lists in each other, and
keys of so many parts that it would take all memory, since that grows with the square of their number.
"""

import bisect
import re
import tomllib
from typing import cast

from nqosd.config import positions

MOST_PARTS = 20
"""Parts of a key."""


class TomlError(Exception):
    """The text can't be read; the message says why, and what to do."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read(text: str) -> dict[str, object]:
    """Read a text.

    Raises:
        TomlError: it is not TOML, or beyond the parser.
    """
    for line, parts in positions.dotted(text):
        if parts > MOST_PARTS:
            raise TomlError(line, f"has a key or a number of more than {MOST_PARTS} parts; an option's has two")
    try:
        return cast("dict[str, object]", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (?P<line>\d+), column \d+\)$", str(error))
        line = int(found["line"]) if found else text.count("\n") + 1
        raise TomlError(line, f"is not TOML: {error}") from error
    except RecursionError as error:
        raise TomlError(_first_beyond(text), "is nested too deeply; no option needs more than a list") from error
    except ValueError as error:
        raise TomlError(_first_beyond(text), f"is not TOML: {error}; write a shorter value") from error


def _first_beyond(text: str) -> int:
    """Find the line with which a text begins to be beyond the parser; whatever stands before it is TOML."""
    ends = [match.end() for match in re.finditer(r"\n|\Z", text)]

    def is_beyond(end: int) -> bool:
        try:
            tomllib.loads(text[:end])
        except tomllib.TOMLDecodeError:  # such as a list that ends in a later line
            return False
        except (ValueError, RecursionError):
            return True
        return False

    return bisect.bisect_left(ends, x=True, key=is_beyond) + 1
