"""The testbed: one OVN with two nodes, or two with one node each, an external host, networks and pods.

In: a generation of OVN. Out: pods that reach each other. The rule: it starts in seconds, and everything of it ends with
the process that started it, also when that is killed.
"""

import contextlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from tests.dataplane.namespaces import run_script
from tests.dataplane.networks import NODES, Network
from tests.dataplane.node import Node
from tests.dataplane.ovn_kubernetes import OvnKubernetes
from tests.dataplane.pods import Pod, PodSpec
from tests.dataplane.underlay import Underlay
from tests.services.chassis import NetworkNamespace
from tests.services.generation import OvnGeneration
from tests.services.ovn import OvnCentral

WHOLE, BY_NODE = ((1, 2),), ((1,), (2,))
"""The nodes of each zone: all in one, or interconnect, where each node has an OVN of its own."""


class Testbed:
    """Two nodes with pods on them; a context manager. `central` is the OVN of the first node's zone."""

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    def __init__(self, generation: OvnGeneration, zones: Sequence[Sequence[int]] = WHOLE) -> None:
        self.generation = generation
        self.centrals = tuple(OvnCentral(generation) for _ in zones)
        self.central = self.centrals[0]
        self.underlay = Underlay()
        self._stand_ins = [OvnKubernetes(each.nb, zone) for each, zone in zip(self.centrals, zones, strict=True)]
        self._central_of = {node: each for each, zone in zip(self.centrals, zones, strict=True) for node in zone}
        self.nodes: tuple[Node, ...] = ()
        self.networks: list[Network] = []
        self.pods: dict[str, Pod] = {}
        self._namespaces: dict[str, contextlib.ExitStack] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for central in self.centrals:
                stack.enter_context(central)
            stack.enter_context(self.underlay)
            nodes = [Node(central, self.underlay, number) for number, central in self._central_of.items()]
            self.nodes = tuple(map(stack.enter_context, nodes))
            if len(self.centrals) > 1:
                self._connect_zones()
            self._introduce_nodes()
            stack.callback(self._end_pods)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add_networks(self, networks: Iterable[Network]) -> None:
        """Make networks."""
        for network in networks:
            self.networks.append(network)
            for each in self._stand_ins:
                each.add_network(network)
            self._bind_remote_ports()
            if network.topology == "localnet":
                self.underlay.add_outside(network)

    def add_pods(self, specs: Iterable[PodSpec]) -> None:
        """Start pods, and wait until OVN has connected them."""
        new = []
        for spec in specs:
            stack = contextlib.ExitStack()
            self._namespaces[spec.key] = stack
            self.pods[spec.key] = pod = Pod(spec, stack.enter_context(NetworkNamespace()))
            new.append(pod)
        for each in self._stand_ins:
            each.add_ports(attachment for pod in new for attachment in pod.attachments)
        self._bind_remote_ports()
        for node in self.nodes:
            plugs = [plug for pod in new if pod.spec.node == node.number for plug in pod.plugs]
            if plugs:
                node.plug(plugs)
        with ThreadPoolExecutor(max_workers=4) as workers:
            list(workers.map(Pod.configure, new))
        for pod in new:
            for plug in pod.plugs:
                nb = self._central_of[pod.spec.node].nb
                nb.nbctl("wait-until", "Logical_Switch_Port", plug.logical_port, "up=true")
        self.sync()

    def add_service(self, network: Network, name: str, addresses: Sequence[tuple[str, str]]) -> None:
        """Make a service on every switch of a network: pairs of its own and its backend's `address:port`."""
        for each in self._stand_ins:
            each.add_service(network, name, addresses)

    def remove_pod(self, key: str) -> None:
        """End a pod, as its deletion would."""
        pod = self.pods.pop(key)
        for attachment in pod.attachments:
            self.nodes[pod.spec.node - 1].unplug(attachment.logical_port)
            for each in self._stand_ins:
                each.delete_port(attachment)
        self._namespaces.pop(key).close()
        self.sync()

    def sync(self) -> None:
        """Wait until both nodes have applied what the Northbound databases say now."""
        for central in self.centrals:
            central.sync(wait="hv")

    def _bind_remote_ports(self) -> None:
        """Say on which chassis the ports of other zones are, as ovn-kubernetes does where northd doesn't."""
        for central in self.centrals:
            find = ["--columns=name,options", "find", "Logical_Switch_Port", "type=remote"]
            found = central.nb.nbctl("--format=json", *find)
            central.sync()
            for name, options in json.loads(found)["data"]:
                central.sb.sbctl("--may-exist", "lsp-bind", name, dict(options[1])["requested-chassis"])

    def _connect_zones(self) -> None:
        """Tell each zone its name and the other's chassis."""
        for number, central in self._central_of.items():
            central.nb.nbctl("set", "NB_Global", ".", f"name={NODES[number - 1]}")
            for other in self.nodes:
                if other.number != number:
                    remote = ["set", "Chassis", other.name, "other_config:is-remote=true"]
                    central.sb.sbctl("chassis-add", other.name, "geneve", other.tunnel_ip, "--", *remote)

    def _introduce_nodes(self) -> None:
        """Let the tunnels' ends learn each other's Ethernet addresses: until then, packets are dropped."""
        first, second = self.nodes
        run_script(first.chassis.namespace, [f"ping -c 1 -W 5 -q {second.tunnel_ip}"])

    def _end_pods(self) -> None:
        for stack in self._namespaces.values():
            stack.close()
