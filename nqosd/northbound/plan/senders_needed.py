"""Whether a row does nothing while some sets are empty, whatever its match has become.

In: a match in OVN's expression language, as it stands in the database, where anybody may have edited it. Out: whether
each packet that it matches comes from one of the sets. Rule: what can't be read is taken for a match of everything.
"""

import functools
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

_SYMBOL = re.compile(r'"(?:[^"\\]|\\.)*"|\|\||&&|[()!]|[^\s"()!&|]+|.', re.DOTALL)
_SOURCE = re.compile(r"(?:ip[46]\.src|inport) == [$@](\S+)")
_MOST = 20
"""Parentheses within each other that are read; the compiler writes three."""


@functools.lru_cache(maxsize=2048)
def needs_senders(match: str, sets: frozenset[str]) -> bool:
    """Say whether a packet must come from a member of one of these sets to be matched.

    Remembered, since rows may come to wait again and again with the one pod that sends.
    """
    symbols = (found for each in _SYMBOL.finditer(match) if not (found := each[0]).isspace())
    try:
        needed, end = _alternatives(symbols, sets, _MOST)
    except ValueError:
        return False
    return needed and not end


def _alternatives(symbols: Iterator[str], sets: AbstractSet[str], depth: int) -> tuple[bool, str]:
    """Read alternatives up to the symbol that ends them; all of them must need a sender."""
    if not depth:
        raise ValueError("too many parentheses")
    all_need = True
    while True:
        needs, end = _conditions(symbols, sets, depth)
        all_need = all_need and needs
        if end != "||":
            return all_need, end


def _conditions(symbols: Iterator[str], sets: AbstractSet[str], depth: int) -> tuple[bool, str]:
    """Read conditions up to the symbol that ends them; one of them must need a sender."""
    needed = False
    words: list[str] = []
    for symbol in symbols:
        if symbol == "(":
            inner, end = _alternatives(symbols, sets, depth - 1)
            if end != ")":
                raise ValueError("a parenthesis is not closed")
            needed = needed or (inner and not words)  # after a `!` it says the opposite
            words.append("()")
        elif symbol in ("&&", "||", ")"):
            needed = needed or _is_source(words, sets)
            if symbol != "&&":
                return needed, symbol
            words = []
        else:
            words.append(symbol)
    return needed or _is_source(words, sets), ""


def _is_source(words: list[str], sets: AbstractSet[str]) -> bool:
    found = _SOURCE.fullmatch(" ".join(words))
    return found is not None and found[1] in sets
