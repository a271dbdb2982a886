"""Which addresses a pod has on which network.

In: the texts of a pod's annotations, and its `status.podIPs`. Out: its attachments, sorted by key, each with its
addresses in canonical text. `k8s.ovn.org/pod-networks` (ovn-kubernetes) is believed first; a network that is missing
there is looked for in `k8s.v1.cni.cncf.io/network-status` (Multus); the default network, at last, in `podIPs`.

Rule: an attachment that is listed without addresses has none: its network has no IPAM, so nothing else is asked for it.
"""

import socket  # for inet_pton and inet_ntop alone: ten times faster than ipaddress, and no I/O
from collections.abc import Iterable
from ipaddress import ip_network
from sys import intern

import msgspec

from nqosd.api.decoding.metadata import MALFORMED
from nqosd.api.objects import DEFAULT_NETWORK, Attachment

POD_NETWORKS = "k8s.ovn.org/pod-networks"
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"

_IPV4_BITS = 32
_IPV6_BITS = 128


class _PodNetwork(msgspec.Struct, gc=False):
    ip_addresses: list[str] | None = None
    ip_address: str | None = None


class _NetworkStatus(msgspec.Struct, gc=False):
    name: str | None = None
    ips: list[str] | None = None
    default: bool | None = None


_pod_networks = msgspec.json.Decoder(dict[str, _PodNetwork])
_network_status = msgspec.json.Decoder(list[_NetworkStatus])


def read_attachments(
    namespace: str, pod_networks: str | None, network_status: str | None, pod_ips: Iterable[str]
) -> tuple[Attachment, ...]:
    """Find a pod's attachments; an empty annotation says nothing (Multus empties its own when a pod is torn down).

    Raises:
        ValueError: an annotation or an address doesn't parse; the message begins with the field.
    """
    found: dict[str, tuple[str, ...]] = {}
    if pod_networks:
        try:
            found = _read_pod_networks(pod_networks)
        except MALFORMED as error:
            raise ValueError(f"metadata.annotations[{POD_NETWORKS}]: {error}") from error
    if network_status:
        try:
            _add_network_status(found, namespace, network_status)
        except MALFORMED as error:
            raise ValueError(f"metadata.annotations[{NETWORK_STATUS}]: {error}") from error
    if DEFAULT_NETWORK not in found:
        try:
            addresses = canonical(pod_ips)
        except ValueError as error:
            raise ValueError(f"status.podIPs: {error}") from error
        if addresses:
            found[DEFAULT_NETWORK] = addresses
    return tuple([Attachment(key, found[key]) for key in sorted(found)])


def _read_pod_networks(text: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for key, network in _pod_networks.decode(text).items():
        addresses = network.ip_addresses
        if not addresses:
            addresses = [network.ip_address] if network.ip_address else []
        found[intern(key)] = canonical(addresses)
    return found


def _add_network_status(found: dict[str, tuple[str, ...]], namespace: str, text: str) -> None:
    listed = {"/".join(key.split("/", 2)[:2]) for key in found}
    added: dict[str, list[str]] = {}
    for status in _network_status.decode(text):
        if status.default:
            key = DEFAULT_NETWORK
        elif not status.name:
            continue  # it can't belong to any network
        else:
            key = status.name if "/" in status.name else f"{namespace}/{status.name}"
        if key in listed:
            continue
        added.setdefault(key, []).extend(status.ips or ())
    for key, addresses in added.items():
        found[intern(key)] = canonical(addresses)


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
            raise ValueError(f"{text!r} is neither an IP address nor a CIDR")
    return tuple(addresses)


def ranges(texts: Iterable[str]) -> tuple[str, ...]:
    """Give address ranges in canonical text: `10.244.0.0/24`.

    Raises:
        ValueError: a text is no CIDR.
    """
    return tuple(str(ip_network(text.strip(), strict=False)) for text in texts)
