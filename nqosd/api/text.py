"""Texts for people: whatever an object holds is shown as what it is, and never acts on the reader's terminal.

In: any text, any list of texts. Out: one line of it that can be printed, and a list that can be read. Rule: everything
that reaches a terminal goes through `visible`, every list that a user can make long through `shortened`.
"""

from collections.abc import Iterable

_BASIC = 0x10000


def visible(text: str) -> str:
    r"""Write control characters, line ends, bidi marks and all else that isn't printable as JSON does: `\u001b`."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(ord(each)) for each in text)


def _escaped(code: int) -> str:
    if code < _BASIC:
        return f"\\u{code:04x}"
    high, low = divmod(code - _BASIC, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


MOST = 20
"""How many texts of a list a person is told."""


def shortened(texts: Iterable[str]) -> tuple[str, ...]:
    """Keep the first texts of a list, and say how many were left out."""
    every = tuple(texts)
    left = len(every) - MOST
    return every if left <= 0 else (*every[:MOST], f"and {left} more")
