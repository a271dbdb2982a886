"""Parsed OVN match expressions, and what they say about a packet.

In: nodes from the parser, then address sets and port groups. Out: a test of packets. The rules: references are looked
up before any packet is seen, so an undefined one is an error even where it would never be reached; a comparison implies
its field's prerequisite, whichever way it turns out and however it is negated.

Source: ovn-sb(5), Logical_Flow, column match: "Prerequisites", "Relational operators", "Constants".
"""

import operator
from collections.abc import Callable, Mapping

import attrs

from tests.oracle.match_symbols import Field, Predicate, Test
from tests.oracle.match_tokens import Constant, MatchSyntaxError
from tests.oracle.packet import Packet

NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_ORDER: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@attrs.frozen
class Reference:
    """A mention of an address set (`$`) or a port group (`@`)."""

    sign: str
    name: str


Value = Constant | str | Reference


@attrs.frozen
class Definitions:
    """What references stand for: the addresses of each address set, the logical ports of each port group."""

    address_sets: Mapping[str, tuple[Constant, ...]]
    port_groups: Mapping[str, tuple[str, ...]]

    def values(self, value: Value) -> tuple[Constant | str, ...]:
        """The constants that one operand means."""
        if not isinstance(value, Reference):
            return (value,)
        known: Mapping[str, tuple[Constant | str, ...]] = self.address_sets if value.sign == "$" else self.port_groups
        if value.name not in known:
            kind = "address set" if value.sign == "$" else "port group"
            raise MatchSyntaxError(f"{value.sign}{value.name}: there is no such {kind}")
        return known[value.name]


@attrs.frozen
class Comparison:
    """A field against constants: `==` is true where any is equal, `!=` where all differ."""

    field: Field
    relation: str
    values: tuple[Value, ...]

    def negated(self) -> "Comparison":
        """The opposite comparison; the prerequisite stays."""
        return attrs.evolve(self, relation=NEGATED[self.relation])

    def bind(self, definitions: Definitions) -> Test:
        """Look up references and check types."""
        constants = [found for value in self.values for found in definitions.values(value)]
        if not constants:  # OVN makes this a plain truth value, without the prerequisite
            verdict = self.relation == "!="
            return lambda _: verdict
        read = self.field.read
        if self.field.width == 0:
            names = frozenset(_string(self.field, constant) for constant in constants)
            equal: Test = lambda packet: read(packet) in names  # noqa: E731 -- the three tests stand side by side
        elif self.relation in _ORDER:
            compare, bound = _ORDER[self.relation], _integer(self.field, constants[0]).value
            equal = lambda packet: compare(_number(read(packet)), bound)  # noqa: E731
        else:
            integers = [_integer(self.field, constant) for constant in constants]
            exact = frozenset(constant.value for constant in integers if constant.mask is None)
            masked = tuple((constant.value, constant.mask) for constant in integers if constant.mask is not None)

            def equal(packet: Packet) -> bool:
                number = _number(read(packet))
                return number in exact or any(number & mask == value for value, mask in masked)

        prerequisite, sought = self.field.prerequisite, self.relation != "!="
        return lambda packet: prerequisite(packet) and equal(packet) == sought


@attrs.frozen
class Ask:
    """A predicate. Only the parser knows that it is asked positively."""

    predicate: Predicate

    def negated(self) -> "Ask":
        """Stay: the parser has already refused a predicate that is asked negatively."""
        return self

    def bind(self, definitions: Definitions) -> Test:
        """Nothing to look up."""
        del definitions
        return self.predicate.holds


@attrs.frozen
class Truth:
    """The literals 1 and 0."""

    value: bool

    def negated(self) -> "Truth":
        """The other one."""
        return Truth(not self.value)

    def bind(self, definitions: Definitions) -> Test:
        """Nothing to look up."""
        del definitions
        value = self.value
        return lambda _: value


@attrs.frozen
class Both:
    """`&&` (`every`) or `||` (not `every`) of two or more terms."""

    every: bool
    terms: tuple["Node", ...]

    def negated(self) -> "Both":
        """De Morgan's law, down to the comparisons: so OVN does it, before it adds prerequisites."""
        return Both(not self.every, tuple(term.negated() for term in self.terms))

    def bind(self, definitions: Definitions) -> Test:
        """Bind every term, also those that would never be reached."""
        tests = tuple(term.bind(definitions) for term in self.terms)
        if self.every:
            return lambda packet: all(test(packet) for test in tests)
        return lambda packet: any(test(packet) for test in tests)


Node = Comparison | Ask | Truth | Both


def _integer(field: Field, constant: Constant | str) -> Constant:
    if isinstance(constant, str):
        raise MatchSyntaxError(f"{field.name}: an integer field is not compatible with the string {constant!r}")
    if constant.width > field.width:
        raise MatchSyntaxError(
            f"{field.name}: the {constant.width}-bit constant {constant.text} is not compatible with {field.width} bits"
        )
    return constant


def _string(field: Field, constant: Constant | str) -> str:
    if isinstance(constant, Constant):
        raise MatchSyntaxError(f"{field.name}: a string field is not compatible with the integer {constant.text}")
    return constant


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r}: a field was read in a packet that doesn't have it")
    return value
