"""Whatever comes in, decoding keeps its promises: it raises nothing but `DecodeError`, and says what it refuses."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nqosd.api.decoding import (
    Decoded,
    DecodeError,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_list,
    decode_namespace,
    decode_network_attachment,
    decode_network_qos,
    decode_node,
    decode_pod,
    decode_user_defined_network,
)
from nqosd.api.decoding.addresses import canonical
from nqosd.api.names import attachment_key
from nqosd.api.networkqos import NetworkQoS, NetworkQoSSpec
from nqosd.api.objects import Namespace, NetworkAttachment, Node, Pod, UserDefinedNetwork
from tests.api.manifests import GUIDE_SPEC, Json, definition, pod, policy, wire
from tests.api.strategies import ANYTHING, SPECS, damaged, write_spec
from tests.examples import examples

Value = NetworkQoS | Pod | Namespace | Node | NetworkAttachment | UserDefinedNetwork
Decoder = Callable[[bytes], Decoded[Value]]

FULL_SPEC: Json = {
    **GUIDE_SPEC,
    "networkSelectors": [
        {"networkSelectionType": "DefaultNetwork"},
        {
            "networkSelectionType": "SecondaryUserDefinedNetworks",
            "secondaryUserDefinedNetworkSelector": {"namespaceSelector": {}, "networkSelector": {}},
        },
    ],
    "egress": [
        {
            "dscp": 46,
            "bandwidth": {"rate": 20000, "burst": 2000},
            "classifier": {
                "to": [
                    {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}},
                    {"ipBlock": {"cidr": "192.168.0.0/16", "except": ["192.168.1.0/24"]}},
                ],
                "from": [{"ipBlock": {"cidr": "fd00::/8"}}],
                "ports": [{"protocol": "UDP", "port": 53}],
            },
        },
    ],
}
POLICY = json.loads(policy(FULL_SPEC, annotations={"nqosd.io/bandwidth-scope": "Pod"}))
POD = json.loads(
    pod(
        networks={"default": {"ip_addresses": ["10.0.0.5/24"]}, "shop/stream": {"ip_address": "10.245.1.5/24"}},
        labels={"app": "web"},
        spec={"nodeName": "node-1", "hostNetwork": False},
        status={"phase": "Running", "podIP": "10.0.0.5", "podIPs": [{"ip": "10.0.0.5"}]},
    )
)
DEFINITION = json.loads(
    definition(
        {"type": "ovn-k8s-cni-overlay", "name": "net", "topology": "layer2", "role": "primary"},
        labels={"a": "b"},
        annotations={"k8s.ovn.org/network-name": "other"},
        ownerReferences=[{"kind": "UserDefinedNetwork", "name": "red"}],
    )
)
NAMED = {"metadata": {"name": "n", "resourceVersion": "1", "labels": {"a": "b"}, "annotations": {"c": "d"}}}

many = settings(
    max_examples=examples(2000),
    derandomize=True,  # seeded: every run tries the same objects
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
some = settings(many, max_examples=examples(500))

OTHERS: list[tuple[Decoder, object]] = [
    (decode_namespace, NAMED),
    (decode_node, NAMED),
    (decode_network_attachment, DEFINITION),
    (decode_user_defined_network, NAMED),
]
EVERY_DECODER: list[Callable[[bytes], object]] = [
    decode_pod,
    decode_network_qos,
    *(decode for decode, _ in OTHERS),
    lambda raw: decode_list(raw, "v1", "Pod"),
    decode_event,
    decode_bookmark,
    decode_failure,
]


def has_name(manifest: object) -> bool:
    """Whether an object can be reported under its name."""
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return isinstance(name, str) and name != ""


def decode_promised(decode: Decoder, manifest: object) -> Value | None:
    """Decode an object; it must decode, twice to the same value, exactly when it has a name."""
    raw = wire(manifest)
    if not has_name(manifest):
        with pytest.raises(DecodeError):
            decode(raw)
        return None
    decoded = decode(raw)
    assert decode(raw) == decoded
    assert isinstance(decoded.resource_version, str)
    return decoded.value


@many
@given(damaged(POLICY))
def test_a_damaged_policy_decodes_or_says_where_it_is_wrong(manifest: object) -> None:
    """No exception escapes; a policy without a spec has problems, each with a path, a message, and no line break."""
    value = decode_promised(decode_network_qos, manifest)
    if value is None:
        return
    assert isinstance(value, NetworkQoS)
    assert (value.spec is None) == bool(value.problems)
    for problem in value.problems:
        assert problem.field.split(".")[0].split("[")[0] in {"metadata", "spec"}
        assert problem.message
    for line in (*map(str, value.problems), *value.warnings):
        assert line.isprintable()


@many
@given(damaged(POD))
def test_a_damaged_pod_decodes_with_what_of_it_counts(manifest: object) -> None:
    """Whatever counts has the form of a key and of addresses."""
    value = decode_promised(decode_pod, manifest)
    assert value is None or isinstance(value, Pod)
    if value is not None:
        assert_attachments(value)


@some
@given(ANYTHING)
def test_any_annotation_leaves_the_pod_decodable(content: object) -> None:
    """Whatever stands in the annotation, the pod is there, with attachments or a problem or both."""
    value = decode_pod(pod(networks=content, status={"podIP": "10.0.0.5"})).value
    assert value.key == "shop/web"
    assert value.problem or value.attachments
    assert_attachments(value)


def assert_attachments(value: Pod) -> None:
    """Check the forms of a pod's attachments, and that a line can show what is wrong."""
    assert (value.problem or "").isprintable()
    for each in value.attachments:
        assert attachment_key(each.key) == each.key
        assert canonical(each.addresses) == each.addresses


@some
@given(st.sampled_from(range(len(OTHERS))), st.data())
def test_damaged_objects_of_the_other_kinds_decode(index: int, data: st.DataObject) -> None:
    """Namespaces, nodes and networks with a name always decode."""
    decode, good = OTHERS[index]
    decode_promised(decode, data.draw(damaged(good)))


@some
@given(ANYTHING)
def test_any_configuration_leaves_the_definition_decodable(content: object) -> None:
    """A definition with a problem renders no network."""
    value = decode_network_attachment(definition(content)).value
    assert not (value.problem and value.network)


@some
@given(st.one_of(st.binary(max_size=40), ANYTHING.map(wire)))
def test_any_bytes_decode_or_are_a_decode_error(raw: bytes) -> None:
    """Bytes that are no object raise DecodeError and nothing else."""
    for decode in EVERY_DECODER:
        with contextlib.suppress(DecodeError):  # some bytes are refused, some are not
            decode(raw)


@some
@given(SPECS)
def test_a_valid_policy_decodes_to_what_it_says(spec: NetworkQoSSpec) -> None:
    """Every valid policy is accepted, and nothing of it is lost or changed."""
    annotations = {"nqosd.io/bandwidth-scope": str(spec.bandwidth_scope)}
    value = decode_network_qos(policy(write_spec(spec), annotations=annotations)).value
    assert value.problems == ()
    assert value.spec == spec
