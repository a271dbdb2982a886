"""Rows for packets that come back to the switch that they came from."""

from collections.abc import Sequence

import pytest

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.networkqos import BandwidthScope, EgressRule, Limit
from nqosd.api.objects import NetworkAttachment, NetworkRole, Node, Topology
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.desired import NEVER_BITES, RETURNED, Direction, QosRow, RowKey
from nqosd.compiler.incremental import IncrementalCompiler
from tests.compiler.test_rows import BOTH, NEW, OLD, pod, policy

LIMITED = EgressRule(8, Limit(1000))
RANGES = ("10.0.0.0/24", "fd00::/64")


def changes(*objects: Object) -> list[Change]:
    """Say that objects came."""
    kinds = [ResourceKind(type(each).__name__.replace("Attachment", "AttachmentDefinition")) for each in objects]
    return [Change(kind, each.key, None, each) for kind, each in zip(kinds, objects, strict=True)]


def returned(*objects: Object, settings: object = NEW) -> list[QosRow]:
    """Compile objects and give such rows."""
    assert settings in (NEW, OLD)
    compiler = IncrementalCompiler(NEW if settings == NEW else OLD)
    compiler.apply(changes(*objects))
    assert compiler.desired == compile_everything(compiler.tables, compiler.settings).desired
    return [row for key, row in sorted(compiler.desired.rows.items()) if key.part == RETURNED]


def flat(topology: Topology, role: NetworkRole, *subnets: str) -> NetworkAttachment:
    """Make the definition of a flat network."""
    return NetworkAttachment("ns", "flat", {}, "flat", topology, role, subnets)


NODE = Node("n1", subnets={"default": RANGES})


def test_a_switch_with_limits_lets_pass_what_comes_back() -> None:
    """One row for all limits on a switch takes packets that enter by the router's port with an own address."""
    (row,) = returned(NODE, policy(LIMITED, LIMITED), policy(LIMITED, name="q"), pod("a", *BOTH))
    assert row.match == (
        '(inport == "stor-n1" && ip4.src == 10.0.0.0/24) || (inport == "stor-n1" && ip6.src == fd00::/64)'
    )
    assert (row.key, row.priority, row.direction) == (
        RowKey("", 0, "default", "n1", RETURNED), 32767, Direction.TO_LPORT
    )  # fmt: skip
    assert (row.action, row.bandwidth, row.sets) == ({}, {"rate": NEVER_BITES}, ())
    assert row.external_ids("me") == {
        "nqosd.io/owner": "me", "nqosd.io/network": "default", "nqosd.io/switch": "n1", "nqosd.io/part": "returned"
    }  # fmt: skip


@pytest.mark.parametrize("settings", [NEW, OLD], ids=["one table", "two tables"])
def test_without_a_limit_nothing_has_to_pass(settings: object) -> None:
    """A mark that is set twice is the same mark: no row is needed, whatever shields other rules have."""
    assert returned(NODE, policy(EgressRule(46)), pod("a", *BOTH), settings=settings) == []


def test_unknown_ranges_let_nothing_pass() -> None:
    """Where a node doesn't say which ranges it has there is no row: it would stand above rows of others."""
    assert returned(policy(LIMITED), pod("a", *BOTH)) == []


def test_limits_for_each_pod_count_too() -> None:
    """However many pods have limits of their own on a switch, one row lets their packets pass."""
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2")]
    assert len(returned(NODE, policy(LIMITED, scope=BandwidthScope.POD), *pods)) == 1


@pytest.mark.parametrize(
    ("topology", "role", "expected"),
    [
        (
            Topology.LAYER2,
            NetworkRole.PRIMARY,
            [
                (
                    'inport == {"stor-flat_ovn_layer2_switch", "stotr-flat_ovn_layer2_switch", '
                    '"stotr-flat_ovn_layer2_switch-upgrade"} && ip4.src == 10.0.0.0/24'
                )
            ],
        ),
        (Topology.LAYER2, NetworkRole.SECONDARY, []),
        (Topology.LOCALNET, NetworkRole.SECONDARY, ['inport == "flat_ovn_localnet_port" && ip4.src == 10.0.0.0/24']),
    ],
)
def test_primary_and_localnet_networks_have_a_way_back(
    topology: Topology, role: NetworkRole, expected: list[str]
) -> None:
    """The ranges of a flat network stand in its definition; one without router and underlay sends nothing back."""
    found = returned(flat(topology, role, "10.0.0.0/24"), policy(LIMITED), pod("a", "10.0.0.1", key="ns/flat"))
    assert [row.match for row in found] == expected
    assert {row.direction for row in found} <= {Direction.FROM_LPORT}


def test_the_row_stays_until_the_last_limit_goes() -> None:
    """Of two policies with limits one may go; with the other one goes the row."""
    compiler = IncrementalCompiler(NEW)
    one, two = policy(LIMITED, name="one"), policy(LIMITED, name="two")
    compiler.apply(changes(NODE, one, two, pod("a", "10.0.0.1")))
    key = RowKey("", 0, "default", "n1", RETURNED)
    assert key not in compiler.apply([Change(ResourceKind.NETWORK_QOS, one.key, one, None)]).rows
    assert key in compiler.desired.rows
    assert key in compiler.apply([Change(ResourceKind.NETWORK_QOS, two.key, two, None)]).rows
    assert key not in compiler.desired.rows


@pytest.mark.parametrize(
    "change",
    [
        changes(Node("n1", subnets={"default": ("10.0.0.0/16",)})),
        [Change(ResourceKind.NODE, "n1", Node("n1"), None)],
    ],
    ids=["other ranges", "node gone"],
)
def test_other_ranges_change_the_row(change: Sequence[Change]) -> None:
    """When a node gets other ranges, exactly the row that names them changes."""
    compiler = IncrementalCompiler(NEW)
    compiler.apply(changes(NODE, policy(LIMITED), pod("a", "10.0.0.1")))
    delta = compiler.apply(change)
    assert [key.part for key in delta.rows] == [RETURNED]
    assert compiler.desired == compile_everything(compiler.tables, compiler.settings).desired
