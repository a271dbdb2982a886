"""Rows for packets that the router sends back to the switch that they came from."""

from collections.abc import Sequence

import pytest

from nqosd.api.networkqos import BandwidthScope, EgressRule, Limit
from nqosd.api.objects import NetworkAttachment, Node, Role, Topology
from nqosd.compiler.compile import compile_everything
from nqosd.compiler.desired import NEVER_BITES, Direction, QosRow
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.returned import RETURNED_PART
from nqosd.informers.changes import Change, Kind, Object
from tests.compiler.test_rows import BOTH, NEW, OLD, pod, policy

LIMITED = EgressRule(8, Limit(1000))
RANGES = ("10.0.0.0/24", "fd00::/64")


def changes(*objects: Object) -> list[Change]:
    """Say that objects came."""
    return [Change(Kind(type(each).__name__.replace("Attachment", "AttachmentDefinition")), each.key, None, each)
            for each in objects]  # fmt: skip


def returned(*objects: Object, settings: object = NEW) -> list[QosRow]:
    """Compile objects and give such rows."""
    assert settings in (NEW, OLD)
    compiler = IncrementalCompiler(NEW if settings == NEW else OLD)
    compiler.apply(changes(*objects))
    assert compiler.desired == compile_everything(compiler.tables, compiler.settings).desired
    return [row for key, row in sorted(compiler.desired.rows.items()) if key.part == RETURNED_PART]


def flat(topology: Topology, role: Role, *subnets: str) -> NetworkAttachment:
    """Make the definition of a flat network."""
    return NetworkAttachment("ns", "flat", {}, "flat", topology, role, subnets)


def test_a_policy_with_a_limit_lets_pass_what_comes_back() -> None:
    """Beside its limits stands a row for packets that enter by the router's port from the switch's own ranges."""
    node = Node("n1", subnets={"default": RANGES})
    (row,) = returned(node, policy(EgressRule(46), LIMITED, LIMITED), pod("a", *BOTH))
    assert row.match == (
        '(inport == "stor-n1" && ip4.src == 10.0.0.0/24) || (inport == "stor-n1" && ip6.src == fd00::/64)'
    )
    assert (row.key.rule, row.priority, row.direction) == (1, 32767, Direction.TO_LPORT)
    assert (row.action, row.bandwidth, row.sets) == ({}, {"rate": NEVER_BITES}, ())


@pytest.mark.parametrize("settings", [NEW, OLD], ids=["one table", "two tables"])
def test_without_a_limit_nothing_has_to_pass(settings: object) -> None:
    """A mark that is set twice is the same mark: no row is needed, whatever shields other rules have."""
    assert returned(policy(EgressRule(46)), pod("a", *BOTH), settings=settings) == []


def test_unknown_ranges_are_spelt_out() -> None:
    """Where a node doesn't say which ranges it has, the senders' own set stands there, and is kept for it."""
    node = Node("n1", subnets={"default": RANGES[:1]})
    (row,) = returned(node, policy(LIMITED), pod("a", *BOTH))
    ip4, ip6 = row.match.split(" || ")
    assert ip4 == '(inport == "stor-n1" && ip4.src == 10.0.0.0/24)'
    assert ip6 == f'(inport == "stor-n1" && ip6.src == ${row.sets[0]})'


def test_a_family_without_senders_does_not_come_back() -> None:
    """Only families that can be limited are let pass."""
    (row,) = returned(Node("n1", subnets={"default": RANGES}), policy(LIMITED), pod("a", "fd00::1"))
    assert row.match == 'inport == "stor-n1" && ip6.src == fd00::/64'


def test_limits_for_each_pod_share_one_row() -> None:
    """However many pods have limits of their own on a switch, one row lets their packets pass."""
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2")]
    assert len(returned(policy(LIMITED, scope=BandwidthScope.POD), *pods)) == 1


@pytest.mark.parametrize(
    ("topology", "role", "expected"),
    [
        (Topology.LAYER2, Role.PRIMARY, ['inport == "stor-flat_ovn_layer2_switch" && ip4.src == 10.0.0.0/24']),
        (Topology.LAYER2, Role.SECONDARY, []),
        (Topology.LOCALNET, Role.SECONDARY, []),
    ],
)
def test_flat_networks_have_a_router_if_they_are_primary(topology: Topology, role: Role, expected: list[str]) -> None:
    """The ranges of a flat network stand in its definition; one without a router sends nothing back."""
    found = returned(flat(topology, role, "10.0.0.0/24"), policy(LIMITED), pod("a", "10.0.0.1", key="ns/flat"))
    assert [row.match for row in found] == expected
    assert {row.direction for row in found} <= {Direction.FROM_LPORT}


def test_senders_without_addresses_never_come_back() -> None:
    """A rule that tells its senders by their ports doesn't match what enters by the router's."""
    assert returned(flat(Topology.LAYER2, Role.PRIMARY), policy(LIMITED), pod("a", key="ns/flat")) == []


@pytest.mark.parametrize(
    "change",
    [
        changes(Node("n1", subnets={"default": ("10.0.0.0/16",)})),
        [Change(Kind.NODE, "n1", Node("n1"), None)],
    ],
    ids=["other ranges", "node gone"],
)
def test_other_ranges_change_the_row(change: Sequence[Change]) -> None:
    """When a node gets other ranges, exactly the row that names them changes."""
    compiler = IncrementalCompiler(NEW)
    compiler.apply(changes(Node("n1", subnets={"default": RANGES}), policy(LIMITED), pod("a", "10.0.0.1")))
    delta = compiler.apply(change)
    assert [key.part for key in delta.rows] == [RETURNED_PART]
    assert compiler.desired == compile_everything(compiler.tables, compiler.settings).desired
