"""Decoding a NetworkQoS: its identity, its age, its status, and the problems that stand in its way."""

import pytest

from nqosd.api.decoding import DecodeError, decode_network_qos
from nqosd.api.networkqos import (
    BandwidthScope,
    Classifier,
    Condition,
    EgressRule,
    IPBlock,
    Limit,
    NetworkQoSSpec,
    NetworkQoSStatus,
    NetworkSelectionType,
    NetworkSelector,
)
from nqosd.api.problems import Problem
from tests.api.manifests import GUIDE_SPEC, classifier, policy, rule, wire
from tests.api.written import labelled, network


def test_the_guides_policy_decodes() -> None:
    """The example of the user's guide is valid, and its burst is worth a warning."""
    decoded = decode_network_qos(policy(GUIDE_SPEC))
    assert decoded.resource_version == "41"
    value = decoded.value
    assert (value.key, value.created, value.uid, value.generation) == ("shop/limit", "2026-11-24T10:00:00Z", "0b1c", 3)
    excepts = tuple(network(each) for each in ("10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16"))
    streams = NetworkSelector(
        NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS,
        networks=labelled("nad-type", "ovn-kubernetes-nqos"),
    )
    to = IPBlock(network("0.0.0.0/0"), excepts)
    assert value.spec == NetworkQoSSpec(
        priority=10,
        egress=(EgressRule(20, Limit(20000, 100), Classifier(to=(to,))),),
        pod_selector=labelled("nqos-app", "bw-limited"),
        network_selectors=(streams,),
    )
    assert value.problems == ()
    (warning,) = value.warnings
    assert warning.startswith("spec.egress[0].bandwidth.burst: 100 is less than a tenth of rate 20000: ")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("2026-11-24T12:00:00.75+02:00", "2026-11-24T10:00:00Z"),
        (None, ""),
    ],
)
def test_a_creation_time_is_utc_to_the_second(written: str | None, read: str) -> None:
    """So the age of policies compares as text; a policy that never was in a cluster has none."""
    value = decode_network_qos(policy(rule(), creationTimestamp=written)).value
    assert (value.created, value.problems) == (read, ())


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        (
            {"creationTimestamp": "yesterday"},
            "metadata.creationTimestamp: yesterday is not a time such as 2026-11-24T10:00:00Z",
        ),
        (
            {"creationTimestamp": "2026-11-24T10:00:00"},
            "metadata.creationTimestamp: 2026-11-24T10:00:00 is not a time such as 2026-11-24T10:00:00Z",
        ),
        (
            {"creationTimestamp": "0001-01-01T00:00:00+10:00"},
            "metadata.creationTimestamp: 0001-01-01T00:00:00+10:00 is not a time such as 2026-11-24T10:00:00Z",
        ),
        ({"creationTimestamp": 5}, "metadata.creationTimestamp: 5 is a number, not a text"),
        ({"uid": ["x"]}, "metadata.uid: a list is not a text"),
        ({"generation": "3"}, 'metadata.generation: "3" is a string, not an integer from 0 to 9223372036854775807'),
        ({"annotations": "x"}, "metadata.annotations: x is not an object"),
        ({"namespace": None}, "metadata.namespace: required: a text"),
    ],
)
def test_damaged_metadata_is_a_problem(metadata: dict[str, object], problem: str) -> None:
    """A policy whose metadata doesn't decode is not applied, and says which field is wrong."""
    value = decode_network_qos(policy(rule(), **metadata)).value
    assert value.spec is None
    assert [str(each) for each in value.problems] == [problem]


@pytest.mark.parametrize("scope", list(BandwidthScope))
def test_the_annotation_says_who_shares_a_limit(scope: BandwidthScope) -> None:
    """nqosd.io/bandwidth-scope is Rule or Pod; without it a rule's pods share."""
    value = decode_network_qos(policy(rule(), annotations={"nqosd.io/bandwidth-scope": str(scope)})).value
    assert value.spec is not None
    assert value.spec.bandwidth_scope is scope
    plain = decode_network_qos(policy(rule(), annotations={"other": "pod"})).value
    assert plain.spec is not None
    assert plain.spec.bandwidth_scope is BandwidthScope.RULE


def test_another_scope_is_a_problem_and_another_annotation_of_ours_a_warning() -> None:
    """A misspelt value refuses the policy; a misspelt name is told."""
    annotations = {"nqosd.io/bandwidth-scope": "pod", "nqosd.io/bandwith-scope": "Pod"}
    value = decode_network_qos(policy(rule(), annotations=annotations)).value
    message = "pod is not one of Rule, Pod"
    assert value.problems == (Problem("metadata.annotations[nqosd.io/bandwidth-scope]", message),)
    (warning,) = value.warnings
    assert warning.startswith("metadata.annotations[nqosd.io/bandwith-scope]: unknown annotation, ignored")


def test_the_status_is_read_as_far_as_it_decodes() -> None:
    """Conditions that don't decode are left out; a damaged status never refuses a policy."""
    condition = {
        "type": "Ready-In-Zone-east",
        "status": "True",
        "reason": "Applied",
        "message": "2 rows",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-11-24T10:00:00Z",
    }
    status = {"status": "NetworkQoS Destinations applied", "conditions": [condition, 5, {"status": "True"}]}
    raw = wire({"metadata": {"name": "limit", "namespace": "shop"}, "spec": rule(), "status": status})
    value = decode_network_qos(raw).value
    read = Condition("Ready-In-Zone-east", "True", "Applied", "2 rows", 3, "2026-11-24T10:00:00Z")
    assert value.status == NetworkQoSStatus("NetworkQoS Destinations applied", (read,))
    damages: list[object] = [5, {"status": 5, "conditions": "x"}, []]
    for damaged in damages:
        raw = wire({"metadata": {"name": "limit", "namespace": "shop"}, "spec": rule(), "status": damaged})
        value = decode_network_qos(raw).value
        assert (value.problems, value.status) == ((), NetworkQoSStatus())


def test_equal_policies_are_equal_values() -> None:
    """The order of selectors and their form make no difference, nor does what nqosd doesn't read."""
    first = rule() | {"podSelector": {"matchLabels": {"a": "1", "b": "2"}}}
    expressions = [
        {"key": "b", "operator": "In", "values": ["2", "2"]},
        {"key": "a", "operator": "In", "values": ["1"]},
    ]
    second = rule() | {"podSelector": {"matchExpressions": expressions}}
    before = decode_network_qos(policy(first, managedFields=[], resourceVersion="41"))
    after = decode_network_qos(policy(second, managedFields=[{"manager": "x"}], resourceVersion="42"))
    assert before.value == after.value


@pytest.mark.parametrize(
    ("spec", "field"),
    [(b'{"priority":1e400}', "spec[...]"), (b'{"priority":"\xff"}', "spec"), (b"1" + b"0" * 5000, "spec")],
)
def test_a_spec_that_does_not_decode_is_a_problem(spec: bytes, field: str) -> None:
    """Numbers out of any range and bytes that are no UTF-8 refuse the policy that has them."""
    value = decode_network_qos(b'{"metadata":{"name":"limit","namespace":"shop"},"spec":%s}' % spec).value
    assert (value.key, value.spec) == ("shop/limit", None)
    assert [problem.field for problem in value.problems] == [field]


def test_bytes_that_name_no_policy_are_an_error() -> None:
    """Without JSON or a name there is no policy to report anything about."""
    for raw in (b"", b"[]", b"{}", wire({"metadata": {"namespace": "shop"}, "spec": rule()})):
        with pytest.raises(DecodeError, match="NetworkQoS"):
            decode_network_qos(raw)


def test_a_spec_of_any_size_is_answered_briefly() -> None:
    """A spec of more than 128 KiB isn't read, and of many problems the first are told, and how many more."""
    many = policy(classifier(ports=[{"protocol": "TCP", "port": number} for number in range(1, 43600)]))
    (problem,) = decode_network_qos(many).value.problems
    assert problem.limit == "size"
    assert "are more than the 131072" in problem.message
    wrong = decode_network_qos(policy(classifier(ports=[{"port": 0}] * 1000))).value
    assert wrong.spec is None
    assert [str(each) for each in wrong.problems[20:]] == ["spec: and 980 more problems"]
