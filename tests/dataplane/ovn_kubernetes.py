"""A small stand-in for ovn-kubernetes: it writes the switches, routers and logical ports that it would write.

In: networks and pods. Out: rows in the Northbound database of a zone, and each pod's attachment. The rule: like the
real one, it never touches QoS rows, and knows nothing of the daemon.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence

import attrs

from tests.dataplane.networks import NODES, Interface, Network, mac
from tests.dataplane.topology import ROUTER_HOST, Command, balancers, column, identity, port_commands, topology
from tests.services.ovsdb import OvsdbServer


@attrs.frozen
class Attachment:
    """A pod on a network: what the annotation says of it, and its logical port.

    `home` is the node whose range has its addresses, where it has come from another one as virtual machines do.
    """

    network: Network
    node: int
    host: int
    namespace: str
    pod: str
    home: int | None = None

    @property
    def logical_port(self) -> str:
        """The name of its logical port."""
        return self.network.logical_port(self.namespace, self.pod)

    @property
    def mac(self) -> str:
        """Its Ethernet address."""
        return mac(self.network.number, self.node, self.host)

    @property
    def addresses(self) -> tuple[Interface, ...]:
        """Its addresses, IPv4 first."""
        return self.network.addresses(self.home or self.node, self.host)

    @property
    def gateways(self) -> tuple[Interface, ...]:
        """The routers' addresses; none where there is no router."""
        has_router = self.network.topology == "layer3" or self.network.has_gateway
        return self.network.addresses(self.home or self.node, ROUTER_HOST) if has_router else ()

    @property
    def version(self) -> str:
        """What the node's interface must say of itself to be taken for this port: the pod's uid."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.pod}.{self.namespace}"))

    @property
    def is_flat(self) -> bool:
        """Whether the ports of all nodes are on one switch, in every zone."""
        return self.network.topology == "layer2"


class OvnKubernetes:
    """The writer of the logical topology of a zone, which has some nodes or all of them."""

    def __init__(self, nb: OvsdbServer, zone: Sequence[int]) -> None:
        self._nb = nb
        self._zone = zone

    def add_network(self, network: Network) -> None:
        """Make a network's switches and routers."""
        self._run(topology(network, self._zone))

    def add_ports(self, attachments: Iterable[Attachment]) -> None:
        """Make the logical ports of pods, bound to their addresses."""
        self._run(command for each in attachments if self._has(each) for command in self._port(each))

    def delete_port(self, attachment: Attachment) -> None:
        """Remove the logical port of a pod that is gone."""
        if self._has(attachment):
            self._run([["lsp-del", attachment.logical_port]])

    def add_service(self, network: Network, name: str, addresses: Sequence[tuple[str, str]]) -> None:
        """Make a service for UDP on every switch of a network: pairs of its own and its backend's `address:port`."""
        vips = column("vips", dict(addresses))
        group, _ = balancers(network)
        create = ["--id=@lb", "create", "Load_Balancer", f"name={name}", "protocol=udp", *vips]
        self._run([create, ["add", "Load_Balancer_Group", group, "load_balancer", "@lb"]])

    def _has(self, attachment: Attachment) -> bool:
        return attachment.node in self._zone or attachment.is_flat

    def _port(self, attachment: Attachment) -> Iterator[Command]:
        network, port = attachment.network, attachment.logical_port
        addresses = " ".join([attachment.mac, *(str(each.ip) for each in attachment.addresses)])
        ids = {"namespace": attachment.namespace, "pod": "true"} | identity(network, "network", "topology")
        if network.nad:
            ids["k8s.ovn.org/nad"] = network.nad
        options: dict[str, object] = {
            "iface-id-ver": attachment.version,
            "requested-chassis": NODES[attachment.node - 1],
        }
        if attachment.is_flat:
            options["requested-tnl-key"] = attachment.host
        kind = "" if attachment.node in self._zone else "remote"
        yield from port_commands(network.switch(attachment.node), port, kind, [addresses], ids=ids, options=options)
        yield ["lsp-set-port-security", port, addresses]

    def _run(self, commands: Iterable[Command]) -> None:
        arguments = [argument for command in commands for argument in ("--", *command)]
        if arguments:
            self._nb.nbctl(*arguments[1:])
