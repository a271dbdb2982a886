"""A small stand-in for ovn-kubernetes: it writes the switches, routers and logical ports that it would write.

In: networks and pods. Out: rows in the Northbound database, and each pod's attachment. The rule: like the real one, it
never touches QoS rows, and knows nothing of the daemon.

Layer3 networks get a switch for each node, a cluster router, and for each node a gateway router behind a join switch.
A flat primary network gets one gateway router, on the node that the network says. A localnet network is the underlay
itself.
"""

from collections.abc import Iterable, Iterator, Sequence

import attrs

from tests.dataplane.networks import NODES, Interface, Network, external, mac
from tests.dataplane.node import PHYSICAL_NETWORK
from tests.services.ovn import OvnCentral

ROUTER_HOST = 1


@attrs.frozen
class Attachment:
    """A pod on a network: what the annotation says of it, and its logical port."""

    network: Network
    node: int
    host: int
    logical_port: str

    @property
    def mac(self) -> str:
        """Its Ethernet address."""
        return mac(self.network.number, self.node, self.host)

    @property
    def addresses(self) -> tuple[Interface, ...]:
        """Its addresses, IPv4 first."""
        return self.network.addresses(self.node, self.host)

    @property
    def gateways(self) -> tuple[Interface, ...]:
        """The routers' addresses; none where there is no router."""
        return () if self.network.topology == "localnet" else self.network.addresses(self.node, ROUTER_HOST)


class OvnKubernetes:
    """The writer of the logical topology."""

    def __init__(self, central: OvnCentral) -> None:
        self._nb = central.nb

    def add_network(self, network: Network) -> None:
        """Make a network's switches and routers."""
        self._run(_topology(network))

    def add_ports(self, attachments: Iterable[Attachment]) -> None:
        """Make the logical ports of pods, bound to their addresses."""
        self._run(command for each in attachments for command in _port(each))

    def delete_port(self, attachment: Attachment) -> None:
        """Remove the logical port of a pod that is gone."""
        self._run([["lsp-del", attachment.logical_port]])

    def add_service(self, network: Network, name: str, addresses: Sequence[tuple[str, str]]) -> None:
        """Make a service for UDP on every switch of a network: pairs of its own and its backend's `address:port`."""
        commands = [["lb-add", f"{name}_{i}", *pair, "udp"] for i, pair in enumerate(addresses)]
        attach = [["ls-lb-add", switch, f"{name}_{i}"] for switch in network.switches for i in range(len(addresses))]
        self._run([*commands, *attach])

    def _run(self, commands: Iterable[Sequence[str]]) -> None:
        arguments = [argument for command in commands for argument in ("--", *command)]
        self._nb.nbctl(*arguments[1:])


def _port(attachment: Attachment) -> Iterator[list[str]]:
    addresses = " ".join([attachment.mac, *(str(each.ip) for each in attachment.addresses)])
    yield ["lsp-add", attachment.network.switch(attachment.node), attachment.logical_port]
    yield ["lsp-set-addresses", attachment.logical_port, addresses]
    yield ["lsp-set-port-security", attachment.logical_port, addresses]


def _topology(network: Network) -> Iterator[list[str]]:
    yield from (["ls-add", switch] for switch in network.switches)
    if network.topology == "localnet":
        yield from _localnet(network.switch(1), f"{network.prefix}ovn_localnet_port")
    elif network.topology == "layer2":
        yield from _gateway(network, network.gateway)
        router = f"{network.prefix}GR_{NODES[network.gateway - 1]}"
        yield from _joined(router, network.switch(1), mac(network.number, 0, 1), network.addresses(1, ROUTER_HOST))
    else:
        yield from _layer3(network)


def _layer3(network: Network) -> Iterator[list[str]]:
    router, join = f"{network.prefix}ovn_cluster_router", f"{network.prefix}join"
    yield ["lr-add", router]
    yield ["ls-add", join]
    yield from _joined(router, join, mac(network.number, 0, 1), _join(0), f"jtor-{router}")
    for node, name in enumerate(NODES, start=1):
        switch = network.switch(node)
        yield from _joined(router, switch, mac(network.number, node, 1), network.addresses(node, ROUTER_HOST))
        yield from _gateway(network, node)
        gateway = f"{network.prefix}GR_{name}"
        yield from _joined(gateway, join, mac(network.number, 0, 1 + node), _join(node), f"jtor-{gateway}")
        for subnet, inside, there in zip(network.node_subnets(node), _join(0), _join(node), strict=True):
            yield ["--policy=src-ip", "lr-route-add", router, str(subnet), str(there.split("/")[0])]
            whole = network.subnets[0 if subnet.version == 4 else 1]
            yield ["lr-route-add", gateway, str(whole), inside.split("/")[0]]


def _gateway(network: Network, node: int) -> Iterator[list[str]]:
    """Make a gateway router on a node, with its way out and source address translation."""
    router, outside = f"{network.prefix}GR_{NODES[node - 1]}", f"{network.prefix}ext_{NODES[node - 1]}"
    addresses = external(_outside_number(network, node))
    yield ["lr-add", router]
    yield ["set", "Logical_Router", router, f"options:chassis={NODES[node - 1]}"]
    yield ["ls-add", outside]
    yield from _localnet(outside, f"{outside}_localnet")
    yield from _joined(router, outside, mac(network.number, 0xEE, node), addresses, f"etor-{router}")
    # A packet that the router sends back into its own network, as behind a service, keeps its source.
    for own, inside, whole in zip(addresses, network.node_subnets(node), network.subnets, strict=True):
        version = f"{network.number}_{node}_{whole.version}"
        own_set = ["create", "Address_Set", f"name=own_{version}", f'addresses="{whole}"']
        columns = [f"external_ip={_quoted(own.ip)}", f"logical_ip={_quoted(inside)}"]
        nat = ["create", "NAT", "type=snat", *columns, f"exempted_ext_ips=@own_{version}"]
        yield [f"--id=@own_{version}", *own_set]
        yield [f"--id=@nat_{version}", *nat]
        yield ["add", "Logical_Router", router, "nat", f"@nat_{version}"]


def _quoted(value: object) -> str:
    return f'"{value}"'


def _joined(
    router: str, switch: str, address: str, addresses: Iterable[Interface | str], peer: str = ""
) -> Iterator[list[str]]:
    """Make a router's port on a switch; `peer` names the switch's port where it isn't one that pods are on."""
    port, peer = f"rtos-{switch}-{router}", peer or f"stor-{switch}"
    yield ["lrp-add", router, port, address, *map(str, addresses)]
    yield ["lsp-add", switch, peer]
    yield ["lsp-set-type", peer, "router"]
    yield ["lsp-set-addresses", peer, "router"]
    yield ["lsp-set-options", peer, f"router-port={port}"]


def _localnet(switch: str, port: str) -> Iterator[list[str]]:
    yield ["lsp-add", switch, port]
    yield ["lsp-set-type", port, "localnet"]
    yield ["lsp-set-addresses", port, "unknown"]
    yield ["lsp-set-options", port, f"network_name={PHYSICAL_NETWORK}"]


def _join(node: int) -> tuple[str, str]:
    """Give the addresses of a router on the join switch; number 0 is the cluster router."""
    return f"100.64.0.{node + 1}/16", f"fd98::{node + 1}/64"


def _outside_number(network: Network, node: int) -> int:
    """Give the number of a gateway router among the external hosts, each two digits."""
    return network.number % 10 * 10 + node
