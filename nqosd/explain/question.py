"""The question: one packet of one pod, to an address or to another pod.

In: text, as a person writes it. Out: a frozen `Question`, or `PodQuestion`. Rule: a packet that can't exist can't be
asked about, and the error says which argument to change.
"""

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

import msgspec

from nqosd.compiler.desired import Family

Address: TypeAlias = IPv4Address | IPv6Address

_PREFIX = re.compile("(pods?|po)/", re.IGNORECASE)


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


class Question(msgspec.Struct, frozen=True):
    """Which rule does a packet take? `pod` is `namespace/name`; `port` is the destination port.

    `transport` and `port` None: not named, so no rule may ask for them. `network` None asks about every network of the
    pod; `source` None takes the pod's own address on the network.
    """

    pod: str
    destination: Address
    transport: Transport | None
    port: int | None = None
    network: str | None = None
    source: Address | None = None

    @property
    def family(self) -> Family:
        """The family of the packet's addresses."""
        return family_of(self.destination)

    @property
    def to(self) -> str:
        """The destination, for people."""
        return str(self.destination)


class PodQuestion(msgspec.Struct, frozen=True):
    """The same about packets to each address of the pod `target` (`namespace/name`) on a network of the sender."""

    pod: str
    target: str
    transport: Transport | None
    port: int | None = None
    network: str | None = None
    source: Address | None = None

    @property
    def to(self) -> str:
        """The destination, for people."""
        return f"pod {self.target}"

    def about(self, destination: Address) -> Question:
        """Ask about one address of the pod."""
        return Question(self.pod, destination, self.transport, self.port, self.network, self.source)


def family_of(address: Address) -> Family:
    """Say which family an address is of."""
    return Family.IP4 if address.version == 4 else Family.IP6  # noqa: PLR2004 - the version number of IPv4


def ask(
    pod: str,
    to: str,
    transport: Transport | None,
    *,
    port: int | None = None,
    network: str | None = None,
    source: str | None = None,
    namespace: str = "",
) -> Question | PodQuestion:
    """Put a question together; pods that are named without a namespace are in `namespace`, if it isn't empty.

    Raises:
        QuestionError: a name or an address doesn't parse, the families differ, or port and protocol don't go together.
    """
    given = None if source is None else _address("--from", source, "an IPv4 or IPv6 address")
    if transport is None and port is not None:
        raise QuestionError(f"--port {port}: name its protocol with --proto")
    if transport is not None and not transport.has_ports and port is not None:
        raise QuestionError(f"--port {port}: {transport} has no ports; leave it out")
    sender = _pod("pod", pod, namespace)
    if _PREFIX.match(to):
        return PodQuestion(sender, _pod("--to", to, namespace), transport, port, network, given)
    destination = _address("--to", to, "an IPv4 or IPv6 address, nor pod/NAME")
    if given is not None and given.version != destination.version:
        raise QuestionError(f"--from {source}: it must be of the same family as --to {to}")
    return Question(sender, destination, transport, port, network, given)


def _pod(argument: str, text: str, namespace: str) -> str:
    """Read a pod's name: NAMESPACE/NAME or NAME, perhaps after `pod/` as kubectl writes it."""
    parts = _PREFIX.sub("", text).split("/")
    if len(parts) == 1 and namespace:
        parts.insert(0, namespace)
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004 - namespace and name
        raise QuestionError(f"{argument} {text}: write {'NAME or ' if namespace else ''}NAMESPACE/NAME")
    return "/".join(parts).lower()


def _address(argument: str, text: str, wanted: str) -> Address:
    try:
        address = ip_address(text)
        return getattr(address, "ipv4_mapped", None) or address
    except ValueError:
        raise QuestionError(f"{argument} {text}: it is not {wanted}") from None
