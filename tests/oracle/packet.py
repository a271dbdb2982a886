"""A packet that a pod sends, and what is done to it: the two ends of every comparison in the tests.

In: addresses, a protocol, ports. Out: frozen values that the meaning (`meaning.py`) and the match evaluator
(`ovn_match.py`) both read. The rule: a packet that can't exist can't be made.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

Address = IPv4Address | IPv6Address

TRANSPORTS = {"tcp": 6, "udp": 17, "sctp": 132}
"""Protocols with ports, and their numbers in the IP header."""

PROTOCOLS = (*TRANSPORTS, "icmp", "other")
"""Every protocol that a packet can have. `icmp` is ICMPv6 in an IPv6 packet; `other` is 253, kept for experiments."""

NEVER_BITES = 4294967295
"""The highest rate of an OVN meter in kbps, which nqosd uses for "no limit" (measured on OVN 23.03)."""


@attrs.frozen
class Packet:
    """An IP packet.

    Args:
        source: where it says it comes from
        destination: where it goes
        protocol: one of `PROTOCOLS`
        port: destination port, 0..65535; None exactly where the protocol has no ports
        source_port: as above; picked where it is left out
        inport: the logical port through which it enters its switch, where that matters
    """

    source: Address
    destination: Address
    protocol: str = "tcp"
    port: int | None = None
    source_port: int | None = None
    inport: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a packet that can't exist."""
        if self.source.version != self.destination.version:
            raise ValueError(f"packet from {self.source} to {self.destination}: the families differ")
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"packet of protocol {self.protocol!r}: it must be one of {', '.join(PROTOCOLS)}")
        if (self.protocol in TRANSPORTS) != (self.port is not None):
            raise ValueError(f"packet of protocol {self.protocol} with port {self.port}: tcp, udp and sctp have ports")
        if self.port is not None and self.source_port is None:
            object.__setattr__(self, "source_port", 49152)

    @property
    def protocol_number(self) -> int:
        """The protocol field of the IP header."""
        if self.protocol == "icmp":
            return 1 if self.source.version == 4 else 58
        return TRANSPORTS.get(self.protocol, 253)


def packet(
    source: str, destination: str, protocol: str = "tcp", port: int | None = None, inport: str | None = None
) -> Packet:
    """A packet with its addresses written as text."""
    return Packet(ip_address(source), ip_address(destination), protocol, port, inport=inport)


@attrs.frozen
class Treatment:
    """What happens to a packet: DSCP 0..63, rate in kbps and burst in kilobits; None for each that isn't set."""

    dscp: int | None
    rate: int | None
    burst: int | None

    @classmethod
    def of(cls, dscp: int | None, rate: int | None, burst: int | None) -> "Treatment":
        """Make a treatment, with a limit that never bites written as no limit."""
        if rate is None or (rate == NEVER_BITES and burst is None):
            return cls(dscp, None, None)
        return cls(dscp, rate, burst)
