"""A virtual machine that migrates from node to node on the default network, and keeps its addresses.

In: a generation of OVN. Out: measurements: what it sends is marked and limited before, while both of its pods are
there, and after. The rule: the pods and their ports come and go in ovn-kubernetes' order; the daemon sees no more.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from tests.dataplane.expectation import Deserved, burst_agrees, rate_seen
from tests.dataplane.guide import ATTEMPTS, Measurement
from tests.dataplane.networks import DEFAULT, Network
from tests.dataplane.pods import PodSpec, node_manifest
from tests.dataplane.testbed import Testbed
from tests.dataplane.traffic import Flow, Traffic
from tests.services.daemon import Nqosd
from tests.services.generation import OvnGeneration

NETWORK = Network(DEFAULT, "layer3", 244)
SOURCE = PodSpec("vms", "source", 1, 81, (NETWORK,), {"app": "vm"})
TARGET = attrs.evolve(SOURCE, name="target", node=2, home=1)
PEER = PodSpec("vms", "peer", 1, 82, (NETWORK,), {"app": "peer"})
PORT, WANTED = 7000, Deserved(46, 2000, 200)
OFFERED, SECONDS, REFILL = 8000, 0.5, 0.2
"""kbps of a burst, how long it lasts, and the seconds until the limit's bucket is full again, and a little."""
POLICY = {
    "apiVersion": "k8s.ovn.org/v1alpha1",
    "kind": "NetworkQoS",
    "metadata": {"namespace": "vms", "name": "machines"},
    "spec": {
        "priority": 10,
        "podSelector": {"matchLabels": {"app": "vm"}},
        "egress": [{"dscp": WANTED.dscp, "bandwidth": {"rate": WANTED.rate, "burst": WANTED.burst}}],
    },
}


def measure(generation: OvnGeneration) -> Iterator[Measurement]:
    """Let a limited machine send more than it may, from its first node, from both, and from the second."""
    with Testbed(generation) as bed, Traffic() as traffic, tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for index, each in enumerate([node_manifest(1, [NETWORK]), node_manifest(2, [NETWORK]), POLICY]):
            (folder / f"{index}.json").write_text(json.dumps(each))
        bed.add_networks([NETWORK])
        _start(bed, folder, PEER)
        _start(bed, folder, SOURCE)
        traffic.listen(bed.pods[PEER.key].namespace, [PORT])
        with Nqosd([bed.central.nb.unix], manifests=[folder]) as daemon:
            _wait(bed, daemon, lambda: _rows(daemon) == 2, "done with the first node")
            yield from _sent(bed, traffic, SOURCE, "before it migrates")
            _start(bed, folder, TARGET)
            _wait(bed, daemon, lambda: _rows(daemon) == 4, "done with the second node")
            yield from _sent(bed, traffic, SOURCE, "both pods there, from the first node")
            yield from _sent(bed, traffic, TARGET, "both pods there, from the second node")
            bed.remove_pod(SOURCE.key)
            (folder / f"{SOURCE.name}.json").unlink()
            _wait(bed, daemon, lambda: daemon.metric("nqosd_objects", kind="Pod") == 2, "aware that one is gone")
            yield from _sent(bed, traffic, TARGET, "after it has migrated")


def _start(bed: Testbed, folder: Path, spec: PodSpec) -> None:
    bed.add_pods([spec])
    (folder / f"{spec.name}.json").write_text(json.dumps(bed.pods[spec.key].manifest))


def _rows(daemon: Nqosd) -> float:
    return daemon.metric("nqosd_replica_rows", table="QoS")


def _wait(bed: Testbed, daemon: Nqosd, condition: Callable[[], bool], what: str) -> None:
    daemon.wait_until(condition, what=what)
    daemon.settle()
    bed.sync()


def _sent(bed: Testbed, traffic: Traffic, sender: PodSpec, when: str) -> Iterator[Measurement]:
    for peer in bed.pods[PEER.key].attachments[0].addresses:
        flow = Flow(bed.pods[sender.key].namespace, peer.ip, PORT)
        for _ in range(ATTEMPTS):
            time.sleep(REFILL)
            passed = traffic.burst([flow], OFFERED, SECONDS)[flow]
            if agrees := burst_agrees(WANTED, passed):
                break
        dscps = "/".join(map(str, sorted(passed.dscp)))
        seen = f"{dscps}, {rate_seen(passed, WANTED.burst):.1f} Mbit/s"
        yield Measurement(f"live migration, IPv{peer.version}, {when}", WANTED.text(shows_limit=True), seen, agrees)
