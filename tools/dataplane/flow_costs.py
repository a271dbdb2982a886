"""What each form of match costs: OpenFlow flows on a chassis, for 10, 100 and 1,000 source addresses.

In: policies, and a cluster of so many pods on one node. Out: by how many flows br-int grows, those that conjunctive
matches share included. The rule: rows and sets are what `nqosd compile` gives, written by the commands that it prints.
"""

import contextlib
import io
import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import yaml

from nqosd.cli import main
from tests.dataplane.cases import EVERYWHERE, Rule
from tests.dataplane.guide import Measurement
from tests.dataplane.networks import DEFAULT, NODES
from tests.dataplane.pods import Manifest
from tests.services.chassis import Chassis
from tests.services.generation import OvnGeneration
from tests.services.ovn import OvnCentral

SIZES = (10, 100, 1000)
LIMIT = {"rate": 20000}
LIMIT_OF_ISSUE = 1500
"""Flows that dual stack, 200 + 200 sources and the guide's except list may cost."""
LINES_AT_ONCE = 100
BOUND_PORTS = 2
"""Logical ports that live on the chassis."""
FLAT = "open/open"
_SOURCES = {"app": "source"}


@attrs.frozen
class Form:
    """A form of match.

    Args:
        title: what the rule says
        rule: the rule
        families: of the pods' addresses; none for a layer2 network without addresses
        annotations: of the policy
    """

    title: str
    rule: Rule
    families: tuple[int, ...] = (4,)
    annotations: Mapping[str, str] = attrs.field(factory=dict)


def _udp(ports: range) -> list[Rule]:
    return [{"protocol": "UDP", "port": port} for port in ports]


_TO_GUIDE: Rule = {"classifier": {"to": EVERYWHERE[:1]}}
_TO_BOTH: Rule = {"classifier": {"to": EVERYWHERE}}
_TO_PODS: Rule = {"classifier": {"to": [{"podSelector": {"matchLabels": _SOURCES}}]}}

FORMS = (
    Form("mark everything, IPv4", {"dscp": 20}),
    Form("limit everything, dual stack", {"dscp": 20, "bandwidth": LIMIT}, (4, 6)),
    Form("the guide's rule: to 0.0.0.0/0 except three prefixes", {"dscp": 20, "bandwidth": LIMIT} | _TO_GUIDE),
    Form("limit, to everywhere with an except list for each family, dual stack",
         {"dscp": 20, "bandwidth": LIMIT} | _TO_BOTH, (4, 6)),
    Form("mark, to everywhere with an except list for each family, dual stack", {"dscp": 20} | _TO_BOTH, (4, 6)),
    Form("mark, to as many pods", {"dscp": 20} | _TO_PODS),
    Form("limit, to as many pods, dual stack", {"dscp": 20, "bandwidth": LIMIT} | _TO_PODS, (4, 6)),
    Form("mark, UDP 7001", {"dscp": 20, "classifier": {"ports": _udp(range(7001, 7002))}}),
    Form("mark, UDP 8000 to 8099", {"dscp": 20, "classifier": {"ports": _udp(range(8000, 8100))}}),
    Form("limit for each pod, everything", {"dscp": 20, "bandwidth": LIMIT}, (4,), {"nqosd.io/bandwidth-scope": "Pod"}),
    Form("limit, to everywhere with except lists, layer2 without addresses (two of the ports on the chassis)",
         {"dscp": 20, "bandwidth": LIMIT} | _TO_BOTH, ()),
)  # fmt: skip


def flow_costs(generation: OvnGeneration) -> Iterator[Measurement]:
    """Count for every form and size, and for the sum that the project has promised."""
    for form in FORMS:
        counts = [_count(generation, form, size) for size in SIZES]
        yield Measurement(f"flows: {form.title}", "", " / ".join(f"{each:,}" for each in counts), all(counts))
    promised = FORMS[3]
    count = _count(generation, promised, 200)
    what = f"flows: {promised.title}, 200 and 200 addresses"
    yield Measurement(what, f"at most {LIMIT_OF_ISSUE:,}", f"{count:,}", 0 < count <= LIMIT_OF_ISSUE)


def _count(generation: OvnGeneration, form: Form, size: int) -> int:
    with OvnCentral(generation) as central, Chassis(central, NODES[0]) as chassis:
        switch = NODES[0] if form.families else "open_ovn_layer2_switch"
        ports = [f"open.open_default_pod{number}" for number in range(size if not form.families else BOUND_PORTS)]
        commands = [["ls-add", switch], *(["lsp-add", switch, port] for port in (*ports, f"stor-{switch}"))]
        central.nb.nbctl(*[part for command in commands for part in ("--", *command)][1:])
        chassis.bind(*ports[:BOUND_PORTS])
        before = len(chassis.flows())
        with TemporaryDirectory(prefix="nqosd-costs-") as directory:
            manifests = Path(directory) / "objects.yaml"
            manifests.write_text(yaml.dump_all(_objects(form, size), Dumper=yaml.CSafeDumper))
            command = ["compile", str(manifests), "--ovn-version", generation.series, "--format", "nbctl"]
            with (
                contextlib.redirect_stdout(io.StringIO()) as printed,
                contextlib.redirect_stderr(io.StringIO()) as warned,
            ):
                main(command)
            if text := warned.getvalue():
                raise AssertionError(f"the compiler takes other objects than were meant: {text}")
            for arguments in _batches(printed.getvalue()):
                central.nb.nbctl(*arguments)
        found = len(chassis.flows()) - before
        if wrong := chassis.parse_errors():
            raise AssertionError(f"ovn-controller refuses what the compiler wrote: {wrong}")
        return found


def _batches(commands: str) -> Iterator[list[str]]:
    """Put printed commands together, each batch in one call: a thousand calls would take half a minute."""
    lines = [shlex.split(line)[1:] for line in commands.splitlines()]
    for start in range(0, len(lines), LINES_AT_ONCE):
        batch = []
        for number, words in enumerate(lines[start : start + LINES_AT_ONCE]):
            own = [word.replace("@row", f"@row{number}") for word in words]
            batch += own if own[0] == "--" else ["--", *own]
        yield batch[1:]


def _objects(form: Form, size: int) -> Iterator[Manifest]:
    meta = {"namespace": "default", "name": "policy", "annotations": dict(form.annotations)}
    spec = {"priority": 10, "podSelector": {"matchLabels": _SOURCES}, "egress": [form.rule]}
    yield {"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "metadata": meta, "spec": spec}
    config = '{"type": "ovn-k8s-cni-overlay", "name": "open", "topology": "layer2", "netAttachDefName": "open/open"}'
    yield {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"namespace": "open", "name": "open"},
        "spec": {"config": config},
    }
    ranges = {"k8s.ovn.org/node-subnets": json.dumps({DEFAULT: ["10.1.0.0/16", "fd00:10:1::/48"]})}
    yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODES[0], "annotations": ranges}}
    for number in range(size):
        yield _pod(form, number)


def _pod(form: Form, number: int) -> Manifest:
    high, low = divmod(number, 250)
    texts = {4: f'"10.1.{high}.{low + 4}/16"', 6: f'"fd00:10:1::{high}:{low + 4}/64"'}
    addresses = ", ".join(texts[family] for family in form.families)
    network = "default" if form.families else FLAT
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "default",
            "name": f"pod{number}",
            "labels": _SOURCES,
            "annotations": {"k8s.ovn.org/pod-networks": f'{{"{network}": {{"ip_addresses": [{addresses}]}}}}'},
        },
        "spec": {"nodeName": NODES[0]},
    }
