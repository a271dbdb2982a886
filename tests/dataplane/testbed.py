"""The testbed: one OVN with two nodes, an external host, networks and pods.

In: a generation of OVN. Out: pods that reach each other. The rule: it starts in seconds, and everything of it ends with
the process that started it, also when that is killed.
"""

import contextlib
from collections.abc import Iterable
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


class Testbed:
    """Two nodes with pods on them; a context manager."""

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    def __init__(self, generation: OvnGeneration) -> None:
        self.generation = generation
        self.central = OvnCentral(generation)
        self.underlay = Underlay()
        self.ovn_kubernetes = OvnKubernetes(self.central)
        self.nodes: tuple[Node, ...] = ()
        self.networks: list[Network] = []
        self.pods: dict[str, Pod] = {}
        self._namespaces: dict[str, contextlib.ExitStack] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.central)
            stack.enter_context(self.underlay)
            numbers = range(1, len(NODES) + 1)
            self.nodes = tuple(stack.enter_context(Node(self.central, self.underlay, number)) for number in numbers)
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
            self.ovn_kubernetes.add_network(network)
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
        self.ovn_kubernetes.add_ports(each for pod in new for each in pod.attachments)
        for node in self.nodes:
            plugs = [plug for pod in new if pod.spec.node == node.number for plug in pod.plugs]
            if plugs:
                node.plug(plugs)
        with ThreadPoolExecutor(max_workers=4) as workers:
            list(workers.map(Pod.configure, new))
        waits = [
            ["wait-until", "Logical_Switch_Port", plug.logical_port, "up=true"] for pod in new for plug in pod.plugs
        ]
        self.central.nb.nbctl(*[argument for wait in waits for argument in ("--", *wait)][1:])
        self.sync()

    def remove_pod(self, key: str) -> None:
        """End a pod, as its deletion would."""
        pod = self.pods.pop(key)
        for attachment in pod.attachments:
            self.nodes[pod.spec.node - 1].unplug(attachment.logical_port)
            self.ovn_kubernetes.delete_port(attachment)
        self._namespaces.pop(key).close()
        self.sync()

    def sync(self) -> None:
        """Wait until both nodes have applied what the Northbound database says now."""
        self.central.sync(wait="hv")

    def _introduce_nodes(self) -> None:
        """Let the tunnels' ends learn each other's Ethernet addresses: until then, packets are dropped."""
        first, second = self.nodes
        run_script(first.chassis.namespace, [f"ping -c 1 -W 5 -q {second.tunnel_ip}"])

    def _end_pods(self) -> None:
        for stack in self._namespaces.values():
            stack.close()
