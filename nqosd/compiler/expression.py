"""OVN match expressions: a tree with one canonical text for each meaning that the compiler builds.

In: terms joined by `all_of` and `any_of`. Out: text in the expression language of ovn-sb(5). Rule: equal trees print
equally, whatever the order of construction; nothing is printed that OVN's parser refuses: `&&` and `||` never stand
side by side without parentheses, an empty disjunction is not an expression at all (`NOTHING`, never printed), and a
text of some object is one token: it comes in through `string` alone.
"""

import json
from collections.abc import Iterable
from functools import cached_property
from typing import TypeAlias

import attrs
import msgspec


class Term(msgspec.Struct, frozen=True, cache_hash=True):
    """A test that stands alone: `ip4`, `tcp.dst == 80`, `ip4.src == $set`."""

    text: str

    def __str__(self) -> str:
        return self.text


class AllOf(msgspec.Struct, frozen=True, cache_hash=True):
    """All parts hold; none at all is always true and must not be printed alone."""

    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        return " && ".join([_bracketed(part, AnyOf) for part in self.parts])


@attrs.frozen(cache_hash=True)
class AnyOf:
    """Any part holds; none at all never does."""

    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        """Kept, since it is a part of thousands of rows: the ports of a rule, and the sets of the pods it selects."""
        return " || ".join(_bracketed(part, AllOf) for part in self.parts)


Expression: TypeAlias = Term | AllOf | AnyOf

ALWAYS: Expression = AllOf(())
NOTHING: Expression = AnyOf(())


def all_of(parts: Iterable[Expression]) -> Expression:
    """Join by `&&`: flattens, keeps the given order, and is `NOTHING` if any part is."""
    flat: dict[Expression, None] = {}
    for part in parts:
        if part == NOTHING:
            return NOTHING
        flat |= dict.fromkeys(part.parts if isinstance(part, AllOf) else (part,))
    return next(iter(flat)) if len(flat) == 1 else AllOf(tuple(flat))


def closed(expression: Expression) -> Expression:
    """Give an expression as one part, to stand beside `&&`: on hundreds of switches it is printed once."""
    return expression if expression in (ALWAYS, NOTHING) else Term(_bracketed(expression, AnyOf))


def beside(first: Expression, rest: Expression) -> Expression:
    """Join a test of who sends and a `closed` rest by `&&`: they have no part in common."""
    return AllOf((first, rest)) if isinstance(rest, Term) and isinstance(first, Term) else all_of((first, rest))


def any_of(parts: Iterable[Expression]) -> Expression:
    """Join by `||`: flattens, keeps the given order, and is `ALWAYS` if any part is."""
    flat: dict[Expression, None] = {}
    for part in parts:
        if part == ALWAYS:
            return ALWAYS
        flat |= dict.fromkeys(part.parts if isinstance(part, AnyOf) else (part,))
    return next(iter(flat)) if len(flat) == 1 else AnyOf(tuple(flat))


def equals(field: str, values: Iterable[str]) -> Expression:
    """Test a field against constants, any of which may be equal; no constants: `NOTHING`."""
    constants = tuple(values)
    if not constants:
        return NOTHING
    return Term(f"{field} == {constants[0]}" if len(constants) == 1 else f"{field} == {{{', '.join(constants)}}}")


def string(text: str) -> str:
    """Write a text as one string constant, which OVN's lexer reads as JSON; nothing in it is syntax."""
    return json.dumps(text)


def between(field: str, low: int, high: int) -> Expression:
    """Test a field against a range, both ends included."""
    return Term(f"{low} <= {field} <= {high}")


def _bracketed(part: Expression, mixing: type[AllOf | AnyOf]) -> str:
    return f"({part})" if isinstance(part, mixing) else str(part)
