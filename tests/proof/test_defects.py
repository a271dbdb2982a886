"""What ovn-kubernetes' controller got wrong, and nqosd gets right: one by one, as `docs/defects.md` numbers them.

A policy's rows are asked what they do to packets; the oracle has no part in it.
"""

import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from tests.oracle.cluster_strategies import Manifest
from tests.oracle.examples import block, nad, namespace, pod, policy, rule
from tests.oracle.packet import packet
from tests.oracle.rows import Result
from tests.oracle.strategies import Settings as Options
from tests.proof.agreement import Case, changes_of
from tests.proof.scenarios import VERSIONS, Scenario

WEB, DATA = {"app": "web"}, {"app": "db"}
BOTH = "10.0.0.1", "fd00::1"


@pytest.fixture(params=VERSIONS, ids=["23.03", "25.03"])
def version(request: pytest.FixtureRequest) -> str:
    """A version of OVN, one of each generation."""
    return str(request.param)


def compiled(version: str, *manifests: Manifest) -> Case:
    """Compile some manifests."""
    objects: dict[str, list[Manifest]] = {}
    for each in manifests:
        objects.setdefault(str(each["kind"]), []).append(each)
    return Case.of(Scenario(objects, Options(zone=None, unselected_networks="all"), version))


def dscp(case: Case, destination: str, protocol: str = "tcp", port: int | None = 80, source: str = "10.0.0.1") -> int:
    """Give the mark of a packet that is sent on node n1's default switch; 0, what a packet has anyhow, for none."""
    result: Result | None = case.rows.treat("n1", packet(source, destination, protocol, port))
    return 0 if result is None else result.treatment.dscp or 0


def changes(*manifests: Manifest) -> list[Change]:
    """Decode some manifests, as an informer tells them."""
    return [change for each in manifests for change in changes_of({str(each["kind"]): [each]})]


# 1
def test_bands_of_priorities_do_not_overlap(version: str) -> None:
    """The first rule of a policy beats the last one of a policy of the next lower priority, with 20 rules each."""
    low = policy("low", *(rule(number + 1) for number in range(20)), priority=1)
    high = policy("high", *(rule(41 + number, to=[block(f"10.9.{number}.0/24")]) for number in range(20)), priority=2)
    case = compiled(version, pod("p", "10.0.0.1"), low, high)
    assert dscp(case, "10.9.0.1") == 41
    assert dscp(case, "10.9.19.1") == 60
    assert dscp(case, "10.8.0.1") == 20


# 2
def test_ports_alone_are_a_match(version: str) -> None:
    """A rule with ports and nothing else matches them towards any destination of either family."""
    case = compiled(version, pod("p", *BOTH), policy("q", rule(7, ports=[{"protocol": "TCP", "port": 80}])))
    assert [row["match"].count("tcp.dst == 80") for row in case.compiled["qos"]] == [1, 1]
    assert (dscp(case, "192.0.2.1"), dscp(case, "2001:db8::1", source="fd00::1")) == (7, 7)
    assert dscp(case, "192.0.2.1", port=81) == 0


# 3
def test_a_port_without_a_protocol_is_of_tcp(version: str) -> None:
    """A port without a protocol is one port of TCP, not every port."""
    case = compiled(version, pod("p", "10.0.0.1"), policy("q", rule(7, ports=[{"port": 80}])))
    assert dscp(case, "192.0.2.1") == 7
    assert (dscp(case, "192.0.2.1", port=81), dscp(case, "192.0.2.1", "udp")) == (0, 0)


# 3
def test_a_port_does_not_narrow_its_whole_protocol(version: str) -> None:
    """A protocol and one port of it, as two entries, are the whole protocol."""
    ports: list[object] = [{"protocol": "TCP"}, {"protocol": "TCP", "port": 80}]
    case = compiled(version, pod("p", "10.0.0.1"), policy("q", rule(7, ports=ports)))
    assert (dscp(case, "192.0.2.1"), dscp(case, "192.0.2.1", port=81), dscp(case, "192.0.2.1", "udp")) == (7, 7, 0)


# 4
def test_an_empty_selector_selects_pods(version: str) -> None:
    """An empty podSelector means the pods of the policy's namespace, an empty namespaceSelector those of all."""
    pods = pod("p", "10.0.0.1"), pod("mine", "10.0.0.2"), pod("other", "10.0.0.3", space="blue")
    own = compiled(version, *pods, policy("q", rule(7, to=[{"podSelector": {}}])))
    assert [dscp(own, each) for each in ("10.0.0.2", "10.0.0.3", "192.0.2.1")] == [7, 0, 0]
    every = compiled(version, *pods, policy("q", rule(7, to=[{"namespaceSelector": {}}])))
    assert [dscp(every, each) for each in ("10.0.0.2", "10.0.0.3", "192.0.2.1")] == [7, 7, 0]


# 5
def test_blocks_are_checked(version: str) -> None:
    """A CIDR or an exception that is wrong keeps the whole policy from being applied, and is named."""
    wrong = rule(7, to=[block("10.0.0.0/33"), block("192.168.0.0/16", "10.0.0.0/8", "fd00::/64", "x")])
    case = compiled(version, pod("p", "10.0.0.1"), policy("q", wrong))
    (entry,) = case.compiled["policies"]
    assert (entry["ready"], case.compiled["qos"]) == (False, [])
    to = "spec.egress[0].classifier.to"
    excepts = [f"{to}[1].ipBlock.except[{number}]" for number in range(3)]
    assert [problem["field"] for problem in entry["problems"]] == [f"{to}[0].ipBlock.cidr", *excepts]


# 6
def test_a_burst_without_a_rate_is_told(version: str) -> None:
    """A burst without a rate limits nothing, and the policy says so."""
    case = compiled(version, pod("p", "10.0.0.1"), policy("q", {"dscp": 7, "bandwidth": {"burst": 100}}))
    (entry,) = case.compiled["policies"]
    assert entry["warnings"] == ["spec.egress[0].bandwidth.burst: 100 has no effect without rate"]
    assert [row["bandwidth"] for row in case.compiled["qos"]] == [{}]


# 7
@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_an_address_is_not_inherited(version: str, phase: str) -> None:
    """A pod that has ended leaves neither of its addresses marked for the pod that has them now."""
    chosen = policy("q", rule(7), podSelector={"matchLabels": WEB})
    ended, successor = pod("p", *BOTH, labels=WEB, phase=phase), pod("s", *BOTH, labels=DATA)
    case = compiled(version, ended, successor, pod("other", "10.0.0.2", "fd00::2", labels=WEB), chosen)
    assert (dscp(case, "192.0.2.1"), dscp(case, "2001:db8::1", source="fd00::1")) == (0, 0)
    assert (dscp(case, "192.0.2.1", source="10.0.0.2"), dscp(case, "2001:db8::1", source="fd00::2")) == (7, 7)


# 7
def test_a_pod_that_ends_takes_both_addresses_along() -> None:
    """When a pod ends, its IPv4 and its IPv6 address leave the sets; those of a successor in the set stay."""
    first = changes(policy("q", rule(7)), pod("p", *BOTH), pod("s", "10.0.0.1"), pod("t", "10.0.0.2", "fd00::2"))
    compiler = IncrementalCompiler(Settings())
    compiler.apply(first)
    delta = compiler.apply(changes(pod("p", *BOTH, phase="Succeeded")))
    assert not delta.rows
    assert [(members.added, members.removed) for members in delta.sets.values()] == [(set(), {"fd00::1"})]


# 8
def test_an_address_that_changes_is_followed() -> None:
    """A pod whose address becomes another one is in its sets with that one, though it has as many as before."""
    compiler = IncrementalCompiler(Settings())
    compiler.apply(changes(policy("q", rule(7)), pod("p", "10.0.0.1"), pod("s", "10.0.0.9")))
    delta = compiler.apply(changes(pod("p", "10.0.0.2")))
    assert [(members.added, members.removed) for members in delta.sets.values()] == [({"10.0.0.2"}, {"10.0.0.1"})]


# 8
def test_a_network_that_changes_is_followed() -> None:
    """A policy comes to a network when a definition of it gets the label, and leaves it when the label goes."""
    selected = {
        "networkSelectionType": "NetworkAttachmentDefinitions",
        "networkAttachmentDefinitionSelector": {"namespaceSelector": {}, "networkSelector": {"matchLabels": WEB}},
    }
    compiler = IncrementalCompiler(Settings())
    sender = pod("p", "10.0.0.1", networks={"red/stream": ["10.1.0.1"]})
    compiler.apply(changes(policy("q", rule(7), networkSelectors=[selected]), sender, nad("red/stream", "stream")))
    assert not compiler.desired.rows
    compiler.apply(changes(nad("red/stream", "stream", labels=WEB)))
    assert [key.switch for key in compiler.desired.rows] == ["stream_n1"]
    compiler.apply([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, "red/stream", None, None)])
    assert not compiler.desired.rows


# 11
def test_a_new_rule_renames_no_set() -> None:
    """A rule put before others adds sets of its own; the others' sets keep their names and members."""
    to = [rule(1, to=[{"podSelector": {"matchLabels": WEB}}]), rule(2, to=[{"podSelector": {"matchLabels": DATA}}])]
    pods = pod("p", "10.0.0.1", labels=WEB), pod("s", "10.0.0.2", labels=DATA), pod("t", "10.0.0.3", space="blue")
    compiler = IncrementalCompiler(Settings())
    compiler.apply(changes(namespace("blue", **DATA), *pods, policy("q", *to)))
    before = {name: set(members) for name, members in compiler.desired.members().items()}
    first = rule(3, to=[{"namespaceSelector": {"matchLabels": DATA}}])
    delta = compiler.apply(changes(policy("q", first, *to)))
    after = {name: set(members) for name, members in compiler.desired.members().items()}
    assert len(before) == 3
    assert len(after) == 4
    assert before.items() <= after.items()
    assert delta.sets.keys() == after.keys() - before.keys()


# 12
def test_one_pod_changes_its_own_sets_alone() -> None:
    """A new pod among fifty, for ten policies, is one more member of one shared set and nothing else."""
    compiler = IncrementalCompiler(Settings())
    pods = [pod(f"p{number}", f"10.0.0.{number + 1}") for number in range(50)]
    compiler.apply(changes(*pods, *(policy(f"q{number}", rule(number), priority=number) for number in range(10))))
    delta = compiler.apply(changes(pod("new", "10.0.1.1")))
    assert not delta.rows
    assert [(members.added, members.removed) for members in delta.sets.values()] == [({"10.0.1.1"}, set())]
