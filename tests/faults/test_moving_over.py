"""A cluster of two zones moves over from ovn-kubernetes' own controller node by node, and back, while packets flow.

Every state of both databases is looked at, one for each transaction of whoever it is.
"""

import ipaddress
from collections.abc import Iterator, Mapping

import attrs
import pytest

from tests.faults import manifests
from tests.faults.cluster import Cluster
from tests.faults.fake_old_controller import FakeOldController
from tests.faults.manifests import NODES, Json
from tests.faults.samples import Samples
from tests.faults.site import Site, open_site
from tests.faults.test_ownership import Commands
from tests.faults.test_zones import Zones
from tests.oracle.packet import Packet
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

NORTHD = "25.03.0-20.41.0-77.6"
"""The first generation with which the old controller runs has marks and limits in one table."""
THEIRS, OURS = "ovn-kubernetes", "nqosd"
OUTSIDE = "203.0.113.7"
TAKEOVER = ("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")


@attrs.frozen
class Flow:
    """Packets of a pod, and what is to be done to them."""

    switch: str
    packet: Packet
    dscp: int
    rate: int | None = None


class Node:
    """A node with its database: the old controller, and what of nqosd runs there."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.old = FakeOldController(site.cluster, site.nb, site.zone, site.namespace)
        self.commands = Commands(site)

    def move_over(self) -> None:
        """Take over from the old controller, which is off by now, and start nqosd."""
        assert self.commands.document(*TAKEOVER)["applied"]
        self.site.start_daemon()

    def move_back(self) -> None:
        """Turn the old controller on beside nqosd, let it write all, and then remove nqosd."""
        self.old.reconcile()
        daemon = self.site.daemon
        daemon.wait_until(lambda: daemon.metric("nqosd_ovn_kubernetes_rows") > 0, what="aware of the old controller")
        daemon.stop()
        self.site.daemons.clear()
        assert self.commands.document("cleanup", "--apply")["applied"]


def packet(source: str, destination: str, port: int = 443) -> Packet:
    """Give a packet of TCP."""
    return Packet(ipaddress.ip_address(source), ipaddress.ip_address(destination), port=port, inport="a-pod")


def policies(namespace: str) -> Iterator[Json]:
    """Give policies by which both mean the same: blocks, exceptions, limits, ports, peers, a network, nothing."""
    yield manifests.policy(namespace, "first")
    anywhere = [manifests.rule(12, rate=9000), manifests.rule(14, to=[{"ipBlock": {"cidr": "198.51.100.0/24"}}])]
    yield manifests.policy(namespace, "anywhere", priority=3, app="db", rules=anywhere)
    nowhere = [manifests.rule(40, to=[{"ipBlock": {"cidr": "192.0.2.9/32"}}])]
    yield manifests.policy(namespace, "nowhere", priority=99, rules=nowhere)
    yield of_network(manifests.policy(namespace, "on-blue", priority=0, rules=[manifests.rule(46, rate=4000)]))


def of_network(policy: Json) -> Json:
    """Let a policy select the networks of all definitions."""
    selectors: Json = {"namespaceSelector": {}, "networkSelector": {}}
    entry = {"networkSelectionType": "NetworkAttachmentDefinitions", "networkAttachmentDefinitionSelector": selectors}
    spec = policy["spec"]
    assert isinstance(spec, dict)
    return policy | {"spec": spec | {"networkSelectors": [entry]}}


@pytest.fixture
def nodes(faulty_cluster: Cluster) -> Iterator[tuple[Node, ...]]:
    """Give two nodes with pods and policies, whose old controllers have written all that there is to write."""
    with (
        OvsdbServer(GENERATIONS[1]) as one,
        OvsdbServer(GENERATIONS[1]) as other,
        open_site(faulty_cluster, one, foreign=False) as first,
        open_site(faulty_cluster, other, foreign=False) as second,
    ):
        Zones((first, second))
        for site in (first, second):
            site.nb.nbctl("set", "NB_Global", ".", f"options:northd_internal_version={NORTHD}")
        second.namespace = first.namespace
        first.cluster.create(manifests.network(first.namespace))
        for name, on, app in (("a", "n1", "web"), ("b", "n2", "web"), ("c", "n1", "db"), ("d", "n2", "db")):
            first.add_pod(name, node=on, app=app)
        for policy in policies(first.namespace):
            first.cluster.create(policy)
        found = tuple(map(Node, (first, second)))
        for each in found:
            each.old.reconcile()
        yield found


FLOWS: Mapping[str, tuple[Flow, ...]] = {
    "n1": (
        Flow("n1", packet("10.244.0.1", OUTSIDE), 20, 20000),
        Flow("n1", packet("10.244.0.1", "10.244.0.4", 5432), 30),
        Flow("n1", packet("10.244.0.3", OUTSIDE), 12, 9000),
        Flow("n1", packet("fd00:10:244::3", "2001:db8::1"), 12, 9000),
        Flow("blue_n1", packet("10.200.0.1", "10.200.0.2"), 46, 4000),
    ),
    "n2": (
        Flow("n2", packet("10.244.0.2", OUTSIDE), 20, 20000),
        Flow("n2", packet("10.244.0.2", "10.244.0.3", 5432), 30),
        Flow("n2", packet("10.244.0.4", "198.51.100.1"), 14),
        Flow("blue_n2", packet("10.200.0.2", "10.200.0.1"), 46, 4000),
    ),
}


def owners(samples: Samples, flow: Flow) -> list[str]:
    """Give who acted on packets of a flow, one after the other; one of them did at each moment, as ordered."""
    found: list[str] = []
    for sample in samples:
        (acts,) = sample.acting(flow.switch, flow.packet)
        assert (acts.dscp, acts.rate) == (flow.dscp, flow.rate)
        if acts.owner not in found[-1:]:
            found.append(acts.owner)
    return found


@pytest.mark.timeout(900)
def test_nodes_move_over_one_by_one_and_back(nodes: tuple[Node, ...]) -> None:
    """At every transaction each packet is marked and limited as ordered by one of the two, and by nobody else."""
    first, second = nodes
    with Samples(first.site.nb) as of_first, Samples(second.site.nb) as of_second:
        first.move_over()
        first.site.add_pod("e", node="n2")  # while the other node has the old controller still
        second.old.reconcile()
        first.site.add_pod("f", node="n1", app="db")
        first.site.daemon.settle()
        second.move_over()
        for node in nodes:
            node.site.settle()
        for node in (second, first):
            node.move_back()
    for zone, samples in zip(NODES, (of_first, of_second), strict=True):
        for flow in FLOWS[zone]:
            assert owners(samples, flow) == [THEIRS, OURS, THEIRS]
    for node in nodes:
        assert not node.site.read().own.rows
