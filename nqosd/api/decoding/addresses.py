"""Which addresses a pod has on which network.

In: the text of the annotation `k8s.ovn.org/pod-networks`, which ovn-kubernetes writes, and `status.podIPs`. Out: the
pod's attachments, sorted by key, each with its addresses in canonical text, and what is wrong. The default network's
addresses come from `podIPs` where the annotation doesn't list it. Nothing else says whose an address is: Multus'
`network-status` is a report for people, which a tenant can write.

Rules: an attachment that is listed without addresses has none: its network has no IPAM, so nothing else is asked for
it. What is wrong with one attachment leaves the others alone.
"""

import socket  # for inet_pton and inet_ntop alone: ten times faster than ipaddress, and no I/O
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network

import msgspec

from nqosd.api.decoding.metadata import MALFORMED, explain
from nqosd.api.names import attachment_key
from nqosd.api.objects import DEFAULT_NETWORK, Attachment
from nqosd.api.validation.fields import shown

POD_NETWORKS = "k8s.ovn.org/pod-networks"
MAX_ADDRESSES = 16
"""Of one family, for one attachment; ovn-kubernetes gives one."""

MAX_ATTACHMENTS = 64
"""Of a pod. Each is a network interface; the match of a limit of the pod's own names all addresses on a switch."""

MAX_OF_POD = 64
"""Addresses of a pod, of all attachments together: each is a member of every set that selects the pod, and whoever
selects pods of others may have so many members and no more."""

_LOCKED = "infrastructure-locked"
_IPV4_BITS = 32
_IPV6_BITS = 128


class _PodNetwork(msgspec.Struct, gc=False):
    ip_addresses: list[str] | None = None
    ip_address: str | None = None
    role: object = None


_pod_networks = msgspec.json.Decoder(dict[str, _PodNetwork] | None)
_undecoded = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_pod_network = msgspec.json.Decoder(_PodNetwork)


class Attachments(msgspec.Struct, frozen=True):
    """What was found, and one text for each attachment that counts for nothing."""

    found: tuple[Attachment, ...] = ()
    problems: tuple[str, ...] = ()


def read_attachments(text: str | None, pod_ips: Iterable[str]) -> Attachments:
    """Find a pod's attachments; an annotation that is empty or null says nothing, as one that isn't there.

    One that is no JSON object, or lists too many attachments or addresses, leaves the pod without attachments: even of
    its default network nothing is known.
    """
    found: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    try:
        networks = _decode(text, problems) if text else {}
    except MALFORMED as error:
        why = explain(error, (text or "").encode())
        return Attachments(problems=(f"metadata.annotations[{POD_NETWORKS}]: {why}",))
    if len(networks) > MAX_ATTACHMENTS:
        problem = f"{len(networks)} attachments; a pod has {MAX_ATTACHMENTS} at most"
        return Attachments(problems=(f"metadata.annotations[{POD_NETWORKS}]: {problem}",))
    for key, network in networks.items():
        try:
            name = attachment_key(key)
            if network is not None:
                found[name] = _limited(canonical(_listed(network)))
        except ValueError as error:
            problems.append(f"metadata.annotations[{POD_NETWORKS}][{shown(key)}]: {error}")
    if DEFAULT_NETWORK not in networks:
        try:
            if addresses := _limited(canonical(pod_ips)):
                found[DEFAULT_NETWORK] = addresses
        except ValueError as error:
            problems.append(f"status.podIPs: {error}")
    if (number := sum(map(len, found.values()))) > MAX_OF_POD:
        problem = f"{number} addresses; a pod has {MAX_OF_POD} at most"
        return Attachments(problems=(f"metadata.annotations[{POD_NETWORKS}]: {problem}", *problems))
    default = networks.get(DEFAULT_NETWORK)
    locked = DEFAULT_NETWORK if default is not None and default.role == _LOCKED else None
    return Attachments(tuple([Attachment(key, found[key], key == locked) for key in sorted(found)]), tuple(problems))


def _decode(text: str, problems: list[str]) -> Mapping[str, _PodNetwork | None]:
    """Decode the annotation at once, or one by one if something is wrong with one: that one is None."""
    try:
        return _pod_networks.decode(text) or {}
    except msgspec.ValidationError:
        listed = _undecoded.decode(text) or {}
        # of too many their number is all that is said: to explain each of thousands takes long
        return dict.fromkeys(listed) if len(listed) > MAX_ATTACHMENTS else dict(_decode_each(listed, problems))


def _decode_each(networks: Mapping[str, msgspec.Raw], problems: list[str]) -> Iterator[tuple[str, _PodNetwork | None]]:
    for key, raw in networks.items():
        try:
            yield key, _pod_network.decode(raw)
        except MALFORMED as error:
            problems.append(f"metadata.annotations[{POD_NETWORKS}][{shown(key)}]: {explain(error, raw)}")
            yield key, None


def _listed(network: _PodNetwork) -> list[str]:
    return network.ip_addresses or ([network.ip_address] if network.ip_address else [])


def _limited(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if len(addresses) > MAX_ADDRESSES:
        six = sum(":" in address for address in addresses)
        for family, number in (("IPv4", len(addresses) - six), ("IPv6", six)):
            if number > MAX_ADDRESSES:
                raise ValueError(f"{number} {family} addresses; an attachment has {MAX_ADDRESSES} of a family at most")
    return addresses


def canonical(texts: Iterable[str]) -> tuple[str, ...]:
    """Give addresses, each written alone or as a CIDR, in canonical text without prefix lengths, each once, in order.

    Raises:
        ValueError: a text is no address.
    """
    addresses: dict[str, None] = {}
    for text in texts:
        address, slash, length = text.partition("/")
        family, bits = (socket.AF_INET6, _IPV6_BITS) if ":" in address else (socket.AF_INET, _IPV4_BITS)
        try:
            addresses[socket.inet_ntop(family, socket.inet_pton(family, address))] = None
            valid = not slash or (length.isdecimal() and int(length) <= bits)
        except (OSError, ValueError):
            valid = False
        if not valid:
            raise ValueError(f"{shown(text)} is neither an IP address nor a CIDR")
    return tuple(addresses)


def ranges(texts: Iterable[str]) -> tuple[str, ...]:
    """Give address ranges in canonical text: `10.244.0.0/24`.

    Raises:
        ValueError: a text is no CIDR.
    """
    return tuple(map(_range, texts))


def _range(text: str) -> str:
    # ip_network admits a zone (fe80::%eth0/64) with any text in it, and no packet carries one
    if "%" not in text:
        try:
            return str(ip_network(text.strip(), strict=False))
        except ValueError:
            pass
    raise ValueError(f"{shown(text)} is not a CIDR such as 10.128.0.0/16 or fd00::/64")
