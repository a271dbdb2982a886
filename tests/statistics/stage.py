"""The guide's pods and policy on the data-plane testbed, an exporter on each node, and a Prometheus that scrapes both.

In: a generation of OVN. Out: everything running, and the figures that Prometheus has. Rule: the policy is the guide's
own file, and what is changed of it a test says.
"""

import contextlib
from collections.abc import Iterator

import attrs
import yaml

from nqosd.statistics.figures import Figures
from nqosd.statistics.rules import Rule
from tests.dataplane.guide import DEFAULT_NETWORK, EXAMPLES, POD0, POD1, POD2, STREAM
from tests.dataplane.laboratory import Laboratory, laboratory
from tests.dataplane.pods import Manifest, Pod, PodSpec
from tests.prometheus.server import Prometheus
from tests.services.generation import OvnGeneration
from tests.services.stats import Exporter

RULE = Rule("default", "qos-external", 0, STREAM.name)
LAG = 2.0
"""Seconds after which Prometheus knows of everything: Open vSwitch brings flows up to date twice a second, then come a
reading and a scrape, each within half a second."""


@attrs.frozen
class OnTheWay:
    """Packets that entered Open vSwitch on the sender's node by the pod's port, and that left it for the underlay."""

    entered: int
    left: int

    def since(self, before: "OnTheWay") -> "OnTheWay":
        """Give the difference."""
        return OnTheWay(self.entered - before.entered, self.left - before.left)


@attrs.frozen
class Stage:
    """All of it; the exporters are those of the first and of the second node."""

    laboratory: Laboratory
    exporters: tuple[Exporter, ...]
    prometheus: Prometheus

    def pod(self, spec: PodSpec) -> Pod:
        """Give a running pod."""
        return self.laboratory.bed.pods[spec.key]

    def address(self, spec: PodSpec) -> str:
        """Give a pod's IPv4 address on the guide's network."""
        return str(self.pod(spec).attachment(STREAM).addresses[0].ip)

    def apply(self, **changes: object) -> None:
        """Apply the guide's policy with changes of its rule (None: without it), and wait until both nodes have it."""
        policy = yaml.safe_load((EXAMPLES / "nqos.yaml").read_text())
        rule = {**policy["spec"]["egress"][0], **changes}
        policy["spec"]["egress"][0] = {key: value for key, value in rule.items() if value is not None}
        self.laboratory.cluster.put([policy])
        self.laboratory.settle()

    def on_the_way(self) -> OnTheWay:
        """Give what the first node's ports have seen of pod1's traffic to the other node."""
        node = self.laboratory.bed.nodes[0]
        return OnTheWay(node.received(self.pod(POD1).attachment(STREAM).logical_port), node.sent())

    def figures(self, node: int = 1) -> Figures:
        """Give what Prometheus knows of the guide's rule on a node."""
        name = self.laboratory.bed.nodes[node - 1].name
        found = {
            name_: self.prometheus.query(f'nqosd_rule_{name_}_total{{node="{name}",policy="qos-external"}}')
            for name_ in Figures.__struct_fields__
        }
        return Figures(**{name_: sum(int(float(each["value"])) for each in series) for name_, series in found.items()})


@contextlib.contextmanager
def stage(generation: OvnGeneration) -> Iterator[Stage]:
    """Start everything, and end it afterwards."""
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(laboratory(generation))
        lab.add([DEFAULT_NETWORK, STREAM], [POD0, POD1, POD2])
        nad: Manifest = yaml.safe_load((EXAMPLES / "nad.yaml").read_text())
        lab.cluster.put([nad])
        central = lab.bed.central
        exporters = tuple(
            stack.enter_context(
                Exporter(central.nb.unix, central.sb.unix, node.chassis.directory / "br-int.mgmt", node.name)
            )
            for node in lab.bed.nodes
        )
        prometheus = stack.enter_context(Prometheus(exporters=[f"127.0.0.1:{each.port}" for each in exporters]))
        found = Stage(lab, exporters, prometheus)
        found.apply()
        query = 'nqosd_rule_marked_packets_total{node="ovn-worker"}'
        prometheus.wait_until(lambda: bool(prometheus.query(query)), what="scraping the rule")
        yield found
