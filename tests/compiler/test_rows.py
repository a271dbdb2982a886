"""What a rule looks like as rows: families, meters, ports, peers, pods."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import (
    AnyAddress,
    BandwidthScope,
    Classifier,
    EgressRule,
    IPBlock,
    Limit,
    NetworkQoS,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
    PodPeer,
    Port,
    Protocol,
)
from nqosd.api.objects import Attachment, NetworkAttachment, NetworkRole, Pod, Topology
from nqosd.cache.tables import Tables
from nqosd.compiler.definition import Compiled, compile_everything
from nqosd.compiler.desired import Direction, Family, QosRow
from nqosd.compiler.matching import LONGEST_SET
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.prefixes import covered, prefixes
from nqosd.compiler.settings import Settings

BOTH = ("10.0.0.1", "fd00::1")
LIMIT = Limit(1000)
NEW, OLD = Settings(ovn=(24, 9)), Settings(ovn=(24, 3))


def pod(name: str, *addresses: str, key: str = "default", app: str = "web") -> Pod:
    """Make a pod on node n1 with one attachment."""
    return Pod("ns", name, {"app": app}, "n1", attachments=(Attachment(key, addresses),))


def policy(
    *rules: EgressRule, name: str = "p", priority: int = 1, scope: BandwidthScope = BandwidthScope.RULE
) -> NetworkQoS:
    """Make a policy for the pods with app=web."""
    web = LabelSelector.of([Requirement("app", Operator.IN, ("web",))])
    return NetworkQoS("ns", name, spec=NetworkQoSSpec(priority, rules, web, bandwidth_scope=scope))


def compiled(
    *policies: NetworkQoS, pods: Sequence[Pod], nads: Sequence[NetworkAttachment] = (), settings: Settings = NEW
) -> Compiled:
    """Compile a small world."""
    tables = Tables()
    for value in policies:
        tables.apply(Change(ResourceKind.NETWORK_QOS, value.key, None, value))
    for each in pods:
        tables.apply(Change(ResourceKind.POD, each.key, None, each))
    for nad in nads:
        tables.apply(Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, nad.key, None, nad))
    return compile_everything(tables, settings)


def rows(found: Compiled) -> list[QosRow]:
    """Give the rows of rules in order."""
    return [row for key, row in sorted(found.desired.rows.items()) if key.policy]


def match(rule: EgressRule, *addresses: str) -> str:
    """Give the only match of a rule, with the names of its sets replaced by whose they are."""
    found = compiled(policy(rule), pods=[pod("a", *addresses), pod("db", "10.0.0.9", app="db")])
    (row,) = rows(found)
    text = row.match
    for name, each in found.desired.address_sets.items():
        text = text.replace(name, "sources" if "switch n1" in each.selection else "peers")
    return text


def test_an_unlimited_rule_has_a_row_for_each_family() -> None:
    """Without a meter to share, each family's match stands in a row of its own."""
    found = rows(compiled(policy(EgressRule(8)), pods=[pod("a", *BOTH)]))
    assert [row.key.part for row in found] == ["ip4", "ip6"]
    assert [row.match.split(" == ")[0] for row in found] == ["ip4.src", "ip6.src"]
    assert {row.priority for row in found} == {10380}


def test_a_limit_is_shared_by_both_families() -> None:
    """With a meter, one row has a complete alternative for each family."""
    (row,) = rows(compiled(policy(EgressRule(8, LIMIT)), pods=[pod("a", *BOTH)]))
    ip4, ip6 = row.match.split(" || ")
    assert ip4.startswith("ip4.src == $")
    assert ip6.startswith("ip6.src == $")
    assert (row.rate, row.burst) == (1000, None)


def test_a_family_without_senders_has_no_row() -> None:
    """Where no source pod has an IPv6 address there is nothing to match."""
    assert match(EgressRule(8, LIMIT), "10.0.0.1") == "ip4.src == $sources"


def test_a_block_is_for_its_family_only() -> None:
    """A rule to an IPv4 block says nothing about IPv6, even if the pods have such addresses."""
    rule = EgressRule(8, LIMIT, Classifier(to=(IPBlock(IPNetwork.of("192.0.2.0/24")),)))
    assert match(rule, *BOTH) == "ip4.src == $sources && ip4.dst == 192.0.2.0/24"


def test_a_rule_that_can_match_nothing_has_no_row() -> None:
    """IPv4 senders and an IPv6 destination never meet; the policy is ready all the same."""
    rule = EgressRule(8, classifier=Classifier(to=(IPBlock(IPNetwork.of("2001:db8::/32")),)))
    found = compiled(policy(rule), pods=[pod("a", "10.0.0.1")])
    assert (rows(found), found.reports[0].ready) == ([], True)


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ([Port(Protocol.TCP, 80)], "tcp.dst == 80"),
        ([Port(Protocol.TCP, 443), Port(Protocol.TCP, 80)], "tcp.dst == {80, 443}"),
        ([Port(Protocol.UDP, port) for port in (5000, 5001, 5002)], "5000 <= udp.dst <= 5002"),
        ([Port(Protocol.TCP), Port(Protocol.TCP, 80)], "tcp"),
        ([Port(Protocol.TCP, 80), Port(Protocol.UDP)], "(tcp.dst == 80 || udp)"),
        ([Port(Protocol.TCP, port) for port in (1, 80, 81)], "(tcp.dst == 1 || 80 <= tcp.dst <= 81)"),
        ([Port(Protocol.SCTP, 65535)], "sctp.dst == 65535"),
    ],
)
def test_ports(ports: list[Port], text: str) -> None:
    """Ports of a protocol become a list, neighbours a range; a protocol without a port covers its ports."""
    rule = EgressRule(8, LIMIT, Classifier(ports=tuple(ports)))
    assert match(rule, "10.0.0.1") == f"ip4.src == $sources && {text}"


def test_entries_are_alternatives_and_parts_are_not() -> None:
    """Any entry of `to` will do, and `from`, `to` and `ports` must all match."""
    data = PodPeer(LabelSelector.of([Requirement("app", Operator.IN, ("db",))]))
    classifier = Classifier(
        to=(IPBlock(IPNetwork.of("192.0.2.0/24")), data),
        from_=(IPBlock(IPNetwork.of("10.0.0.0/24")),),
        ports=(Port(Protocol.TCP, 80),),
    )
    assert match(EgressRule(8, LIMIT, classifier), "10.0.0.1") == (
        "ip4.src == $sources && ip4.src == 10.0.0.0/24"
        " && (ip4.dst == $peers || ip4.dst == 192.0.2.0/24) && tcp.dst == 80"
    )


@pytest.mark.parametrize("peer", [AnyAddress(), IPBlock(IPNetwork.of("0.0.0.0/0"))])
def test_everywhere_restricts_nothing(peer: AnyAddress | IPBlock) -> None:
    """`{}`, and a block of a whole family for that family, leave the destination out of the match."""
    assert match(EgressRule(8, LIMIT, Classifier(to=(peer,))), "10.0.0.1") == "ip4.src == $sources"


def test_equal_selections_share_a_set() -> None:
    """Rules and policies with equal selections refer to the same sets, whatever their numbers."""
    rule = EgressRule(8, classifier=Classifier(to=(PodPeer(),)))
    one, two = policy(rule, rule, name="one"), policy(rule, name="two", priority=2)
    found = compiled(one, two, pods=[pod("a", "10.0.0.1")])
    assert len(rows(found)) == 3
    assert len({row.match for row in rows(found)}) == 1
    assert len(found.desired.address_sets) == 2


def test_a_row_belongs_to_one_switch() -> None:
    """Each switch has rows of its own, whose source sets hold its own pods; peers are the whole cluster's."""
    elsewhere = Pod("ns", "b", {"app": "web"}, "n2", attachments=(Attachment("default", ("10.0.1.1",)),))
    found = compiled(
        policy(EgressRule(8, classifier=Classifier(to=(PodPeer(),)))), pods=[pod("a", "10.0.0.1"), elsewhere]
    )
    assert [row.key.switch for row in rows(found)] == ["n1", "n2"]
    assert sorted(sorted(each.addresses) for each in found.desired.address_sets.values()) == [
        ["10.0.0.1"],
        ["10.0.0.1", "10.0.1.1"],
        ["10.0.1.1"],
    ]


@pytest.mark.parametrize(
    ("topology", "switch", "direction"),
    [
        (Topology.LAYER3, "my.net_n1", Direction.TO_LPORT),
        (Topology.LAYER2, "my.net_ovn_layer2_switch", Direction.FROM_LPORT),
        (Topology.LOCALNET, "my.net_ovn_localnet_switch", Direction.FROM_LPORT),
    ],
)
def test_switch_and_direction_follow_the_topology(topology: Topology, switch: str, direction: Direction) -> None:
    """Rows stand where OVN marks and limits at the source chassis for all traffic."""
    nad = NetworkAttachment("ns", "nad", network="my-net", topology=topology)
    (row,) = rows(compiled(policy(EgressRule(8)), pods=[pod("a", "10.0.0.1", key="ns/nad")], nads=[nad]))
    assert (row.key.switch, row.direction) == (switch, direction)


def test_senders_without_addresses_are_told_by_port() -> None:
    """On a flat network without addresses the match names a port group, for both families of packets."""
    nad = NetworkAttachment("ns", "nad", network="flat", topology=Topology.LAYER2)
    found = compiled(policy(EgressRule(8, LIMIT)), pods=[pod("a", key="ns/nad")], nads=[nad])
    (group,) = found.desired.port_groups.values()
    (row,) = rows(found)
    assert group.ports == {"ns.nad_ns_a"}
    assert row.match == f"(inport == @{group.name} && ip4) || (inport == @{group.name} && ip6)"


def test_a_limit_for_each_pod() -> None:
    """With scope Pod each pod has a row that names its addresses; rules without a limit still share one."""
    found = compiled(
        policy(EgressRule(8, LIMIT), EgressRule(9), scope=BandwidthScope.POD),
        pods=[pod("a", *BOTH), pod("b", "10.0.0.2")],
    )
    limited = [row for row in rows(found) if row.rate]
    assert [(row.key.part, row.match) for row in limited] == [
        ("pod/a", "ip4.src == 10.0.0.1 || ip6.src == fd00::1"),
        ("pod/b", "ip4.src == 10.0.0.2"),
    ]
    assert len([row for row in rows(found) if not row.rate]) == 2
    assert any("bandwidth-scope Pod" in warning for warning in found.reports[0].warnings)


def test_an_address_that_two_pods_claim_has_one_limit() -> None:
    """Two live pods with one address never give two rows of one priority for it: the first by name has it."""
    found = compiled(
        policy(EgressRule(8, LIMIT), scope=BandwidthScope.POD), pods=[pod("b", "10.0.0.1"), pod("a", "10.0.0.1")]
    )
    assert [row.key.part for row in rows(found)] == ["pod/a"]


def test_shields_stand_above_limits_only() -> None:
    """Before 24.09 a rule without a limit carries one that never bites if it outranks a limit in its namespace."""
    low, limited, high = (
        policy(EgressRule(1), name="low", priority=1),
        policy(EgressRule(2, LIMIT), name="limited", priority=2),
        policy(EgressRule(3), name="high", priority=3),
    )
    for settings, shield in ((OLD, 4294967295), (NEW, None), (Settings(), 4294967295)):
        found = compiled(low, limited, high, pods=[pod("a", "10.0.0.1")], settings=settings)
        assert [(row.dscp, row.rate) for row in rows(found)] == [(3, shield), (2, 1000), (1, None)]


def test_flat_primary_networks_are_warned_of() -> None:
    """Where rows stand before load balancing, a policy that looks at destinations is told so."""
    nad = NetworkAttachment("ns", "nad", network="flat", topology=Topology.LAYER2, role=NetworkRole.PRIMARY)
    rule = EgressRule(8, classifier=Classifier(ports=(Port(Protocol.TCP, 80),)))
    found = compiled(policy(rule), pods=[pod("a", "10.0.0.1", key="ns/nad")], nads=[nad])
    assert any("service's own address" in warning for warning in found.reports[0].warnings)
    silent = compiled(policy(EgressRule(8)), pods=[pod("a", "10.0.0.1", key="ns/nad")], nads=[nad])
    assert silent.reports[0].warnings == ()


def test_peers_without_addresses_are_warned_of() -> None:
    """A destination that selects pods without addresses is reported, with its field and network."""
    nad = NetworkAttachment("ns", "nad", network="flat", topology=Topology.LAYER2)
    rule = EgressRule(8, classifier=Classifier(to=(PodPeer(EVERYTHING),)))
    pods = [pod("a", "10.0.0.1", key="ns/nad"), pod("b", key="ns/nad", app="db")]
    (report,) = compiled(policy(rule), pods=pods, nads=[nad]).reports
    assert any(
        warning.startswith("spec.egress[0].classifier.to[0]: ") and "network flat" in warning
        for warning in report.warnings
    )


def test_a_policy_is_told_of_ignored_definitions_of_its_own_namespace() -> None:
    """One that it would select is named with what is wrong; another namespace's is none of its business."""
    first = NetworkAttachment("aa", "net", network="data", topology=Topology.LAYER2, accepted=True)
    own, foreign = (replace(first, namespace=each, topology=Topology.LAYER3, accepted=False) for each in ("ns", "zz"))
    found = compiled(policy(EgressRule(1)), pods=[pod("web", "10.0.0.1")], nads=[own, foreign, first])
    (warning,) = found.reports[0].warnings
    assert warning == (
        "spec.networkSelectors: definition ns/net is ignored: network data is what aa/net says, "
        "and this definition has topology layer3 and not layer2"
    )
    assert Networks.of({each.key: each for each in (own, foreign, first)}).ignored.keys() == {"ns/net", "zz/net"}


def excepting(number: int) -> IPBlock:
    """Give all addresses but some single ones far from each other, so that each takes some twenty prefixes."""
    return IPBlock(
        IPNetwork.of("0.0.0.0/0"), tuple(IPNetwork(4, 0x0A000000 + 7919 * each, 32) for each in range(number))
    )


def test_many_prefixes_stand_in_a_set_that_equal_lists_share() -> None:
    """A long list of prefixes is a set: a match stays short, and rules and policies with the same list share it."""
    rules = [EgressRule(dscp, classifier=Classifier(to=(excepting(300),))) for dscp in (8, 16)]
    found = compiled(policy(*rules), policy(rules[0], name="q", priority=2), pods=[pod("a", "10.0.0.1")])
    (listed,) = (each for each in found.desired.address_sets.values() if "prefixes" in each.selection)
    assert len(listed.addresses) > 3000
    assert len(rows(found)) == 3
    for row in rows(found):
        assert row.match.endswith(f" && ip4.dst == ${listed.name}")
        assert listed.name in row.sets
        assert len(row.match) < 100


def test_a_list_beyond_the_longest_set_is_spread_over_several() -> None:
    """Each set is written alone; together they hold every prefix once, and the match names all of them."""
    block = excepting(1200)
    found = compiled(policy(EgressRule(8, classifier=Classifier(to=(block,)))), pods=[pod("a", "10.0.0.1")])
    sets = [each for each in found.desired.address_sets.values() if "prefixes" in each.selection]
    assert len(sets) > 2
    assert all(len(each.addresses) <= LONGEST_SET for each in sets)
    every = [prefix for each in sets for prefix in each.addresses]
    assert sorted(every) == sorted(prefixes(covered([block], Family.IP4), Family.IP4))
    (row,) = rows(found)
    names = sorted(each.name for each in sets)
    assert row.match.endswith(f" && ({' || '.join(f'ip4.dst == ${name}' for name in names)})")


def test_a_list_of_prefixes_and_pods_are_alternatives() -> None:
    """Beside pods that a selector chooses, a long list is one more alternative of the same side."""
    peers = (excepting(10), PodPeer(LabelSelector.of([Requirement("app", Operator.IN, ("db",))])))
    assert match(EgressRule(8, LIMIT, Classifier(to=peers)), "10.0.0.1") == (
        "ip4.src == $sources && (ip4.dst == $peers || ip4.dst == $peers)"
    )


def test_the_guides_list_of_prefixes_stands_in_the_match() -> None:
    """The guide's 55 prefixes are few enough to be read in the match."""
    excepts = tuple(map(IPNetwork.of, ("10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16")))
    rule = EgressRule(8, classifier=Classifier(to=(IPBlock(IPNetwork.of("0.0.0.0/0"), excepts),)))
    text = match(rule, "10.0.0.1")
    assert text.count(",") == 54
    assert len(text) < 1100


def test_ports_that_stand_twice_are_matched_once() -> None:
    """A hundred ports that don't neighbour each other all stand in the match, each once."""
    ports = tuple(Port(Protocol.TCP, number) for number in (*range(2, 202, 2), *range(2, 202, 2)))
    text = match(EgressRule(8, classifier=Classifier(ports=ports)), "10.0.0.1")
    assert text.count(",") == 99


def test_any_interface_leaves_out_one_that_is_for_the_kubelet_alone() -> None:
    """A pod on a primary network of its own sends nothing over the default network, unless a policy names that one."""
    locked = replace(pod("a"), attachments=(Attachment("default", BOTH, is_locked=True),))
    named = replace(
        policy(EgressRule(8), name="named").spec or NetworkQoSSpec(1, ()),
        network_selectors=(NetworkSelector(NetworkSelectionType.DEFAULT_NETWORK, EVERYTHING, EVERYTHING),),
    )
    found = compiled(policy(EgressRule(8)), NetworkQoS("ns", "named", spec=named), pods=[locked, pod("b", "10.0.0.2")])
    members = {row.policy: set() for row in found.desired.rows}  # type: dict[str, set[str]]
    for key, row in found.desired.rows.items():
        members[key.policy].update(*(found.desired.address_sets[name].addresses for name in row.sets))
    assert members == {"ns/p": {"10.0.0.2"}, "ns/named": {"10.0.0.2", *BOTH}}
