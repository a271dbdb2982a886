"""A node of the cluster: a chassis with a cable to the underlay, and the pods' interfaces on its br-int.

In: a running `OvnCentral` and `Underlay`. Out: a chassis that reaches the other one through Geneve and the outside
through the bridge mapping `physnet`. The rule: the node's number decides all its addresses.
"""

import contextlib
import re
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import attrs

from tests.dataplane.namespaces import POD_MTU, End, bring_up, lay, run_script
from tests.dataplane.networks import NODES
from tests.dataplane.topology import PHYSICAL_NETWORK
from tests.dataplane.underlay import Underlay
from tests.services.chassis import COOKIE_DIGITS, Chassis, NetworkNamespace
from tests.services.ovn import OvnCentral


@attrs.frozen
class Plug:
    """An interface of a pod, the logical port that it is, and the version of it that ovn-kubernetes has written."""

    namespace: NetworkNamespace
    interface: str
    logical_port: str
    version: str


class Node:
    """A node by its number, 1 or 2; a context manager. `port` is its port on the underlay's bridge."""

    def __init__(self, central: OvnCentral, underlay: Underlay, number: int) -> None:
        self.number = number
        self.name = NODES[number - 1]
        self.port = f"node{number}"
        self.tunnel_ip = f"172.18.0.{number}"
        self.chassis = Chassis(central, self.name, encap_ip=self.tunnel_ip)
        self.central = central
        self._underlay = underlay
        self._plugged: dict[str, str] = {}
        self._count = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.chassis)
            namespace = self.chassis.namespace
            self._underlay.connect(self.port, End(namespace, "eth0"))
            run_script(namespace, bring_up("eth0"))
            self.chassis.database.vsctl(
                *("add-br", "br-ext", "--", "set", "bridge", "br-ext", "datapath_type=netdev", "--"),
                *("add-port", "br-ext", "eth0", "--", "set", "Open_vSwitch", "."),
                f"external_ids:ovn-bridge-mappings={PHYSICAL_NETWORK}:br-ext",
                "external_ids:ovn-encap-tos=inherit",
                "external_ids:ovn-is-interconn=true",  # or it lays no tunnel to a chassis of another zone
            )
            run_script(namespace, [f"ip address add {self.tunnel_ip}/24 dev br-ext", "ip link set br-ext up"])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def plug(self, plugs: Iterable[Plug]) -> None:
        """Lay a veth pair from br-int to each interface, and say which logical port it is."""
        lines: list[str] = []
        arguments: list[str] = []
        for plug in plugs:
            self._count += 1
            name = f"pod{self._count}"
            lay([(End(self.chassis.namespace, name), End(plug.namespace, plug.interface))])
            lines += bring_up(name, mtu=POD_MTU)
            arguments += ["--", "add-port", "br-int", name, "--", "set", "Interface", name,
                          f"external_ids:iface-id={plug.logical_port}",
                          f"external_ids:iface-id-ver={plug.version}"]  # fmt: skip
            self._plugged[plug.logical_port] = name
        run_script(self.chassis.namespace, lines)
        self.chassis.database.vsctl(*arguments[1:])

    def received(self, logical_port: str) -> int:
        """Return how many packets Open vSwitch has taken in from a pod; what its socket lost isn't among them."""
        flows = self._ofctl("dump-flows", "br-int", f"table=0,in_port={self._plugged[logical_port]}")
        return sum(map(int, re.findall(r"\bn_packets=(\d+)", flows)))

    def counted(self, row: str) -> int:
        """Return how many packets the flows of a QoS row have seen, by the row's id."""
        cookies = [f"cookie=0x{each[:COOKIE_DIGITS]}/-1" for each in self.central.logical_flows_of(row)]
        flows = "".join(self._ofctl("dump-flows", "br-int", each) for each in cookies)
        return sum(map(int, re.findall(r"\bn_packets=(\d+)", flows)))

    def sent(self) -> int:
        """Return how many packets have left for the underlay."""
        (packets,) = re.findall(r"\btx pkts=(\d+)", self._ofctl("dump-ports", "br-ext", "eth0"))
        return int(packets)

    def _ofctl(self, *arguments: str) -> str:
        chassis = self.chassis
        return chassis.database.run(
            [*chassis.namespace.enter, chassis.generation.program("ovs-ofctl"), "-O", "OpenFlow15", *arguments]
        )

    def unplug(self, logical_port: str) -> None:
        """Take a port away from br-int; its cable goes with it."""
        name = self._plugged.pop(logical_port)
        self.chassis.database.vsctl("del-port", "br-int", name)
        run_script(self.chassis.namespace, [f"ip link delete {name}"])
