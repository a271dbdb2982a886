"""Which packets a rule is for: `classifier` with its peers, blocks of addresses and ports."""

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from nqosd.api.networkqos import AnyAddress, Classifier, IPBlock, IPNetwork, Peer, PodPeer, Port, Protocol
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
    parts = field.parts("ipBlock", "podSelector", "namespaceSelector")
    if parts is None:
        return None
    block, pods, namespaces = parts
    selects = pods.present or namespaces.present
    if block.present and selects:
        field.problem("ipBlock can't be combined with podSelector or namespaceSelector; give it an entry of its own")
    peer: Peer | None = _read_block(block) if block.present else AnyAddress()
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
        if not _is_inside(network, cidr):
            families = "" if network.version == cidr.version else ": one is IPv4, the other IPv6"
            item.problem(f"{network} is not inside {cidr}{families}")
        excepts.append(network)
    if cidr is None:
        return None
    if sum(map(_size, excepts)) >= _size(cidr) and _join(excepts) == [cidr]:
        field.warn(f"except leaves nothing of {cidr}: this entry matches no packet")
    return IPBlock(cidr, tuple(excepts))


def _read_network(field: Field) -> IPNetwork | None:
    """Read a CIDR; bits to the right of the prefix are dropped, as Kubernetes does: 10.0.0.1/8 is 10.0.0.0/8."""
    text = field.text()
    if text is None:
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or "%" in text:  # ip_network admits a zone (fe80::%eth0/64), but no packet carries one
        field.problem(f"{shown(text)} is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64")
        return None
    _, slash, length = text.partition("/")
    if not slash:
        field.problem(f"{shown(text)} is not a CIDR; for this one address write {network}")
        return None
    if length != str(network.prefixlen):  # ip_network admits masks and leading zeros
        field.problem(f"{shown(text)} is not a CIDR; write {network}")
        return None
    return network


def _is_inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    if inner.version != outer.version or inner.prefixlen < outer.prefixlen:
        return False
    host_bits = outer.max_prefixlen - outer.prefixlen
    return int(inner.network_address) >> host_bits == int(outer.network_address) >> host_bits


def _size(network: IPNetwork) -> int:
    return 1 << network.max_prefixlen - network.prefixlen


def _join(networks: list[IPNetwork]) -> list[IPNetwork]:
    return [
        *collapse_addresses(each for each in networks if isinstance(each, IPv4Network)),
        *collapse_addresses(each for each in networks if isinstance(each, IPv6Network)),
    ]


def _read_port(field: Field) -> Port | None:
    parts = field.parts("protocol", "port")
    if parts is None:
        return None
    protocol_field, port_field = parts
    protocol = protocol_field.choice(Protocol) if protocol_field.present else Protocol.TCP
    port = port_field.integer(1, _MAX_PORT) if port_field.present else None
    if not protocol_field.present and not port_field.present:
        field.warn("neither protocol nor port: taken as every port of TCP")
    return None if protocol is None else Port(protocol, port)
