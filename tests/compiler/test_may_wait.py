"""Which rows may wait for a structural change when they aren't desired: those that lack senders alone."""

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.labels import EVERYTHING
from nqosd.api.networkqos import (
    BandwidthScope,
    EgressRule,
    Limit,
    NetworkQoS,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
)
from nqosd.api.objects import Attachment, NetworkAttachment, Pod, Topology
from nqosd.compiler.desired import RowKey
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits

SELECTORS = tuple(
    NetworkSelector(type_, EVERYTHING, EVERYTHING)
    for type_ in (NetworkSelectionType.DEFAULT_NETWORK, NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS)
)
SPEC = NetworkQoSSpec(1, (EgressRule(1), EgressRule(2)))
POLICY = NetworkQoS("a", "p", spec=SPEC)
NAD = NetworkAttachment("a", "nad", network="blue", topology=Topology.LAYER3)
PODS = [
    Pod("a", f"pod{node}", {}, node, attachments=(Attachment("default", (f"10.0.0.{number}",)),
                                                  Attachment("a/nad", (f"10.1.0.{number}",))))
    for number, node in enumerate(("n1", "n2"))
]  # fmt: skip


def policy(spec: NetworkQoSSpec) -> NetworkQoS:
    """Give the policy with another specification."""
    return attrs.evolve(POLICY, spec=spec)


def without_its_pod(*objects: Change) -> tuple[IncrementalCompiler, set[RowKey]]:
    """Compile some objects and both pods, then let the one on n1 go; give the rows that went with it, too."""
    compiler = IncrementalCompiler(Settings())
    compiler.apply([*objects, *(Change(ResourceKind.POD, pod.key, None, pod) for pod in PODS)])
    before = set(compiler.desired.rows)
    compiler.apply([Change(ResourceKind.POD, PODS[0].key, PODS[0], None)])
    return compiler, before - compiler.desired.rows.keys()


def waiting(compiler: IncrementalCompiler, keys: set[RowKey]) -> set[tuple[int, str]]:
    """Give rule and network of those rows that may wait."""
    return {(key.rule, key.network) for key in keys if compiler.may_wait(key)}


ALL = {(0, "default"), (1, "default"), (0, "blue"), (1, "blue")}
DEFAULT, BLUE = ({each for each in ALL if each[1] == network} for network in ("default", "blue"))


@pytest.mark.parametrize(
    ("kind", "value", "settings", "left"),
    [
        (ResourceKind.NETWORK_QOS, policy(replace(SPEC, priority=2)), Settings(), ALL),
        (ResourceKind.NETWORK_QOS, None, Settings(), set()),
        (
            ResourceKind.NETWORK_QOS,
            policy(replace(SPEC, egress=(EgressRule(1),))),
            Settings(),
            {(0, "default"), (0, "blue")},
        ),
        (ResourceKind.NETWORK_QOS, policy(replace(SPEC, network_selectors=SELECTORS[:1])), Settings(), DEFAULT),
        (ResourceKind.NETWORK_QOS, policy(replace(SPEC, network_selectors=SELECTORS[1:])), Settings(), BLUE),
        (ResourceKind.NETWORK_ATTACHMENT_DEFINITION, None, Settings(), DEFAULT),
        (ResourceKind.NETWORK_QOS, policy(replace(SPEC, priority=2)), Settings(limits=Limits(rows=1)), set()),
    ],
    ids=["changed", "deleted", "rule", "default only", "blue only", "network", "limit"],
)
def test_a_row_waits_as_long_as_its_rule_has_a_use_for_it(
    kind: ResourceKind, value: Object | None, settings: Settings, left: set[tuple[int, str]]
) -> None:
    """Rows whose pods have gone wait, until their policy, rule or network goes, or the policy isn't applied."""
    known: dict[ResourceKind, Object] = {
        ResourceKind.NETWORK_QOS: POLICY,
        ResourceKind.NETWORK_ATTACHMENT_DEFINITION: NAD,
    }
    compiler, gone = without_its_pod(*(Change(each, old.key, None, old) for each, old in known.items()))
    assert waiting(compiler, gone) == ALL
    compiler.configure(settings, [Change(kind, known[kind].key, known[kind], value)])
    assert waiting(compiler, gone) == left


def test_the_row_of_a_pod_does_not_wait() -> None:
    """It names addresses, which another pod may have by then."""
    rules = (EgressRule(1, Limit(1000)), EgressRule(2))
    limited = attrs.evolve(POLICY, spec=NetworkQoSSpec(1, rules, bandwidth_scope=BandwidthScope.POD))
    compiler, gone = without_its_pod(Change(ResourceKind.NETWORK_QOS, POLICY.key, None, limited))
    assert {key.rule for key in gone} == {0, 1}
    assert waiting(compiler, gone) == {(1, "default")}
