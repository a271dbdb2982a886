"""An evaluator of OVN match expressions.

In: the text of a match, address sets, port groups, a packet. Out: whether it matches. The rule: it accepts nothing that
OVN refuses. (It refuses a little that OVN accepts: see `match_tokens.py` and `match_symbols.py`.)

Source: ovn-sb(5), Logical_Flow, column match. In short: `&&` and `||` need parentheses when used together, `!` needs
them around a comparison; `field == {a, b}` is true where any is equal, `field != {a, b}` where all differ; a nominal
field or predicate can only be asked positively, counting enclosing `!`; a range is `80 <= tcp.dst <= 90`.
"""

from collections.abc import Iterable, Mapping

import attrs

from tests.oracle.match_nodes import Ask, Both, Comparison, Definitions, Node, Reference, Truth, Value
from tests.oracle.match_symbols import SYMBOLS, Field, Predicate, Test
from tests.oracle.match_tokens import Constant, Kind, MatchSyntaxError, StricterError, Token, read_constant, tokens
from tests.oracle.packet import Packet

__all__ = ["Expression", "MatchSyntaxError", "define", "parse"]

_RELATIONS = ("==", "!=", "<", "<=", ">", ">=")
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ZERO = Constant("0", 0, None, 0)
_DEEPEST = 100


@attrs.frozen
class Expression:
    """A match that parses."""

    text: str
    node: Node

    def bind(self, definitions: Definitions) -> Test:
        """Look up address sets and port groups once, for many packets.

        Raises:
            MatchSyntaxError: a reference is undefined, or stands for constants that don't go with the field.
        """
        try:
            return self.node.bind(definitions)
        except MatchSyntaxError as error:
            raise type(error)(f"match {self.text!r}: {error}") from error

    def evaluate(
        self, packet: Packet, address_sets: Mapping[str, Iterable[str]], port_groups: Mapping[str, Iterable[str]]
    ) -> bool:
        """Whether a packet matches.

        Raises:
            MatchSyntaxError: as `bind`.
        """
        return self.bind(define(address_sets, port_groups))(packet)


def define(address_sets: Mapping[str, Iterable[str]], port_groups: Mapping[str, Iterable[str]]) -> Definitions:
    """Read address sets and port groups.

    Raises:
        MatchSyntaxError: a member of a set isn't an address. (OVN warns, and leaves it out.)
    """
    return Definitions(
        {name: tuple(map(read_constant, addresses)) for name, addresses in address_sets.items()},
        {name: tuple(ports) for name, ports in port_groups.items()},
    )


def parse(text: str) -> Expression:
    """Parse a match.

    Raises:
        MatchSyntaxError: it isn't one.
    """
    parser = _Parser(text)
    node = parser.expression()
    if parser.next.kind != "end":
        raise parser.error(f"nothing may follow, but {parser.next.text!r} does")
    return Expression(text, node)


class _Parser:
    """A recursive descent parser; `next` is the token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._negative = False  # within an odd number of !
        self._depth = 0
        self.next = next(self._tokens)

    def error(self, message: str) -> MatchSyntaxError:
        return MatchSyntaxError(f"match {self._text!r}: {message}")

    def _take(self) -> Token:
        taken = self.next
        if taken.kind != "end":
            self.next = next(self._tokens)
        return taken

    def _ahead(self, *symbols: str, kind: Kind = "symbol") -> bool:
        return self.next.kind == kind and (not symbols or self.next.text in symbols)

    def _skip(self, symbol: str) -> bool:
        found = self._ahead(symbol)
        if found:
            self._take()
        return found

    def expression(self) -> Node:
        terms = [self._term()]
        joint = self.next.text if self._ahead("&&", "||") else None
        while joint is not None and self._skip(joint):
            terms.append(self._term())
        if self._ahead("&&", "||"):
            raise self.error("&& and || must be parenthesized when used together")
        return terms[0] if len(terms) == 1 else Both(joint == "&&", tuple(terms))

    def _term(self) -> Node:
        if not self._skip("!"):
            return self._primary()[0]
        self._negative = not self._negative
        node, atomic = self._primary()
        self._negative = not self._negative
        if not atomic:
            raise self.error("! needs parentheses around its operand")
        return node.negated()

    def _primary(self) -> tuple[Node, bool]:
        """A primary, and whether `!` may stand before it without parentheses."""
        if self._skip("("):
            return self._group(), True
        if self.next.kind == "name":
            symbol = self._symbol()
            if self._ahead(*_RELATIONS):
                relation = self._take().text
                return self._comparison(symbol, relation, *self._operand()), False
            return self._mention(symbol), True
        values, braces = self._operand()
        if not braces and not self._ahead(*_RELATIONS) and (truth := _truth(values)) is not None:
            return truth, True
        first = self._relation()
        symbol = self._symbol()
        left = self._comparison(symbol, _TURNED[first], values, braces)
        if not self._ahead(*_RELATIONS):
            return left, False
        second = self._relation()
        if not ({first, second} <= {"<", "<="} or {first, second} <= {">", ">="}):
            raise self.error(f"{first} {symbol.name} {second} is not a range")
        return Both(every=True, terms=(left, self._comparison(symbol, second, *self._operand()))), False

    def _group(self) -> Node:
        if self._depth == _DEEPEST:
            raise self.error(f"parentheses are nested more than {_DEEPEST} deep")
        self._depth += 1
        node = self.expression()
        self._depth -= 1
        if not self._skip(")"):
            raise self.error(f"`)' must stand where {self.next.text!r} does")
        return node

    def _relation(self) -> str:
        if not self._ahead(*_RELATIONS):
            raise self.error(f"a relational operator must stand where {self.next.text!r} does")
        return self._take().text

    def _symbol(self) -> Field | Predicate:
        token = self._take()
        if token.kind != "name" or token.text not in SYMBOLS:
            raise self.error(f"{token.text!r} is not a field")
        return SYMBOLS[token.text]

    def _mention(self, symbol: Field | Predicate) -> Node:
        """A symbol without a comparison: a predicate, or within ! a field that is to be zero."""
        if isinstance(symbol, Field) and symbol.width == 0:
            raise self.error(f"{symbol.name} must be compared")
        if isinstance(symbol, Field) and not self._negative:
            raise self.error(f"{symbol.name} must be compared with 0 explicitly")
        return self._comparison(symbol, "!=", (_ZERO,), braces=False)

    def _operand(self) -> tuple[tuple[Value, ...], bool]:
        """A constant, a reference, or several in braces."""
        if not self._skip("{"):
            return (self._value(),), False
        values = [self._value()]
        self._skip(",")
        while not self._skip("}"):
            values.append(self._value())
            self._skip(",")
        strings = {isinstance(value, str) or (isinstance(value, Reference) and value.sign == "@") for value in values}
        if len(strings) > 1:
            raise self.error("integers and strings are mixed in one set")
        return tuple(values), True

    def _value(self) -> Value:
        token = self._take()
        if token.constant is not None:
            return token.constant
        if token.kind == "string":
            return token.text
        if token.kind in ("$", "@"):
            return Reference(token.kind, token.text)
        raise self.error(f"a constant must stand where {token.text!r} does")

    def _comparison(self, symbol: Field | Predicate, relation: str, values: tuple[Value, ...], braces: bool) -> Node:  # noqa: FBT001 -- comes from _operand as a pair
        if relation not in ("==", "!="):
            if braces or isinstance(symbol, Predicate) or symbol.nominal:
                raise self.error(f"only == and != go with {'sets' if braces else symbol.name}")
            if not isinstance(values[0], Constant):
                raise StricterError(f"match {self._text!r}: {relation} goes with a plain number only")
            if values[0].mask is not None:
                raise self.error(f"{relation} doesn't go with a masked constant")
        if isinstance(symbol, Predicate):
            return self._asked(symbol, relation, values)
        if symbol.nominal and (relation == "==") == self._negative:
            raise self.error(f"nominal {symbol.name} may only be tested for equality, counting enclosing !")
        for value in values:
            string = isinstance(value, str) or (isinstance(value, Reference) and value.sign == "@")
            if string != (symbol.width == 0):
                raise self.error(f"{symbol.name} is not compatible with {value}")
        comparison = Comparison(symbol, relation, values)
        if all(not isinstance(value, Reference) for value in values):
            comparison.bind(Definitions({}, {}))  # widths are known now: complain now
        return comparison

    def _asked(self, predicate: Predicate, relation: str, values: tuple[Value, ...]) -> Node:
        for value in values:
            if not isinstance(value, Constant) or value.mask is not None or value.value > 1:
                raise self.error(f"predicate {predicate.name} can only be compared with 1 or 0")
            if not (value.value == 1) ^ (relation == "!=") ^ self._negative:
                raise self.error(f"nominal predicate {predicate.name} may only be tested positively")
        return Ask(predicate)


def _truth(values: tuple[Value, ...]) -> Truth | None:
    value = values[0]
    return Truth(value.value == 1) if isinstance(value, Constant) and value.text in ("0", "1") else None
