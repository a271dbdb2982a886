"""The tokens of OVN match expressions.

In: the text of a match. Out: tokens, with constants already read as integers. The rule: what OVN's lexer refuses, this
one refuses.

Source: ovn-sb(5), Logical_Flow, column match, "Constants". Left out, as nqosd never writes them: comments and subfields
(`[0..7]`); they are errors here.
"""

import json
import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal

import attrs

Kind = Literal["integer", "string", "name", "$", "@", "symbol", "end"]


class MatchSyntaxError(ValueError):
    """A match that OVN would refuse: bad syntax, bad types, or an address set or port group that doesn't exist."""


class StricterError(MatchSyntaxError):
    """A match that some OVN would take, and that this evaluator refuses all the same: nqosd must not write it."""


@attrs.frozen
class Constant:
    """An integer constant.

    Args:
        text: as it was written
        value: as an integer
        mask: the bits that count, None for all of the field's
        width: the bits that it needs: 32 for an IPv4 address, 128 for an IPv6 address, else those of the number or mask
    """

    text: str
    value: int
    mask: int | None
    width: int


@attrs.frozen
class Token:
    """A token: its kind, its text (a string's content; a set's or group's name without the sign), a constant."""

    kind: Kind
    text: str
    constant: Constant | None = None


_TOKEN = re.compile(
    r"""
    \s*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<integer>(?:[0-9]|::|[0-9a-fA-F]+:)[0-9A-Za-z:]*(?:\.[0-9A-Za-z]+)*(?:/[0-9A-Za-z:]+(?:\.[0-9A-Za-z]+)*)?)
    | \$(?P<set>[A-Za-z_.][A-Za-z0-9_.]*)
    | @(?P<group>[A-Za-z_.][A-Za-z0-9_.]*)
    | (?P<name>[A-Za-z_.][A-Za-z0-9_.]*)
    | (?P<symbol>&&|\|\||==|!=|<=|>=|[<>!(){},])
    | (?P<end>\Z)
    )
    """,
    re.VERBOSE,
)
_DECIMAL = re.compile(r"0|[1-9][0-9]*")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,32}")
_ETHERNET = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")


def tokens(match: str) -> Iterator[Token]:
    """Split a match into tokens; the last one is of kind `end`."""
    position = 0
    while True:
        found = _TOKEN.match(match, position)
        if found is None:
            raise MatchSyntaxError(f"match {match!r}: nothing that OVN knows at {match[position:].lstrip()[:20]!r}")
        position = found.end()
        text = found.group(found.lastgroup or 0)
        match found.lastgroup:
            case "string":
                yield Token("string", _unquoted(text))
            case "integer":
                yield Token("integer", text, read_constant(text))
            case "set":
                yield Token("$", text)
            case "group":
                yield Token("@", text)
            case "name":
                yield Token("name", text)
            case "symbol":
                yield Token("symbol", text)
            case _:
                yield Token("end", "")
                return


def read_constant(text: str) -> Constant:
    """Read an integer constant, with its mask where it has one.

    A value with a bit outside of its mask is an error, as it once was in OVN's lexer (23.03 and 25.03 clear such bits).
    """
    written, slash, written_mask = text.partition("/")
    form, value = _read_integer(written, text)
    if not slash:
        width = {"IPv4": 32, "IPv6": 128, "Ethernet": 48}.get(form, value.bit_length())
        return Constant(text, value, None, width)
    mask_form, mask = _read_integer(written_mask, text)
    address_bits = {"IPv4": 32, "IPv6": 128}.get(form)
    if mask_form == "decimal" and address_bits is not None:
        if mask > address_bits:
            raise MatchSyntaxError(f"constant {text}: a prefix of {form} has at most {address_bits} bits")
        mask = (1 << address_bits) - (1 << (address_bits - mask))
    elif mask_form != form and not (written == "0" and mask_form == "hexadecimal"):
        raise MatchSyntaxError(f"constant {text}: a mask in the form of {mask_form} doesn't go with {form}")
    if value & ~mask:
        raise StricterError(f"constant {text}: the value has bits outside of its mask")
    return Constant(text, value, mask, mask.bit_length())


def _read_integer(text: str, whole: str) -> tuple[str, int]:
    if _ETHERNET.fullmatch(text):
        return "Ethernet", int(text.replace(":", ""), 16)
    if _DECIMAL.fullmatch(text) and int(text) < 1 << 64:
        return "decimal", int(text)
    if _HEXADECIMAL.fullmatch(text):
        return "hexadecimal", int(text, 16)
    try:
        return ("IPv6", int(IPv6Address(text))) if ":" in text else ("IPv4", int(IPv4Address(text)))
    except AddressValueError as error:
        raise MatchSyntaxError(f"constant {whole}: {text!r} is neither a number nor an address") from error


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError as error:
        raise MatchSyntaxError(f"string {text}: {error}") from error
