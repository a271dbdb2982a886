"""Rules: priority, DSCP, bandwidth, peers and ports."""

import pytest

from nqosd.api.labels import EVERYTHING
from nqosd.api.networkqos import AnyAddress, Classifier, IPBlock, Limit, PodPeer, Port, Protocol
from tests.api.manifests import Json, classifier, rule
from tests.api.written import labelled, network, problems, rule_of, spec_of, warnings

WAY_OUT = "leave burst unset or set it to 20000"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (None, "spec: required: an object"),
        ([], "spec: a list is not an object"),
        (rule() | {"priority": None}, "spec.priority: required: an integer from 0 to 100"),
        (rule() | {"priority": 101}, "spec.priority: 101 is not an integer from 0 to 100"),
        (rule() | {"priority": -1}, "spec.priority: -1 is not an integer from 0 to 100"),
        (rule() | {"priority": True}, "spec.priority: true is a boolean, not an integer from 0 to 100"),
        (rule() | {"priority": 1.5}, "spec.priority: 1.5 is not an integer from 0 to 100"),
        (rule() | {"priority": 1e300}, "spec.priority: 1e+300 is not an integer from 0 to 100"),
        (rule() | {"priority": "1"}, 'spec.priority: "1" is a string, not an integer from 0 to 100'),
        (rule(dscp=64), "spec.egress[0].dscp: 64 is not an integer from 0 to 63"),
        (rule(dscp=None), "spec.egress[0].dscp: required: an integer from 0 to 63"),
        (rule() | {"egress": None}, "spec.egress: required: a list of rules"),
        (rule() | {"egress": {}}, "spec.egress: an object is not a list"),
        (
            rule() | {"egress": [{"dscp": 1}] * 21},
            "spec.egress: 21 rules; at most 20 are allowed; move the others to a policy of their own",
        ),
        (rule() | {"egress": [5]}, "spec.egress[0]: 5 is not an object"),
        (rule(bandwidth=[]), "spec.egress[0].bandwidth: a list is not an object"),
        (
            rule(bandwidth={"rate": 0}),
            "spec.egress[0].bandwidth.rate: 0 is not an integer from 1 to 4294967295",
        ),
        (
            rule(bandwidth={"rate": 1, "burst": 2**32}),
            "spec.egress[0].bandwidth.burst: 4294967296 is not an integer from 1 to 4294967295",
        ),
        (rule(classifier="x"), "spec.egress[0].classifier: x is not an object"),
        (
            classifier(ports=[{"protocol": "tcp"}]),
            "spec.egress[0].classifier.ports[0].protocol: tcp is not one of TCP, UDP, SCTP",
        ),
        (
            classifier(ports=[{"protocol": "TCPfoo"}]),
            "spec.egress[0].classifier.ports[0].protocol: TCPfoo is not one of TCP, UDP, SCTP",
        ),
        (
            classifier(ports=[{"port": 65536}]),
            "spec.egress[0].classifier.ports[0].port: 65536 is not an integer from 1 to 65535",
        ),
        (classifier(ports=[None]), "spec.egress[0].classifier.ports[0]: required: an object"),
        (classifier(to=[None]), "spec.egress[0].classifier.to[0]: required: an object"),
        (classifier(to={}), "spec.egress[0].classifier.to: an object is not a list"),
        (
            {"priority": 10**30, "egress": []},
            "spec.priority: 1000000000000000000000000000000 is not an integer from 0 to 100",
        ),
        (
            rule() | {"priority": "wide\n" * 50},
            r'spec.priority: "' + r"wide\n" * 13 + "w… is a string, not an integer from 0 to 100",
        ),
    ],
)
def test_a_fault_names_field_value_and_what_is_right(spec: object, problem: str) -> None:
    """One fault gives one problem, whose text is enough to mend it; a long value is cut, on one line."""
    assert [str(each) for each in problems(spec)] == [problem]


def test_all_faults_are_found_at_once() -> None:
    """A person sees every problem of a policy in one go."""
    faulty = {
        "priority": 101,
        "podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
        "egress": [
            {"dscp": 1},
            {"dscp": 64, "classifier": {"ports": [{"port": 0}], "from": [{"ipBlock": {"cidr": "x"}}]}},
        ],
    }
    assert [problem.field for problem in problems(faulty)] == [
        "spec.priority",
        "spec.podSelector.matchExpressions[0].values",
        "spec.egress[1].dscp",
        "spec.egress[1].classifier.from[0].ipBlock.cidr",
        "spec.egress[1].classifier.ports[0].port",
    ]


@pytest.mark.parametrize(
    ("bandwidth", "limit"),
    [
        (None, None),
        ({}, None),
        ({"rate": 20000}, Limit(20000)),
        ({"rate": 4294967295, "burst": 4294967295}, Limit(4294967295, 4294967295)),
        ({"burst": 5}, None),
    ],
)
def test_a_limit_needs_a_rate(bandwidth: object, limit: Limit | None) -> None:
    """Without rate there is no limit, whatever burst says."""
    assert rule_of(rule(bandwidth=bandwidth)).limit == limit


@pytest.mark.parametrize(
    ("bandwidth", "warning"),
    [
        ({"burst": 100}, "100 has no effect without rate"),
        ({"rate": 20000, "burst": 2000}, None),
        (
            {"rate": 20000, "burst": 1999},
            f"1999 is less than a tenth of rate 20000: TCP gets only a fraction of it; {WAY_OUT}",
        ),
        (
            {"rate": 20000, "burst": 20},
            f"20 is less than a tenth of rate 20000: TCP gets only a fraction of it; {WAY_OUT}",
        ),
        (
            {"rate": 20000, "burst": 19},
            f"19 is less than a thousandth of rate 20000: nothing passes at all; {WAY_OUT}",
        ),
    ],
)
def test_a_burst_that_harms_gets_a_warning(bandwidth: Json, warning: str | None) -> None:
    """Measured: below a tenth of the rate TCP suffers, below a thousandth nothing passes."""
    expected = () if warning is None else (f"spec.egress[0].bandwidth.burst: {warning}",)
    assert warnings(rule(bandwidth=bandwidth)) == expected


def test_parts_that_are_absent_do_not_restrict() -> None:
    """Absent, null and empty are the same."""
    for spec in (
        rule(),
        rule(classifier=None),
        classifier(),
        classifier(to=None, ports=[]),
        classifier(**{"from": []}),
    ):
        assert rule_of(spec).classifier == Classifier()


def test_every_form_of_a_peer_is_read() -> None:
    """An entry is a block of addresses, pods, or any address; `from` takes the same entries as `to`."""
    entries = [
        {},
        {"ipBlock": {"cidr": "10.0.0.1/8", "except": ["10.1.2.3/16"]}},
        {"ipBlock": {"cidr": "FD00::1/64"}},
        {"podSelector": {}},
        {"podSelector": {"matchLabels": {"a": "1"}}, "namespaceSelector": {}},
        {"namespaceSelector": {"matchLabels": {"b": "2"}}},
        {"ipBlock": None, "podSelector": None},
    ]
    peers = (
        AnyAddress(),
        IPBlock(network("10.0.0.0/8"), (network("10.1.0.0/16"),)),
        IPBlock(network("fd00::/64")),
        PodPeer(),
        PodPeer(labelled("a", "1"), EVERYTHING),
        PodPeer(EVERYTHING, labelled("b", "2")),
        AnyAddress(),
    )
    assert rule_of(classifier(to=entries)).classifier == Classifier(to=peers)
    assert rule_of(classifier(**{"from": entries})).classifier == Classifier(from_=peers)


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({}, "cidr: required: a text"),
        ({"cidr": 5}, "cidr: 5 is a number, not a text"),
        ({"cidr": ""}, 'cidr: "" is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64'),
        ({"cidr": "bogus"}, "cidr: bogus is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64"),
        ({"cidr": "10.0.0.0/33"}, "cidr: 10.0.0.0/33 is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64"),
        ({"cidr": "010.0.0.0/8"}, "cidr: 010.0.0.0/8 is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64"),
        ({"cidr": "fe80::%1/64"}, "cidr: fe80::%1/64 is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64"),
        ({"cidr": "10.0.0"}, "cidr: 10.0.0 is not a CIDR such as 192.168.1.0/24 or 2001:db8::/64"),
        ({"cidr": "10.0.0.0/255.0.0.0"}, "cidr: 10.0.0.0/255.0.0.0 is not a CIDR; write 10.0.0.0/8"),
        ({"cidr": "10.0.0.0/08"}, "cidr: 10.0.0.0/08 is not a CIDR; write 10.0.0.0/8"),
        ({"cidr": "10.0.0.0/8", "except": "10.0.0.0/9"}, "except: 10.0.0.0/9 is not a list"),
        ({"cidr": "10.0.0.0/8", "except": [5]}, "except[0]: 5 is a number, not a text"),
        (
            {"cidr": "192.168.0.0/16", "except": ["192.168.1.0/24", "10.0.0.0/8"]},
            "except[1]: 10.0.0.0/8 is not inside 192.168.0.0/16",
        ),
        (
            {"cidr": "192.168.0.0/16", "except": ["10.0.0.1"]},
            "except[0]: 10.0.0.1/32 is not inside 192.168.0.0/16",
        ),
        (
            {"cidr": "192.168.0.0/16", "except": ["192.168.0.0/15"]},
            "except[0]: 192.168.0.0/15 is not inside 192.168.0.0/16",
        ),
        (
            {"cidr": "0.0.0.0/0", "except": ["::/0"]},
            "except[0]: ::/0 is not inside 0.0.0.0/0: one is IPv4, the other IPv6",
        ),
    ],
)
def test_a_bad_block_is_a_problem_of_its_field(block: Json, problem: str) -> None:
    """A CIDR must parse, and every except must lie inside it and be of its family."""
    found = problems(rule() | {"egress": [{"dscp": 1}, {"dscp": 2, "classifier": {"to": [{}, {"ipBlock": block}]}}]})
    assert [str(each) for each in found] == [f"spec.egress[1].classifier.to[1].ipBlock.{problem}"]


@pytest.mark.parametrize("selector", ["podSelector", "namespaceSelector"])
def test_a_block_can_not_stand_beside_a_selector(selector: str) -> None:
    """Addresses and pods in one entry would contradict each other."""
    found = problems(classifier(to=[{"ipBlock": {"cidr": "10.0.0.0/8"}, selector: {}}]))
    assert [problem.field for problem in found] == ["spec.egress[0].classifier.to[0]"]


def test_an_address_without_a_length_is_that_address() -> None:
    """ovn-kubernetes' CRD accepts it, and so do its users; a warning says how it is taken."""
    entry = {"ipBlock": {"cidr": "10.0.0.1"}}, {"ipBlock": {"cidr": "fd00::/8", "except": ["fd00::1"]}}
    spec = classifier(to=[*entry])
    assert rule_of(spec).classifier.to == (
        IPBlock(network("10.0.0.1/32")),
        IPBlock(network("fd00::/8"), (network("fd00::1/128"),)),
    )
    assert warnings(spec) == (
        "spec.egress[0].classifier.to[0].ipBlock.cidr: 10.0.0.1 has no prefix length: taken as 10.0.0.1/32",
        "spec.egress[0].classifier.to[1].ipBlock.except[0]: fd00::1 has no prefix length: taken as fd00::1/128",
    )


def test_ipv4_within_ipv6_is_ipv4() -> None:
    """A block within ::ffff:0:0/96 is taken as IPv4, with a warning, since no packet has such addresses."""
    entry = {"ipBlock": {"cidr": "::ffff:10.0.0.0/104", "except": ["::FFFF:a01:0/112", "10.2.0.0/16"]}}
    spec = classifier(to=[entry, {"ipBlock": {"cidr": "::ffff:a00:1"}}, {"ipBlock": {"cidr": "::ffff:0:0/95"}}])
    excepts = network("10.1.0.0/16"), network("10.2.0.0/16")
    assert rule_of(spec).classifier.to == (
        IPBlock(network("10.0.0.0/8"), excepts),
        IPBlock(network("10.0.0.1/32")),
        IPBlock(network("::fffe:0:0/95")),
    )
    place, said = "spec.egress[0].classifier.to", "is IPv4 within IPv6, which no packet has: taken as"
    assert warnings(spec) == (
        f"{place}[0].ipBlock.cidr: ::ffff:10.0.0.0/104 {said} 10.0.0.0/8",
        f"{place}[0].ipBlock.except[0]: ::FFFF:a01:0/112 {said} 10.1.0.0/16",
        f"{place}[1].ipBlock.cidr: ::ffff:a00:1 {said} 10.0.0.1/32",
    )


def test_a_number_without_a_fraction_is_an_integer() -> None:
    """The API server takes 10.0 and 1e1 for 10, and so do manifests that never saw one."""
    found = rule_of({**rule(dscp=10.0), "priority": 1e1})
    assert (found.dscp, type(found.dscp)) == (10, int)


def test_excepts_that_leave_nothing_get_a_warning() -> None:
    """A block without addresses is valid and matches no packet."""
    halves = ["10.0.0.0/9", "10.128.0.0/9"]
    assert warnings(classifier(to=[{"ipBlock": {"cidr": "10.0.0.0/8", "except": halves}}])) == (
        "spec.egress[0].classifier.to[0].ipBlock: except leaves nothing of 10.0.0.0/8: this entry matches no packet",
    )
    assert warnings(classifier(to=[{"ipBlock": {"cidr": "10.0.0.0/8", "except": halves[:1]}}])) == ()


def test_a_port_without_a_protocol_is_tcp() -> None:
    """As in NetworkPolicy; a protocol without a port is all of it, and an empty entry is worth a warning."""
    spec = classifier(ports=[{"port": 80}, {"protocol": "UDP"}, {"protocol": "SCTP", "port": 65535}, {}])
    ports = (Port(Protocol.TCP, 80), Port(Protocol.UDP), Port(Protocol.SCTP, 65535), Port(Protocol.TCP))
    assert rule_of(spec).classifier.ports == ports
    assert warnings(spec) == (
        "spec.egress[0].classifier.ports[3]: neither protocol nor port: taken as every port of TCP",
    )


def test_a_policy_without_rules_is_valid_and_gets_a_warning() -> None:
    """The CRD admits it, and it does nothing."""
    assert spec_of({"priority": 0, "egress": []}).egress == ()
    assert warnings({"priority": 0, "egress": []}) == ("spec.egress: no rules: this policy does nothing",)


def test_unknown_fields_get_a_warning() -> None:
    """An API server drops them, so they refuse nothing; a typing error is still told."""
    assert warnings(rule(dcsp=5) | {"podselector": {}}) == (
        "spec.podselector: unknown field, ignored",
        "spec.egress[0].dcsp: unknown field, ignored",
    )
