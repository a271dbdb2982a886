"""Which packets a rule is for: `classifier` with its peers, blocks of addresses and ports."""

from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter

from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.networkqos import ANY_ADDRESS, Classifier, IPBlock, Peer, PodPeer, Port, Protocol
from nqosd.api.validation.fields import Field, shown
from nqosd.api.validation.selectors import read_selector

_MAX_PORT = 65535


def read_classifier(field: Field) -> Classifier:
    """Read a classifier; absent parts, and empty ones, don't restrict."""
    parts = field.parts("to", "from", "ports") if field.present else None
    if parts is None:
        return Classifier()
    to, from_, ports = parts
    return Classifier(
        to=tuple(peer for item in to.items() if (peer := _read_peer(item)) is not None),
        from_=tuple(peer for item in from_.items() if (peer := _read_peer(item)) is not None),
        ports=tuple(port for item in ports.items() if (port := _read_port(item)) is not None),
    )


def _read_peer(field: Field) -> Peer | None:
    if field.value == {}:  # the shortest entry, so that there can be most of it
        return ANY_ADDRESS
    parts = field.parts("ipBlock", "podSelector", "namespaceSelector")
    if parts is None:
        return None
    block, pods, namespaces = parts
    selects = pods.present or namespaces.present
    if block.present and selects:
        field.problem("ipBlock can't be combined with podSelector or namespaceSelector; give it an entry of its own")
    peer: Peer | None = _read_block(block) if block.present else ANY_ADDRESS
    if selects:
        peer = PodPeer(
            pods=read_selector(pods) if pods.present else PodPeer().pods,
            namespaces=read_selector(namespaces) if namespaces.present else None,
        )
    return peer


def _read_block(field: Field) -> IPBlock | None:
    parts = field.parts("cidr", "except")
    if parts is None:
        return None
    cidr_field, excepts_field = parts
    cidr = _read_network(cidr_field)
    excepts = []
    for item in excepts_field.items():
        network = _read_network(item)
        if network is None or cidr is None:
            continue
        if cidr.holds(network):
            excepts.append(network)
        else:
            families = "" if network.version == cidr.version else ": one is IPv4, the other IPv6"
            item.problem(f"{network} is not inside {cidr}{families}")
    if cidr is None:
        return None
    if _cover(excepts, cidr):
        field.warn(f"except leaves nothing of {cidr}: this entry matches no packet")
    return IPBlock(cidr, excepts)


def _read_network(field: Field) -> IPNetwork | None:
    text = field.text()
    if text is None:
        return None
    try:
        network = IPNetwork.of(text)
    except ValueError:
        field.problem(f"{shown(text)} is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64")
        return None
    _, slash, length = text.partition("/")
    if slash and length != str(network.length):  # masks and leading zeros are admitted
        field.problem(f"{shown(text)} is not a CIDR; write {network}")
        return None
    if mapped := network.ipv4_mapped:
        field.warn(f"{shown(text)} is IPv4 within IPv6, which no packet has: taken as {mapped}")
        return mapped
    if not slash:
        field.warn(f"{shown(text)} has no prefix length: taken as {network}")
    return network


def _cover(networks: Iterable[IPNetwork], whole: IPNetwork) -> bool:
    """Say whether networks, all of them inside another one, are all of it together."""
    end = whole.first
    for each in sorted(networks, key=attrgetter("first")):
        if each.first > end:
            return False
        end = max(end, each.last + 1)
    return end > whole.last


def _read_port(field: Field) -> Port | None:
    parts = field.parts("protocol", "port")
    if parts is None:
        return None
    protocol_field, port_field = parts
    protocol = protocol_field.choice(Protocol) if protocol_field.present else Protocol.TCP
    port = port_field.integer(1, _MAX_PORT) if port_field.present else None
    if not protocol_field.present and not port_field.present:
        field.warn("neither protocol nor port: taken as every port of TCP")
    return None if protocol is None else _port(protocol, port)


_port = lru_cache(1 << 16)(Port)
"""Equal ones are one value in memory: most policies name the same, and a long list takes a tenth."""
