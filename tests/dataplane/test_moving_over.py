"""Packets of two nodes that move over from ovn-kubernetes' own controller, and back: each has one mark, and one limit.

The old controller's rows are written as it writes them, transaction by transaction; the rest is real.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import attrs
import pytest

from tests.dataplane.definitions import definition
from tests.dataplane.networks import DEFAULT, Network
from tests.dataplane.pods import PodSpec, node_manifest
from tests.dataplane.stream import Stream, Streams
from tests.dataplane.testbed import BY_NODE, Testbed
from tests.faults.fake_old_controller import Object, Reconciliation, networks_of
from tests.services.daemon import Nqosd, Options
from tests.services.generation import GENERATIONS

POD_NETWORK = Network(DEFAULT, "layer3", 244)
FLAT = Network("flat", "layer2", 165, "games/flat", role="secondary")
SENDER, RECEIVER = {"app": "sender"}, {"app": "receiver"}
LIMITED, MARKED = 7000, 7001
"""Ports; from the second one on, one for each stream."""
RATE, BURST, OFFERED = 1000, 100, 4000
WINDOW, MOST = 1.0, 1.3 * (RATE + 2 * BURST)
"""Seconds over which a rate is judged, and the kilobits that may pass meanwhile: a new meter begins with a burst."""
ENOUGH = 100
"""Packets of each stream without a limit in each stage."""


def pods(node: int) -> tuple[PodSpec, PodSpec]:
    """Give the sender of a node, and the receiver beside it."""
    networks, first = (POD_NETWORK, FLAT), 10 * node
    return (
        PodSpec("games", f"sender{node}", node, first, networks, SENDER),
        PodSpec("games", f"receiver{node}", node, first + 1, networks, RECEIVER),
    )


def policy(name: str, dscp: int, **spec: object) -> Object:
    """Give a policy that marks everything with one DSCP, and what goes to a port with the next one, and limits that."""
    to = [{"ipBlock": {"cidr": cidr}} for cidr in ("10.0.0.0/8",)]
    limited = {"to": to, "ports": [{"protocol": "UDP", "port": LIMITED}]}
    rules = [
        {"dscp": dscp},
        {"dscp": dscp + 1, "bandwidth": {"rate": RATE, "burst": BURST}, "classifier": limited},
    ]
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"namespace": "games", "name": name},
        "spec": {"priority": 10, "podSelector": {"matchLabels": SENDER}, "egress": rules, **spec},
    }


SELECTORS: Object = {"namespaceSelector": {}, "networkSelector": {}}
ATTACHED = [{"networkSelectionType": "NetworkAttachmentDefinitions", "networkAttachmentDefinitionSelector": SELECTORS}]
POLICIES = policy("default", 10), policy("attached", 20, networkSelectors=ATTACHED)
DSCP = {POD_NETWORK: 10, FLAT: 20}


@attrs.frozen
class Node:
    """A node with its database: the old controller's rows, and nqosd with what it is told."""

    bed: Testbed
    number: int
    daemon: Nqosd

    @property
    def name(self) -> str:
        """Its name."""
        return self.bed.nodes[self.number - 1].name

    def let_the_old_controller_write(self) -> None:
        """Write what the old controller of this node does at its start."""
        every = [pod.manifest for pod in self.bed.pods.values()]
        for each in POLICIES:
            for network in networks_of(each, [definition(FLAT)]):
                for transaction in Reconciliation(self.name, network, each, frozenset()).transactions(every):
                    self.bed.centrals[self.number - 1].nb.transact(*transaction)

    def command(self, *arguments: str) -> None:
        """Run a command of nqosd."""
        line = [sys.executable, "-m", "nqosd", *arguments, "--apply", "--config", str(self.daemon.config)]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == 0, done.stderr

    def counted(self, *, ours: bool) -> dict[str, int]:
        """Give how many packets each row for IPv4 that marks has seen, of nqosd or of the old controller."""
        nb = self.bed.centrals[self.number - 1].nb
        listed = nb.nbctl("--format=json", "--columns=_uuid,external_ids,action,match", "list", "QoS")
        return {
            row: self.bed.nodes[self.number - 1].counted(row)
            for (_, row), (_, ids), (_, action), match in json.loads(listed)["data"]
            if action and "ip4" in match and ("nqosd.io/owner" in dict(ids)) is ours
        }


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Give two zones of one node, each with a sender and a receiver on both networks, and no daemon yet."""
    folder = tmp_path_factory.mktemp("objects")
    with Testbed(GENERATIONS[-1], BY_NODE) as bed:
        bed.add_networks([POD_NETWORK, FLAT])
        bed.add_pods([*pods(1), *pods(2)])
        objects = [node_manifest(number, [POD_NETWORK], is_zone=True) for number in (1, 2)]
        objects += [definition(FLAT), *(pod.manifest for pod in bed.pods.values()), *map(dict, POLICIES)]
        for index, each in enumerate(objects):
            (folder / f"{index}.json").write_text(json.dumps(each))
        yield (make_node(bed, 1, folder), make_node(bed, 2, folder))


def make_node(bed: Testbed, number: int, folder: Path) -> Node:
    """Configure nqosd for a node."""
    options: Options = {"daemon": {"unselected_networks": "default"}, "northbound": {"detach_after": 0}}
    remote = bed.centrals[number - 1].nb.unix
    return Node(bed, number, Nqosd([remote], manifests=[folder], options=options, name=f"nqosd-{number}"))


def streams(bed: Testbed) -> Iterator[Stream]:
    """Give streams from each sender to each receiver that a rule marks and limits as ordered."""
    ports = count(MARKED)
    for number in (1, 2):
        sender, near = (bed.pods[each.key] for each in pods(number))
        far = bed.pods[pods(3 - number)[1].key]
        for network, dscp in DSCP.items():
            for receiver in (near, far) if network == POD_NETWORK else (near,):
                address, *_ = (each.ip for each in receiver.attachment(network).addresses)
                yield Stream(sender.namespace, receiver.namespace, str(address), next(ports), dscp)
            address, *_ = (each.ip for each in near.attachment(network).addresses)
            yield Stream(sender.namespace, near.namespace, str(address), LIMITED, dscp + 1, offered=OFFERED)


def await_that_one_acts(node: Node, running: Streams) -> None:
    """Wait until all rows of nqosd see packets, and none of the old controller does."""

    def is_so() -> bool:
        ours, theirs = (node.counted(ours=each) for each in (True, False))
        running.flow_on(ENOUGH)
        now = node.counted(ours=True)
        return all(now[row] > ours[row] for row in ours) and node.counted(ours=False) == theirs

    node.daemon.wait_until(is_so, what="alone with the packets")


def test_packets_have_one_mark_and_one_limit_all_the_way(nodes: tuple[Node, Node]) -> None:
    """While nodes move over one by one, and back, no packet is unmarked, and no limit is missing or there twice."""
    first, second = nodes
    for node in nodes:
        node.let_the_old_controller_write()
    first.bed.sync()
    with Streams(streams(first.bed)) as running:
        running.flow_on(ENOUGH)
        running.forget()
        for node in nodes:
            running.flow_on(ENOUGH)
            node.command("takeover", "--from", "ovn-kubernetes", "--watch", "1")
            node.daemon.start()
        for node in (second, first):
            running.flow_on(ENOUGH)
            node.let_the_old_controller_write()
            await_that_one_acts(node, running)
            node.daemon.stop()
            node.command("cleanup")
        running.flow_on(ENOUGH)
    for stream in running.streams:
        assert stream.dscps == {stream.dscp}, stream
        if stream.port != LIMITED:
            assert stream.arrived >= 0.95 * stream.sent, stream
        else:
            assert 0 < stream.most(WINDOW) < MOST, stream
