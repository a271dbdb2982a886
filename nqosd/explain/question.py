"""The question: one packet of one pod.

In: text, as a person writes it. Out: a frozen `Question`. Rule: a packet that can't exist can't be asked about, and the
error says which argument to change.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

import attrs

from nqosd.compiler.desired import Family

Address: TypeAlias = IPv4Address | IPv6Address

HIGHEST_PORT = 65535


class QuestionError(Exception):
    """The question makes no sense; the message names the argument and its value."""


class Transport(StrEnum):
    """What a packet carries. Rules can name the first three, which have ports."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"
    ICMP = "icmp"
    OTHER = "other"

    @property
    def has_ports(self) -> bool:
        """Whether its packets have ports."""
        return self in (Transport.TCP, Transport.UDP, Transport.SCTP)


@attrs.frozen
class Question:
    """Which rule does a packet take? `pod` is `namespace/name`; `port` is the destination port.

    `network` None asks about every network of the pod; `source` None takes the pod's own address on the network.
    """

    pod: str
    destination: Address
    transport: Transport
    port: int | None = None
    network: str | None = None
    source: Address | None = None

    @property
    def family(self) -> Family:
        """The family of the packet's addresses."""
        return family_of(self.destination)


def family_of(address: Address) -> Family:
    """Say which family an address is of."""
    return Family.IP4 if address.version == 4 else Family.IP6  # noqa: PLR2004 - the version number of IPv4


def ask(
    pod: str,
    to: str,
    transport: Transport,
    *,
    port: int | None = None,
    network: str | None = None,
    source: str | None = None,
) -> Question:
    """Put a question together.

    Raises:
        QuestionError: an address doesn't parse, the families differ, or port and protocol don't go together.
    """
    if pod.count("/") != 1 or not all(pod.split("/")):
        raise QuestionError(f"--pod {pod}: write NAMESPACE/NAME")
    destination = _address("--to", to)
    given = None if source is None else _address("--from", source)
    if given is not None and given.version != destination.version:
        raise QuestionError(f"--from {source}: it must be of the same family as --to {to}")
    if transport.has_ports and port is None:
        raise QuestionError(f"--proto {transport}: --port is missing, and rules may ask for it")
    if not transport.has_ports and port is not None:
        raise QuestionError(f"--port {port}: {transport} has no ports; leave it out")
    if port is not None and not 0 <= port <= HIGHEST_PORT:
        raise QuestionError(f"--port {port}: it must be 0 to {HIGHEST_PORT}")
    return Question(pod, destination, transport, port, network, given)


def _address(argument: str, text: str) -> Address:
    try:
        address = ip_address(text)
        return getattr(address, "ipv4_mapped", None) or address
    except ValueError:
        raise QuestionError(f"{argument} {text}: it is not an IPv4 or IPv6 address") from None
