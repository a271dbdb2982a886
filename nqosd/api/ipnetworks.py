"""IP networks as small values: a policy can hold thousands of them.

In: text in CIDR notation. Out: family, first address as a number, and length of the prefix. Rule: what is accepted, and
how it is written, is what the standard library's `ipaddress` accepts and writes, which takes several times as long to
read it and as much memory to hold it.
"""

import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

import msgspec

_BITS = {4: 32, 6: 128}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class IPNetwork(msgspec.Struct, frozen=True, gc=False):
    """Addresses that begin with the same bits. `version` is 4 or 6; `first` is the lowest address.

    A structure of msgspec, since the garbage collector doesn't go through those of numbers.
    """

    version: int
    first: int
    length: int

    @classmethod
    def of(cls, text: str) -> "IPNetwork":
        """Read a network; bits to the right of the prefix are dropped, as Kubernetes does: 10.0.0.1/8 is 10.0.0.0/8.

        Raises:
            ValueError: it is none.
        """
        return _canonical(text) or _any_form(text)

    @property
    def last(self) -> int:
        """The highest address."""
        return self.first | (1 << _BITS[self.version] - self.length) - 1

    @property
    def ipv4_mapped(self) -> "IPNetwork | None":
        """What it is within ::ffff:0:0/96 as IPv4; None outside of that."""
        if self.version == 4 or self.length < _MAPPED.length or not _MAPPED.holds(self):  # noqa: PLR2004 - IP's version
            return None
        return IPNetwork(4, self.first & 0xFFFF_FFFF, self.length - _MAPPED.length)

    def holds(self, other: "IPNetwork") -> bool:
        """Say whether all addresses of another network are in this one."""
        return self.version == other.version and self.first <= other.first and other.last <= self.last

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        return self.version == address.version and self.first <= int(address) <= self.last

    def __str__(self) -> str:
        return f"{address_text(self.version, self.first)}/{self.length}"


_MAPPED = IPNetwork(6, 0xFFFF << 32, 96)


class IPNetworks(msgspec.Struct, frozen=True):
    """Networks of one family in their order, made anew for whoever goes through them: 5 bytes each, of IPv6 17."""

    version: int = 4
    packed: bytes = b""

    def __iter__(self) -> Iterator[IPNetwork]:
        size = _BITS[self.version] // 8
        for at in range(0, len(self.packed), size + 1):
            first = int.from_bytes(self.packed[at : at + size])
            yield IPNetwork(self.version, first, self.packed[at + size])

    def __len__(self) -> int:
        return len(self.packed) // (_BITS[self.version] // 8 + 1)

    def __repr__(self) -> str:
        return f"[{', '.join(map(str, self))}]"


NONE = IPNetworks()


def packed(networks: Iterable[IPNetwork]) -> IPNetworks:
    """Take networks of one family together."""
    if isinstance(networks, IPNetworks):
        return networks
    every = list(networks)
    if not every:
        return NONE
    version = every[0].version
    size = _BITS[version] // 8
    return IPNetworks(version, b"".join(each.first.to_bytes(size) + each.length.to_bytes() for each in every))


def address_text(version: int, number: int) -> str:
    """Write an address without an IPv4 address at its end, which OVN's parser doesn't know."""
    text = socket.inet_ntop(_FAMILIES[version], number.to_bytes(_BITS[version] // 8))
    if version == 6 and "." in text:  # noqa: PLR2004 - the version number of IPv6
        return f"::{'ffff:' if number >> 32 else ''}{number >> 16 & 0xFFFF:x}:{number & 0xFFFF:x}"
    return text


def _canonical(text: str) -> IPNetwork | None:
    """Read a network in the form in which it is written; None if it has another one, or is none."""
    address, _slash, length = text.partition("/")
    version = 6 if ":" in address else 4
    try:
        packed = socket.inet_pton(_FAMILIES[version], address)
        found = IPNetwork(version, int.from_bytes(packed), int(length))
    except (OSError, ValueError):
        return None
    hosts = _BITS[version] - found.length
    is_network = 0 <= hosts <= _BITS[version] and found.first >> hosts << hosts == found.first
    return found if is_network and str(found) == text else None


def _any_form(text: str) -> IPNetwork:
    network = ip_network(text, strict=False)
    if "%" in text:  # ip_network admits a zone (fe80::%eth0/64), but no packet carries one
        raise ValueError(f"{text!r} has a zone")
    return IPNetwork(network.version, int(network.network_address), network.prefixlen)
