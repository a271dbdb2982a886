"""The logical networks of the testbed: their names, switches and address plans, as ovn-kubernetes would choose them.

Source: shared facts on ovn-kubernetes (names of switches) and its layout of routers (a cluster router, a join switch
and a gateway router for each node). Nodes are counted from 1.
"""

from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface, ip_network
from typing import Literal

import attrs

Topology = Literal["layer3", "layer2", "localnet"]
Interface = IPv4Interface | IPv6Interface

NODES = ("ovn-worker", "ovn-worker2")
"""The nodes of the guide; each is a chassis of that name."""

DEFAULT = "default"


def _third(network: IPv4Network | IPv6Network, number: int) -> IPv4Network | IPv6Network:
    """Give the /24 or /64 with this number."""
    prefix = 24 if network.version == 4 else 64
    step = 1 << (network.max_prefixlen - prefix)
    return ip_network((int(network.network_address) + number * step, prefix))


@attrs.frozen
class Network:
    """A network.

    Args:
        name: `default`, or the name in the NAD's config
        topology: layer3 has a switch for each node, the flat ones have one for all
        number: what tells its addresses apart: 10.NUMBER.0.0/16 and fd00:10:NUMBER::/48, or /64 where it is flat
        nad: `<namespace>/<name>` of its definition; empty for the default network
        role: as in the NAD
        labels: of the NAD
        gateway: number of the node that a primary layer2 network's gateway router is on, where a zone has both nodes
        has_transit_router: whether a primary layer2 network has a distributed router before that one, as today, or has
            its pods on the gateway router itself, as before and as OVN 23.03 needs it
        families: those that its pods have addresses of; none where it has no address management
        vlan: of a localnet network
    """

    name: str
    topology: Topology
    number: int
    nad: str = ""
    role: Literal["primary", "secondary"] = "primary"
    labels: dict[str, str] = attrs.field(factory=dict, hash=False)
    gateway: int = 2
    has_transit_router: bool = True
    families: tuple[int, ...] = (4, 6)
    vlan: int | None = None

    @property
    def prefix(self) -> str:
        """How the names of its switches and routers begin."""
        return "" if self.name == DEFAULT else self.name.replace("-", ".").replace("/", ".") + "_"

    def switch(self, node: int) -> str:
        """The switch that pods of a node are on."""
        if self.topology == "layer3":
            return f"{self.prefix}{NODES[node - 1]}"
        return f"{self.prefix}ovn_{self.topology}_switch"

    @property
    def has_gateway(self) -> bool:
        """Whether its pods have a way out of the cluster: by gateway routers."""
        return self.role == "primary" and self.topology != "localnet"

    @property
    def subnets(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """All its addresses, by family."""
        length = 48 if self.topology == "layer3" else 64
        both = ip_network(f"10.{self.number}.0.0/16"), ip_network(f"fd00:10:{self.number}::/{length}")
        return tuple(each for each in both if each.version in self.families)

    def node_subnets(self, node: int) -> tuple[IPv4Network | IPv6Network, ...]:
        """The subnets that a node's pods have addresses of."""
        if self.topology == "layer3":
            return tuple(_third(each, node) for each in self.subnets)
        return self.subnets

    def addresses(self, node: int, host: int) -> tuple[Interface, ...]:
        """The addresses of a host of a node; number 1 is the router."""
        return tuple(_host(each, host) for each in self.node_subnets(node))

    def logical_port(self, namespace: str, pod: str) -> str:
        """The logical port of a pod, as ovn-kubernetes names it."""
        attachment = "" if self.name == DEFAULT else self.nad.replace("-", ".").replace("/", ".") + "_"
        return f"{attachment}{namespace}_{pod}"


EXTERNAL_SUBNETS = (ip_network("203.0.113.0/24"), ip_network("2001:db8:113::/64"))
"""Outside of the cluster: where gateway routers and the external host meet."""

EXTERNAL_HOST = 100
"""The number of the external host in each subnet that it is in."""


def external(host: int) -> tuple[Interface, ...]:
    """The addresses of a host outside."""
    return tuple(_host(each, host) for each in EXTERNAL_SUBNETS)


def mac(number: int, node: int, host: int) -> str:
    """The address of an interface: 0a:58 as ovn-kubernetes has it, then what tells it apart."""
    return f"0a:58:0a:{number:02x}:{node:02x}:{host:02x}"


def _host(subnet: IPv4Network | IPv6Network, host: int) -> Interface:
    number = host if subnet.version == 4 else int(str(host), 16)  # so that both are written with the same digits
    return ip_interface((int(subnet.network_address) + number, subnet.prefixlen))
