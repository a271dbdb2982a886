"""The fields and predicates of OVN match expressions that a QoS row can use, as functions of a packet.

In: a name. Out: a `Field` or a `Predicate`. The rule: a field has a value only in a packet that meets its prerequisite,
so nobody asks for it before the prerequisite was found to hold.

Source: ovn-sb(5), Logical_Flow, column match, "Symbols". Left out: fields of which a packet here has none (registers,
connection tracking, ARP, fragments, ICMP types…); they are errors.
"""

from collections.abc import Callable, Mapping

import attrs

from tests.oracle.packet import TRANSPORTS, Packet

Test = Callable[[Packet], bool]
Read = Callable[[Packet], int | str | None]


@attrs.frozen
class Predicate:
    """A name for a condition. All of these rest on nominal fields, so they can only be asked positively."""

    name: str
    holds: Test


@attrs.frozen
class Field:
    """A field of a packet.

    Args:
        name: as matches write it
        width: in bits, 0 for a string
        nominal: whether it can only be compared for equality
        prerequisite: what a packet must be to have it, and so what any comparison with it implies
        read: its value
    """

    name: str
    width: int
    nominal: bool
    prerequisite: Test
    read: Read


def _always(packet: Packet) -> bool:
    return packet.source.version in (4, 6)


def _ip4(packet: Packet) -> bool:
    return packet.source.version == 4


def _ip6(packet: Packet) -> bool:
    return packet.source.version == 6


def _protocol(number: int) -> Test:
    return lambda packet: packet.protocol_number == number


_PREDICATES: tuple[Predicate, ...] = (
    Predicate("ip", _always),
    Predicate("ip4", _ip4),
    Predicate("ip6", _ip6),
    Predicate("icmp4", lambda packet: _ip4(packet) and packet.protocol_number == 1),
    Predicate("icmp6", lambda packet: _ip6(packet) and packet.protocol_number == 58),
    Predicate("icmp", lambda packet: packet.protocol_number == (1 if _ip4(packet) else 58)),
    *(Predicate(name, _protocol(number)) for name, number in TRANSPORTS.items()),
    *(Predicate(name, lambda _packet: False) for name in ("nd", "nd_rs", "nd_ra")),  # no packet here is of these types
)

_FIELDS: tuple[Field, ...] = (
    Field("inport", 0, nominal=True, prerequisite=_always, read=lambda packet: packet.inport),
    Field("eth.type", 16, nominal=True, prerequisite=_always, read=lambda packet: 0x800 if _ip4(packet) else 0x86DD),
    Field("ip.proto", 8, nominal=True, prerequisite=_always, read=lambda packet: packet.protocol_number),
    Field("ip4.src", 32, nominal=False, prerequisite=_ip4, read=lambda packet: int(packet.source)),
    Field("ip4.dst", 32, nominal=False, prerequisite=_ip4, read=lambda packet: int(packet.destination)),
    Field("ip6.src", 128, nominal=False, prerequisite=_ip6, read=lambda packet: int(packet.source)),
    Field("ip6.dst", 128, nominal=False, prerequisite=_ip6, read=lambda packet: int(packet.destination)),
    *(
        Field(f"{name}.{end}", 16, nominal=False, prerequisite=_protocol(number), read=read)
        for name, number in TRANSPORTS.items()
        for end, read in (("src", lambda packet: packet.source_port), ("dst", lambda packet: packet.port))
    ),
)

SYMBOLS: Mapping[str, Field | Predicate] = {
    **{predicate.name: predicate for predicate in _PREDICATES},
    **{field.name: field for field in _FIELDS},
}
"""Every symbol by its name. `outport` is not among them: from-lport rows don't have it, and nothing here needs it."""
