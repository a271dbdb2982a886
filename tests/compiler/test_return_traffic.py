"""Rows of a switch that belong to no policy: for what comes back, neighbour discovery, and marks of others."""

from collections.abc import Sequence

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.networkqos import BandwidthScope, EgressRule, Limit
from nqosd.api.objects import Attachment, NetworkAttachment, NetworkRole, Node, Pod, Topology
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.desired import NEVER_BITES, OVERRIDE, RETURNED, Direction, QosRow, RowKey
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.compiler.switches import OtherRow, Switch, Switches
from tests.compiler.test_rows import NEW, OLD, pod, policy

LIMITED = EgressRule(8, Limit(1000))
RANGES = ("10.0.0.0/24", "fd00::/64")
BOTH = ("10.0.0.5", "fd00::5")
FLAT = "flat_ovn_layer2_switch"
SEEN: Switches = {
    "n1": Switch(("stor-n1",)),
    FLAT: Switch(("stotr-flat", "stotr-flat-upgrade")),
    "flat_ovn_localnet_switch": Switch(("underlay",)),
}
"""What a database has; names are whatever they are."""
NODE = Node("n1", subnets={"default": RANGES})
KEY = RowKey("", 0, "default", "n1", RETURNED)
EGRESS_IP = OtherRow("egressip-a", "from-lport", 103, "ip4.src == $served && ct.trk && ct.rpl", 42)


def changes(*objects: Object) -> list[Change]:
    """Say that objects came."""
    kinds = [ResourceKind(type(each).__name__.replace("Attachment", "AttachmentDefinition")) for each in objects]
    return [Change(kind, each.key, None, each) for kind, each in zip(kinds, objects, strict=True)]


def compiler_of(*objects: Object, seen: Switches = SEEN, settings: Settings = NEW) -> IncrementalCompiler:
    """Compile objects for a database."""
    compiler = IncrementalCompiler(settings)
    compiler.switches = seen
    compiler.apply(changes(*objects))
    check(compiler)
    return compiler


def check(compiler: IncrementalCompiler) -> None:
    """Hold the incremental result against the definition."""
    whole = compile_everything(compiler.tables, compiler.settings, compiler.switches)
    assert compiler.desired == whole.desired


def of_switches(compiler: IncrementalCompiler) -> list[QosRow]:
    """Give the rows of no policy."""
    return [row for key, row in sorted(compiler.desired.rows.items()) if not key.policy]


def outside(compiler: IncrementalCompiler) -> list[set[str]]:
    """Give the members of the sets that the row for what comes back names."""
    return [set(compiler.desired.address_sets[name].addresses) for name in compiler.desired.rows[KEY].sets]


def flat(topology: Topology, role: NetworkRole, *subnets: str) -> NetworkAttachment:
    """Make the definition of a flat network."""
    return NetworkAttachment("ns", "flat", {}, "flat", topology, role, subnets)


L2 = flat(Topology.LAYER2, NetworkRole.PRIMARY, "10.0.0.0/24")


def test_a_switch_with_limits_lets_pass_what_comes_back() -> None:
    """One row for all limits on a switch takes packets that enter by the router's port with an own address."""
    compiler = compiler_of(NODE, policy(LIMITED, LIMITED), policy(LIMITED, name="q"), pod("a", *BOTH))
    (row,) = of_switches(compiler)
    four, six = (each.name for each in sorted(compiler.desired.address_sets.values(), key=lambda each: each.selection)
                 if "outside of the ranges" in each.selection)  # fmt: skip
    assert row.match == (
        f'(inport == "stor-n1" && (ip4.src == 10.0.0.0/24 || ip4.src == ${four})) || '
        f'(inport == "stor-n1" && (ip6.src == fd00::/64 || ip6.src == ${six}))'
    )
    assert (row.key, row.priority, row.direction) == (KEY, 32767, Direction.TO_LPORT)
    assert (row.action, row.bandwidth, set(row.sets)) == ({}, {"rate": NEVER_BITES}, {four, six})
    assert row.external_ids("me") == {
        "nqosd.io/owner": "me", "nqosd.io/network": "default", "nqosd.io/switch": "n1", "nqosd.io/part": "returned"
    }  # fmt: skip


@pytest.mark.parametrize("settings", [NEW, OLD], ids=["one table", "two tables"])
def test_without_a_limit_nothing_has_to_pass(settings: Settings) -> None:
    """A mark that is set twice is the same mark: no row is needed, whatever shields other rules have."""
    assert of_switches(compiler_of(NODE, policy(EgressRule(46)), pod("a", *BOTH), settings=settings)) == []


def test_without_a_port_nothing_comes_back() -> None:
    """A switch that the database gives no port to a router has no such row, whatever it is called."""
    assert of_switches(compiler_of(NODE, policy(LIMITED), pod("a", *BOTH), seen={"n1": Switch()})) == []


def test_an_address_from_elsewhere_is_a_change_of_a_set() -> None:
    """A virtual machine that moved here with its address is let pass too, and no row changes for its sake."""
    far = Node("n2", subnets={"default": ("10.9.0.0/24",)})
    compiler = compiler_of(NODE, far, policy(LIMITED), pod("a", "10.0.0.5"))
    assert outside(compiler) == [set(), set()]
    delta = compiler.apply(changes(pod("moved", "10.9.0.5")))
    check(compiler)
    assert delta.rows == set()
    assert {"10.9.0.5"} in outside(compiler)
    compiler.apply([Change(ResourceKind.NODE, "n1", None, Node("n1", subnets={"default": (*RANGES, "10.9.0.0/24")}))])
    check(compiler)
    assert outside(compiler) == [set(), set()]


def test_a_virtual_machine_in_migration_sends_from_both_nodes() -> None:
    """Both pods of it have the one address: it is a sender on each switch, let pass on each, until the old pod ends."""
    nodes = [NODE, Node("n2", subnets={"default": ("10.9.0.0/24",)})]
    old, new = pod("old", "10.0.0.5"), replace(pod("new", "10.0.0.5"), node="n2")
    seen = {**SEEN, "n2": Switch(("stor-n2",))}
    compiler = compiler_of(*nodes, policy(LIMITED), old, new, seen=seen)

    def holding() -> list[str]:
        sets = compiler.desired.address_sets.values()
        return sorted(each.selection.rpartition(" ")[2] for each in sets if "10.0.0.5" in each.addresses)

    assert holding() == ["n1", "n2", "n2"]
    assert compiler.refused(new.key) == ()
    delta = compiler.apply(changes(replace(old, ended=True)))
    check(compiler)
    assert holding() == ["n2", "n2"]
    assert {key.switch for key in delta.rows} == {"n1"}


def test_unknown_ranges_let_pass_the_own_addresses_alone() -> None:
    """Where a node doesn't say which ranges it has, the addresses of the switch's pods stand in the sets."""
    elsewhere = Pod("ns", "b", {"app": "web"}, "n2", attachments=(Attachment("default", ("10.0.0.6",)),))
    compiler = compiler_of(policy(LIMITED), pod("a", *BOTH), elsewhere)
    assert sorted(outside(compiler), key=sorted) == [{"10.0.0.5"}, {"fd00::5"}]
    assert "/" not in compiler.desired.rows[KEY].match


def test_limits_for_each_pod_count_too() -> None:
    """However many pods have limits of their own on a switch, one row lets their packets pass."""
    pods = [pod("a", "10.0.0.5"), pod("b", "10.0.0.6")]
    assert len(of_switches(compiler_of(NODE, policy(LIMITED, scope=BandwidthScope.POD), *pods))) == 1


@pytest.mark.parametrize(
    ("topology", "role", "expected"),
    [
        (
            Topology.LAYER2,
            NetworkRole.PRIMARY,
            ['inport == {"stotr-flat", "stotr-flat-upgrade"} && ip4.src == 10.0.0.0/24'],
        ),
        (Topology.LOCALNET, NetworkRole.SECONDARY, ['inport == "underlay" && ip4.src == 10.0.0.0/24']),
    ],
)
def test_flat_networks_have_a_way_back(topology: Topology, role: NetworkRole, expected: list[str]) -> None:
    """The ranges of a flat network stand in its definition, and no address outside of them counts."""
    found = of_switches(
        compiler_of(flat(topology, role, "10.0.0.0/24"), policy(LIMITED), pod("a", "10.0.0.5", key="ns/flat"))
    )
    assert [row.match for row in found] == expected
    assert {row.direction for row in found} == {Direction.FROM_LPORT}


@pytest.mark.parametrize(
    ("addresses", "rule", "expected"),
    [
        (("fd00::5",), LIMITED, ["nd || nd_rs || nd_ra"]),
        ((), LIMITED, ["nd || nd_rs || nd_ra"]),
        (("10.0.0.5",), LIMITED, []),
        (("fd00::5",), EgressRule(8), []),
    ],
    ids=["IPv6", "by port", "IPv4", "no limit"],
)
def test_neighbour_discovery_is_not_limited(addresses: tuple[str, ...], rule: EgressRule, expected: list[str]) -> None:
    """On a flat network with a limit for senders that may speak IPv6, neighbour discovery passes."""
    network = flat(Topology.LAYER2, NetworkRole.SECONDARY)
    compiler = compiler_of(network, policy(rule), pod("a", *addresses, key="ns/flat"), seen={FLAT: Switch()})
    assert [row.match for row in of_switches(compiler)] == expected


def test_the_row_stays_until_the_last_limit_goes() -> None:
    """Of two policies with limits one may go; with the other one goes the row, which may linger."""
    one, two = policy(LIMITED, name="one"), policy(LIMITED, name="two")
    compiler = compiler_of(NODE, one, two, pod("a", "10.0.0.5"))
    assert KEY not in compiler.apply([Change(ResourceKind.NETWORK_QOS, one.key, one, None)]).rows
    assert KEY in compiler.desired.rows
    assert KEY in compiler.apply([Change(ResourceKind.NETWORK_QOS, two.key, two, None)]).rows
    assert KEY not in compiler.desired.rows
    assert compiler.may_wait(KEY)


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
    compiler = compiler_of(NODE, policy(LIMITED), pod("a", "10.0.0.5"))
    delta = compiler.apply(change)
    assert [key.part for key in delta.rows] == [RETURNED]
    check(compiler)


def test_other_ports_change_the_row() -> None:
    """When a switch gets another port to a router, as in an upgrade, exactly the row that names it changes."""
    compiler = compiler_of(NODE, policy(LIMITED), pod("a", "10.0.0.5"))
    compiler.switches = {"n1": Switch(("stotr-n1",))}
    assert compiler.apply([]).rows == {KEY}
    check(compiler)
    assert '"stotr-n1"' in compiler.desired.rows[KEY].match


def test_a_mark_of_egress_ip_is_mirrored() -> None:
    """On a flat switch with rows of a policy, EgressIP's mark is set in the other direction, by its own match."""
    marked = replace(SEEN[FLAT], others=(EGRESS_IP,), has_acls=True)
    web = policy(EgressRule(8))
    compiler = compiler_of(L2, web, pod("a", "10.0.0.5", key="ns/flat"), seen={FLAT: marked})
    (row,) = of_switches(compiler)
    assert (row.direction, row.priority, row.match) == (Direction.TO_LPORT, 32766, EGRESS_IP.match)
    assert (row.action, row.bandwidth) == ({"mark": 42}, {})
    assert row.external_ids("me")["nqosd.io/part"] == "mark/egressip-a"
    assert compiler.objections == {}
    assert compiler.report(web.key).warnings == ()  # type: ignore[union-attr] # the policy is there
    compiler.switches = {FLAT: SEEN[FLAT]}
    assert row.key in compiler.apply([]).rows
    assert of_switches(compiler) == []
    assert not compiler.may_wait(row.key)


def test_the_mirror_goes_with_the_last_row_of_a_policy() -> None:
    """Without a sender nothing suppresses the mark; the mirror may linger as long as what it mirrors is there."""
    marked = replace(SEEN[FLAT], others=(EGRESS_IP,))
    sender = pod("a", "10.0.0.5", key="ns/flat")
    compiler = compiler_of(L2, policy(EgressRule(8)), sender, seen={FLAT: marked})
    (row,) = of_switches(compiler)
    assert row.key in compiler.apply([Change(ResourceKind.POD, sender.key, sender, None)]).rows
    assert of_switches(compiler) == []
    assert compiler.may_wait(row.key)
    compiler.switches = {FLAT: SEEN[FLAT]}
    assert row.key in compiler.apply([]).rows
    assert not compiler.may_wait(row.key)


def test_a_mirror_that_is_not_what_it_should_be_goes() -> None:
    """One that lingers leaves when EgressIP's mark or match is another one; one that came anew may linger again."""
    marked = replace(SEEN[FLAT], others=(EGRESS_IP,))
    sender = pod("a", "10.0.0.5", key="ns/flat")
    compiler = compiler_of(L2, policy(EgressRule(8)), sender, seen={FLAT: marked})
    (row,) = of_switches(compiler)
    compiler.apply([Change(ResourceKind.POD, sender.key, sender, None)])
    compiler.switches = {FLAT: replace(marked, uplinks=("stotr-flat",))}
    compiler.apply([])
    assert compiler.may_wait(row.key), "only a port is another one"
    compiler.switches = {FLAT: replace(marked, others=(attrs.evolve(EGRESS_IP, mark=43),))}
    assert row.key in compiler.apply([]).rows
    assert not compiler.may_wait(row.key)
    compiler.apply(changes(sender))
    check(compiler)
    compiler.apply([Change(ResourceKind.POD, sender.key, sender, None)])
    assert compiler.may_wait(row.key)


def test_rows_of_the_old_controller_act_on_no_packet_of_a_flat_switch() -> None:
    """While they are there, a row of their direction outranks them, below the mirrors; it leaves with the last one."""
    seen = replace(SEEN[FLAT], others=(EGRESS_IP,), has_acls=True, theirs=True)
    compiler = compiler_of(L2, policy(EgressRule(8)), pod("a", "10.0.0.5", key="ns/flat"), seen={FLAT: seen})
    mirror, row = of_switches(compiler)
    assert (row.key.part, row.direction, row.match) == (OVERRIDE, Direction.TO_LPORT, "ip")
    assert (row.action, row.bandwidth) == ({}, {"rate": NEVER_BITES})
    assert 32000 < row.priority < mirror.priority
    compiler.switches = {FLAT: replace(seen, theirs=False)}
    assert row.key in compiler.apply([]).rows
    assert of_switches(compiler) == [mirror]
    assert not compiler.may_wait(row.key)


@pytest.mark.parametrize(
    ("other", "is_said"),
    [
        (OtherRow("", "to-lport", 1000, "ip4.src == $egress_qos", None), True),
        (OtherRow("", "to-lport", 32765, "ip4", 7), True),
        (OtherRow("", "to-lport", 32766, "ip4", None), False),
        (OtherRow("", "from-lport", 1000, "ip4", None), False),
    ],
    ids=["dscp", "mark", "higher", "other direction"],
)
def test_what_the_row_above_the_old_controllers_suppresses_is_said(other: OtherRow, *, is_said: bool) -> None:
    """Others' rows below it act no more, for which there is one warning for the switch as long as it is there."""
    seen = replace(SEEN[FLAT], others=(EGRESS_IP, other), theirs=True)
    web = policy(EgressRule(8))
    compiler = compiler_of(L2, web, pod("a", "10.0.0.5", key="ns/flat"), seen={FLAT: seen})
    said = compiler.objections[FLAT].split("; ")
    assert "has no ACL" in said[0]  # what else there is to say is said all the same
    assert [f"{other} doesn't act as long as" in each for each in said] == [False, *[True] * is_said]
    compiler.switches = {FLAT: replace(seen, has_acls=True, theirs=False)}
    compiler.apply([])
    assert compiler.objections == {}
    check(compiler)


def test_rows_of_the_old_controller_on_layer3_are_outranked_by_those_of_rules() -> None:
    """They stand in the same direction, so nothing more is needed."""
    seen = {"n1": replace(SEEN["n1"], theirs=True)}
    assert of_switches(compiler_of(NODE, policy(EgressRule(8)), pod("a", "10.0.0.5"), seen=seen)) == []


@pytest.mark.parametrize(
    "mark",
    [
        attrs.evolve(EGRESS_IP, direction="to-lport"),
        attrs.evolve(EGRESS_IP, priority=32000),
    ],
    ids=["other direction", "higher"],
)
def test_a_mark_that_is_not_suppressed_is_left_alone(mark: OtherRow) -> None:
    """A row in the other direction, or above all rules, acts beside ours: no mirror, no warning."""
    seen = {FLAT: Switch((), (mark,))}
    compiler = compiler_of(L2, policy(EgressRule(8)), pod("a", "10.0.0.5", key="ns/flat"), seen=seen)
    assert (of_switches(compiler), compiler.objections) == ([], {})


@pytest.mark.parametrize(
    ("mark", "has_acls", "words"),
    [(attrs.evolve(EGRESS_IP, egress_ip=""), True, "its priority is lower"), (EGRESS_IP, False, "has no ACL")],
    ids=["of somebody else", "without an ACL"],
)
def test_what_cannot_be_made_up_for_is_said(mark: OtherRow, has_acls: bool, words: str) -> None:  # noqa: FBT001
    """A mark of others that is suppressed, or a mirror that can't work, is one warning for the switch."""
    web = policy(EgressRule(8))
    seen = {FLAT: Switch((), (mark,), has_acls)}
    compiler = compiler_of(L2, web, pod("a", "10.0.0.5", key="ns/flat"), seen=seen)
    assert words in compiler.objections[FLAT]
    report = compiler.report(web.key)
    assert report is not None
    assert report.warnings == (f"switch {FLAT}: {compiler.objections[FLAT]}",)
    (whole,) = compile_everything(compiler.tables, compiler.settings, seen).reports
    assert whole == report


def test_several_switches_are_said_in_one_order() -> None:
    """Whatever order switches come in, a policy's warnings about them stand in that of the definition."""
    names = {name: f"{name}_ovn_layer2_switch" for name in ("b", "a")}
    nads = [NetworkAttachment("ns", name, {}, name, Topology.LAYER2, NetworkRole.PRIMARY) for name in names]
    mark = attrs.evolve(EGRESS_IP, egress_ip="")
    web, compiler = policy(EgressRule(8)), IncrementalCompiler(NEW)
    compiler.switches = {switch: Switch((), (mark,)) for switch in names.values()}
    compiler.apply(changes(web, *nads))
    for name in names:
        compiler.apply(changes(pod(name, "10.0.0.5", key=f"ns/{name}")))
    (whole,) = compile_everything(compiler.tables, NEW, compiler.switches).reports
    assert compiler.report(web.key) == whole
    assert [each.split(":")[0] for each in whole.warnings] == [f"switch {names['a']}", f"switch {names['b']}"]
