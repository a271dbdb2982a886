"""A cluster of two zones moves over from ovn-kubernetes' own controller node by node, and back, while packets flow.

Every state of both databases is looked at, one for each transaction of whoever it is.
"""

import ipaddress
import json
from collections.abc import Iterator, Mapping

import attrs
import pytest

from nqosd.compiler.desired import OVERRIDE
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
THEIRS, OURS = frozenset(["ovn-kubernetes"]), frozenset(["nqosd"])
FLAT = "flat_ovn_layer2_switch"
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
        assert OVERRIDE not in str(self.site.read().own.rows)  # what it would be above is gone
        self.site.start_daemon()

    def move_back(self) -> None:
        """Turn the old controller on beside nqosd, let it write all, and then remove nqosd."""
        self.old.reconcile()
        self.site.note_others()
        daemon = self.site.daemon
        daemon.wait_until(lambda: daemon.metric("nqosd_ovn_kubernetes_rows") > 0, what="aware of the old controller")
        self.site.settle()
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
    yield of_network(manifests.policy(namespace, "attached", priority=0, rules=[manifests.rule(46, rate=4000)]))


def of_network(policy: Json) -> Json:
    """Let a policy select the networks of all definitions."""
    selectors: Json = {"namespaceSelector": {}, "networkSelector": {}}
    entry = {"networkSelectionType": "NetworkAttachmentDefinitions", "networkAttachmentDefinitionSelector": selectors}
    spec = policy["spec"]
    assert isinstance(spec, dict)
    return policy | {"spec": spec | {"networkSelectors": [entry]}}


def flat_network(namespace: str) -> Json:
    """Give the definition of a layer2 network without a gateway."""
    config = {"cniVersion": "1.0.0", "name": "flat", "type": "ovn-k8s-cni-overlay", "topology": "layer2",
              "subnets": "10.201.0.0/16", "netAttachDefName": f"{namespace}/flat"}  # fmt: skip
    return manifests.network(namespace) | {
        "metadata": {"name": "flat", "namespace": namespace},
        "spec": {"config": json.dumps(config)},
    }


def add_pod(site: Site, name: str, node: str, app: str) -> None:
    """Create a pod that is on the layer2 network too, with the last digits of its other addresses."""
    pod = site.add_pod(name, node=node, app=app)
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    ((key, networks),) = metadata["annotations"].items()
    every = json.loads(networks)
    blue = every[f"{site.namespace}/{manifests.NETWORK}"]
    addresses = [each.replace("10.200.", "10.201.") for each in blue["ip_addresses"]]
    every[f"{site.namespace}/flat"] = blue | {"ip_addresses": addresses}
    site.cluster.patch(pod, {"metadata": {"annotations": {key: json.dumps(every)}}})


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
            site.nb.nbctl("set", "NB_Global", ".", f"options:northd_internal_version={NORTHD}", "--", "ls-add", FLAT)
            site.note_others()
        second.namespace = first.namespace
        first.cluster.create(manifests.network(first.namespace))
        first.cluster.create(flat_network(first.namespace))
        for name, on, app in (("a", "n1", "web"), ("b", "n2", "web"), ("c", "n1", "db"), ("d", "n2", "db")):
            add_pod(first, name, on, app)
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
        Flow(FLAT, packet("10.201.0.1", "10.201.0.9"), 46, 4000),
    ),
    "n2": (
        Flow("n2", packet("10.244.0.2", OUTSIDE), 20, 20000),
        Flow("n2", packet("10.244.0.2", "10.244.0.3", 5432), 30),
        Flow("n2", packet("10.244.0.4", "198.51.100.1"), 14),
        Flow("blue_n2", packet("10.200.0.2", "10.200.0.1"), 46, 4000),
        Flow(FLAT, packet("10.201.0.2", "10.201.0.1"), 46, 4000),
    ),
}


def owners(samples: Samples, flow: Flow) -> list[frozenset[str]]:
    """Give who acted on packets of a flow, one after the other; somebody did at each moment, as ordered."""
    found: list[frozenset[str]] = []
    ours: object = None
    for sample in samples:
        acts = sample.acting(flow.switch, flow.packet)
        assert {(each.dscp, each.rate) for each in acts} == {(flow.dscp, flow.rate)}
        who = frozenset(each.owner for each in acts)
        if who not in found[-1:]:
            found.append(who)
        elif len(acts) > 1:  # no transaction of nqosd may leave it so
            assert sample.ours == ours
        ours = sample.ours
    return found


@pytest.mark.timeout(900)
def test_nodes_move_over_one_by_one_and_back(nodes: tuple[Node, ...]) -> None:
    """At every transaction each packet is marked and limited as ordered by one of the two, and by nobody else.

    On a layer2 network both do when the old controller comes back, until the next transaction of nqosd.
    """
    first, second = nodes
    with Samples(first.site.nb) as of_first, Samples(second.site.nb) as of_second:
        first.move_over()
        add_pod(first.site, "e", "n2", "web")  # while the other node has the old controller still
        second.old.reconcile()
        add_pod(first.site, "f", "n1", "db")
        first.site.daemon.settle()
        second.move_over()
        for node in nodes:
            node.site.settle()
        for node in (second, first):
            node.move_back()
    for zone, samples in zip(NODES, (of_first, of_second), strict=True):
        for flow in FLOWS[zone]:
            both = [THEIRS | OURS] if flow.switch == FLAT else []
            assert owners(samples, flow) in ([THEIRS, OURS, *both, OURS, THEIRS], [THEIRS, OURS, THEIRS])
    for node in nodes:
        assert not node.site.read().own.rows
