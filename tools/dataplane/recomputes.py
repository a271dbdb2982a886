"""What pods that come and go cost OVN: recomputes of northd and of ovn-controller, by their own counters.

In: a laboratory. Out: for each kind of change how often the logical flows were computed anew. The rule: the counters
are read while nothing is under way, before and after.

A recompute of `lflow` in northd goes through the logical flows of the whole database; one of `logical_flow_output` in
ovn-controller goes through all flows of the chassis.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import attrs

from tests.dataplane.guide import Measurement
from tests.dataplane.laboratory import Laboratory
from tests.dataplane.networks import DEFAULT, Network
from tests.dataplane.pods import Manifest, PodSpec

CHURN = 5
"""Pods that come, or go, one after the other."""
NETWORK = Network(DEFAULT, "layer3", 244)
NAMESPACE = "churn"
SOURCE = {"app": "source"}
_NODE = re.compile(r"^Node: (\w+)\n- recompute: +(\d+)", re.MULTILINE)


@attrs.frozen
class Counters:
    """Recomputes so far, of logical flows by northd and by the ovn-controllers of all nodes."""

    northd: int
    controllers: int


class Recomputes:
    """Pods of a policy that marks, limits and selects peers, on both nodes."""

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory
        laboratory.add([NETWORK], [_pod("first", 1, 101), _pod("second", 2, 102)])
        laboratory.cluster.put([_policy()])
        laboratory.settle()

    def measure(self) -> Iterator[Measurement]:
        """Count for pods that come and go beside another source pod, and for what no set can absorb."""
        merged = self._laboratory.bed.generation.merges_qos_tables
        pods = [_pod(f"pod{number}", 1, 110 + number) for number in range(CHURN)]
        free = 0 if merged else None  # northd of 23.03 computes everything anew at each change
        yield self._count(f"{CHURN} source pods come, one by one, beside another", lambda: self._come(pods), free)
        yield self._count(f"{CHURN} source pods go, one by one", lambda: self._go(pods), free)
        yield self._count("a policy appears (its rows are attached to both switches)", self._put_another_policy, None)

    def _come(self, pods: Sequence[PodSpec]) -> None:
        for pod in pods:
            self._laboratory.add_pods([pod])
            self._laboratory.wait_for_source(str(self._laboratory.bed.pods[pod.key].attachments[0].addresses[0].ip))

    def _go(self, pods: Sequence[PodSpec]) -> None:
        for pod in pods:
            address = str(self._laboratory.bed.pods[pod.key].attachments[0].addresses[0].ip)
            self._laboratory.remove_pod(pod)
            self._laboratory.wait_for_no_source(address)

    def _put_another_policy(self) -> None:
        self._laboratory.cluster.put([_policy("other", 20)])
        self._laboratory.settle()

    def _count(self, what: str, change: Callable[[], None], northd: int | None) -> Measurement:
        """Count around a change; it must be incremental in ovn-controller, and in northd cost what is given."""
        before = self._read()
        change()
        after = self._read()
        found = Counters(after.northd - before.northd, after.controllers - before.controllers)
        agrees = found.controllers == 0 and northd in (None, found.northd)
        expected = f"northd {'any' if northd is None else northd}, ovn-controller 0"
        seen = f"northd {found.northd}, ovn-controller {found.controllers}"
        return Measurement(f"recomputes: {what}", expected, seen, agrees)

    def _read(self) -> Counters:
        bed = self._laboratory.bed
        bed.sync()
        appctl = bed.generation.program("ovn-appctl")
        controllers = 0
        for node in bed.nodes:
            control = node.chassis.controller
            stats = control.run([appctl, "-t", str(control.control), "inc-engine/show-stats"])
            controllers += _recomputes(stats, "logical_flow_output", "lflow_output")
        return Counters(_recomputes(bed.central.northd.appctl("inc-engine/show-stats"), "lflow"), controllers)


def _recomputes(stats: str, *names: str) -> int:
    """Read how often a node of the engine was computed anew; it has one of the names, as versions differ."""
    (found,) = [int(count) for name, count in _NODE.findall(stats) if name in names]
    return found


def _pod(name: str, node: int, host: int) -> PodSpec:
    return PodSpec(NAMESPACE, name, node, host, (NETWORK,), SOURCE)


def _policy(name: str = "policy", priority: int = 10) -> Manifest:
    peers = {"podSelector": {"matchLabels": SOURCE}}
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {
            "priority": priority,
            "podSelector": {"matchLabels": SOURCE},
            "egress": [{"dscp": 20, "bandwidth": {"rate": 20000}}, {"dscp": 30, "classifier": {"to": [peers]}}],
        },
    }
