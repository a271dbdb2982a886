"""Hypothesis strategies of OVN matches and of the packets that tell them apart.

In: nothing. Out: texts of matches, most of them right, some wrong in each of the ways that the grammar knows. The rule:
constants come from small pools, and packets from the same pools, so that comparisons turn out both ways.
"""

from hypothesis import strategies as st

from tests.oracle.packet import PROTOCOLS, TRANSPORTS, Packet, packet

ADDRESS_SETS = {
    "four": ("10.0.0.1", "10.0.0.3"),
    "wide": ("10.0.0.0/30", "10.0.1.0/24"),
    "six": ("fd00::1", "fd00::8/125"),
    "empty": (),
}
PORT_GROUPS = {"senders": ("p1",), "nobody": ()}
PORTS = ("p1", "p2")

_FOUR = ("10.0.0.1", "10.0.0.2", "10.0.0.0/30", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.3/32", "10.0.1.0/255.255.255.0")
_SIX = ("fd00::1", "fd00::2", "fd00::/126", "fd00::/16", "::/0", "fd00::1/128", "::ffff:10.0.0.1")
_NUMBERS = ("0", "1", "79", "80", "81", "0x50", "65535", "0/0x1", "80/0xfff0")
_WRONG = ("$missing", "@missing", "070", "70000", "10.0.0.1/8", "10.0.0.0/33", '"p', "ip4", "10.0.0", "0x", "{}")

_ADDRESSES_4 = ("10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.1.0", "10.0.2.0", "11.0.0.0")
_ADDRESSES_6 = ("fd00::", "fd00::1", "fd00::2", "fd00::3", "fd00::4", "fd00::8", "fd01::", "::ffff:10.0.0.1")

_PREDICATES = st.sampled_from(("ip", "ip4", "ip6", "tcp", "udp", "sctp", "icmp", "icmp4", "icmp6", "0", "1"))
_ORDINAL = {
    **{f"ip4.{end}": (*_FOUR, "$four", "$wide", "$empty") for end in ("src", "dst")},
    **{f"ip6.{end}": (*_SIX, "$six", "$empty", "10.0.0.1") for end in ("src", "dst")},
    **{f"{protocol}.{end}": _NUMBERS for protocol in TRANSPORTS for end in ("src", "dst")},
}
_NOMINAL = {
    "ip.proto": ("6", "17", "1", "58"),
    "eth.type": ("0x800", "0x86dd"),
    "inport": ('"p1"', '"p2"', "@senders", "@nobody"),
    "ip4": ("1", "0"),
}
_RANGES = ("<", "<="), ("<=", "<="), (">", ">="), (">=", ">"), ("<", ">"), ("==", "==")


def _rarely(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 24)) == 0


@st.composite
def _operands(draw: st.DrawFn, pool: tuple[str, ...], *, plain: bool = False) -> str:
    """A constant, or unless it is to be plain, several in braces, with commas or without."""
    one = st.sampled_from(_WRONG if _rarely(draw) else pool)
    if plain or draw(st.booleans()):
        return draw(one)
    comma = draw(st.sampled_from((", ", " ", ",")))
    return "{" + comma.join(draw(st.lists(one, min_size=1, max_size=3))) + draw(st.sampled_from(("", ","))) + "}"


@st.composite
def _comparisons(draw: st.DrawFn) -> str:
    nominal = draw(st.integers(0, 3)) == 0
    field, pool = draw(st.sampled_from(tuple((_NOMINAL if nominal else _ORDINAL).items())))
    if _rarely(draw):
        return field
    if not nominal and draw(st.integers(0, 4)) == 0:
        low, high = draw(st.sampled_from(_RANGES))
        return f"{draw(_operands(_plain(pool), plain=True))} {low} {field} {high} {draw(_operands(pool, plain=True))}"
    if nominal:
        relation = "!=" if _rarely(draw) else "=="
    else:
        relation = draw(st.sampled_from(("==", "!=", "==", "!=", "<", "<=", ">", ">=")))
    ordered = relation not in ("==", "!=") and not _rarely(draw)
    operand = draw(_operands(_plain(pool) if ordered else pool, plain=ordered))
    return f"{field} {relation} {operand}" if draw(st.booleans()) else f"{operand} {relation} {field}"


def _plain(pool: tuple[str, ...]) -> tuple[str, ...]:
    """The constants of a pool that relations other than == and != take."""
    return tuple(constant for constant in pool if "/" not in constant and "$" not in constant)


@st.composite
def _combined(draw: st.DrawFn, terms: st.SearchStrategy[str]) -> str:
    if draw(st.integers(0, 3)) == 0:
        return f"!{draw(terms)}" if _rarely(draw) else f"!({draw(terms)})"
    joint = draw(st.sampled_from((" && ", " || ")))
    joined = joint.join(draw(st.lists(terms, min_size=2, max_size=3)))
    return joined if _rarely(draw) else f"({joined})"


def matches() -> st.SearchStrategy[str]:
    """Texts of matches, not all of them right."""
    return st.recursive(_comparisons() | _comparisons() | _PREDICATES, _combined, max_leaves=5)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """Packets whose fields are in the pools, or next to a member of them."""
    protocol = draw(st.sampled_from(PROTOCOLS))
    addresses = st.sampled_from(draw(st.sampled_from((_ADDRESSES_4, _ADDRESSES_6))))
    port = draw(st.sampled_from((0, 1, 79, 80, 81, 95, 96, 65535))) if protocol in TRANSPORTS else None
    return packet(draw(addresses), draw(addresses), protocol, port, draw(st.sampled_from(PORTS)))
