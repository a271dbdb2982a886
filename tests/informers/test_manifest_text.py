"""What a manifest's text says."""

import json

import pytest
from structlog.testing import capture_logs

from nqosd.api.changes import ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, Pod, UserDefinedNetwork
from nqosd.informers.manifests.parsing import Manifest, parse_manifest
from nqosd.informers.manifests.yaml_documents import yaml_documents
from nqosd.informers.manifests.yaml_scalars import LONGEST_NUMBER

POLICY = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata:
  name: limit
  namespace: shop
  creationTimestamp: 2026-11-24T10:00:00Z
spec:
  priority: 5
  egress:
  - dscp: 20
    bandwidth: {rate: 20000, burst: 100}
"""


def parse(text: str, path: str = "file.yaml") -> Manifest:
    """Parse a text."""
    return parse_manifest(path, text.encode())


def keys(manifest: Manifest) -> list[tuple[str, str]]:
    """Give kinds and keys."""
    return [(found.kind, found.value.key) for found in manifest.objects]


def test_a_policy_is_decoded_as_from_an_api_server() -> None:
    """The value is the one that the informer of an API server would tell; times stay texts."""
    manifest = parse(POLICY)
    policy = manifest.objects[0].value
    assert isinstance(policy, NetworkQoS)
    assert policy.created == "2026-11-24T10:00:00Z"
    assert policy.problems == ()
    assert policy.spec is not None
    assert (policy.spec.priority, policy.spec.egress[0].dscp) == (5, 20)
    assert manifest.problems == ()


def test_a_file_holds_any_number_of_documents() -> None:
    """Documents are told apart; empty ones and comments are nothing; each object knows its place."""
    text = "# people\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\n" + POLICY
    manifest = parse(text)
    assert [(found.value.key, found.document, found.line) for found in manifest.objects] == [
        ("a", 1, 3),
        ("shop/limit", 3, 9),
    ]


def test_lists_are_taken_apart() -> None:
    """A List holds objects of any kind, and a PodList pods that needn't say so; lists may hold lists."""
    text = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: n}}
- apiVersion: v1
  kind: PodList
  items:
  - {metadata: {name: p, namespace: a}}
  - {metadata: {name: q, namespace: a}}
- apiVersion: k8s.ovn.org/v1alpha1
  kind: NetworkQoSList
  items: []
"""
    assert keys(parse(text)) == [("Node", "n"), ("Pod", "a/p"), ("Pod", "a/q")]


def test_json_is_read_too() -> None:
    """A .json file holds one object or several, one after the other."""
    first = json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}, indent=2)
    second = json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "m"}})
    manifest = parse(f"{first}\n\n{second}\n", "file.json")
    assert [(found.value.key, found.document, found.line) for found in manifest.objects] == [("n", 1, 1), ("m", 2, 9)]
    assert keys(parse(first)) == [("Node", "n")]


def test_a_namespaced_object_without_a_namespace_is_in_default() -> None:
    """As with kubectl; a cluster-scoped object has none, whatever its manifest says."""
    text = """
{apiVersion: v1, kind: Pod, metadata: {name: p}}
---
{apiVersion: k8s.ovn.org/v1, kind: ClusterUserDefinedNetwork, metadata: {name: c, namespace: a}}
"""
    manifest = parse(text)
    assert [found.value for found in manifest.objects] == [Pod("default", "p"), UserDefinedNetwork("", "c")]


def test_labels_mean_what_kubernetes_takes_them_for() -> None:
    """`10:30` and `2026-01-01` are texts here as they are there, not numbers to the base of sixty, nor days."""
    text = "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {at: 10:30, day: 2026-01-01, with: 1:20.5}}}"
    assert parse(text).objects[0].value == Namespace("a", {"at": "10:30", "day": "2026-01-01", "with": "1:20.5"})


def test_numbers_are_still_numbers() -> None:
    """A label that is a number is refused, as by an API server."""
    namespace = parse("{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {size: 14}}}").objects[0].value
    assert isinstance(namespace, Namespace)
    assert "metadata.labels" in (namespace.problem or "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("2e1", 20), ("1E+1", 10), ("1.0e1", 10), ("1_e1", 10), ("08", 8), ("0_8", 8), ("20.0", 20), ("1_0", 10)),
        *(("010", 8), ("0o10", 8), ("0O10", 8), ("0x10", 16), ("0X1f", 31), ("0b11", 3), ("0B11", 3)),
    ],
)
def test_numbers_are_those_that_kubectl_reads(written: str, meant: int) -> None:
    """A number without a point before its exponent, and one with a zero in front, are numbers as in go-yaml."""
    policy = f"{{priority: 1, egress: [{{dscp: {written}}}]}}"
    (found,) = parse(
        f"{{apiVersion: k8s.ovn.org/v1alpha1, kind: NetworkQoS, metadata: {{name: x}}, spec: {policy}}}"
    ).objects
    assert isinstance(found.value, NetworkQoS)
    assert found.value.spec is not None
    assert [rule.dscp for rule in found.value.spec.egress] == [meant]


@pytest.mark.parametrize("written", ["1e400", "-67e7893", "1.0e+400", "1e", "0x", "0o8", "1.2.3", "=", "2026-01-01"])
def test_texts_that_look_like_numbers(written: str) -> None:
    """What has no value as a number is a text, as in go-yaml: part of a commit's hash, for example."""
    text = f"{{apiVersion: v1, kind: Namespace, metadata: {{name: a, labels: {{commit: {written}}}}}}}"
    assert parse(text).objects[0].value == Namespace("a", {"commit": written})


def test_keys_that_are_numbers() -> None:
    """A key that is a number is the text that JSON has for it, with all its digits."""
    text = "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {2e1: a, 08: b, 1.5: c, '2e3': d}}}"
    assert parse(text).objects[0].value == Namespace("a", {"20": "a", "8": "b", "1.5": "c", "2e3": "d"})
    for key in ("20260101123456789", "9" * LONGEST_NUMBER):
        assert [each.content for each in yaml_documents(f"{{{key}: x}}".encode())] == [{key: "x"}]


def test_other_kinds_are_ignored() -> None:
    """A folder of manifests may hold anything; one debug line tells what was passed over."""
    with capture_logs() as lines:
        manifest = parse("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}")
        other = parse("{apiVersion: longhorn.io/v1beta2, kind: Node, metadata: {name: d}}")
    assert manifest == other == Manifest()
    assert [(line["log_level"], line["kind"]) for line in lines] == [("debug", "Deployment"), ("debug", "Node")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{apiVersion: k8s.ovn.org/v1, kind: NetworkQoS, metadata: {name: x}}", "k8s.ovn.org/v1alpha1 is understood"),
        ("{apiVersion: v1, kind: Pod, metadata: {namespace: a}}", "metadata.name"),
        ("{apiVersion: v1, kind: Pod, metadata: [1]}", "metadata"),
        ("{apiVersion: v1, kind: Pod}", "metadata"),
        ("{kind: Pod, metadata: {name: p}}", "apiVersion is None"),
        ("{apiVersion: v1, kind: 3, metadata: {name: p}}", "kind is 3"),
        ("- 1\n- 2", "this is list"),
        ("just text", "this is str"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {x: .inf}}", "not JSON compliant"),
    ],
)
def test_an_object_that_makes_no_sense_is_left_out_and_reported(text: str, words: str) -> None:
    """The problem names file, document and line; the other objects of the file count."""
    manifest = parse(f"{{apiVersion: v1, kind: Node, metadata: {{name: n}}}}\n---\n\n{text}\n")
    assert keys(manifest) == [("Node", "n")]
    assert not manifest.broken
    (problem,) = manifest.problems
    assert words in problem.message
    assert str(problem).startswith("file.yaml:4: document 2: ")


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        (
            "a.yaml",
            b"{apiVersion: v1, kind: Node, metadata: {name: n}}\n---\nkind: [\n",
            "a.yaml:3: document 2: not YAML",
        ),
        ("a.yaml", b"a: b: c\n", "a.yaml:1: document 1: not YAML"),
        ("a.yaml", b"a: *nowhere\n", "a.yaml:1: document 1: *nowhere: no anchor"),
        ("a.yaml", b"\xff\xfe\xff", "a.yaml:1: document 1: not YAML: incomplete UTF-16 character"),
        ("a.yaml", b"a: 1\nb: \xff\n", "a.yaml:2: document 1: not YAML: invalid leading UTF-8 octet: #x00ff"),
        ("a.yaml", b"a: 1\nb: x\x00y\n", "a.yaml:2: document 1: not YAML: control characters are not allowed: #x0000"),
        ("a.yaml", b"a: 1\nb: \x1b[2J\n", "a.yaml:2: document 1: not YAML: control characters are not allowed: #x001b"),
        ("a.json", b'{"kind":\n "Pod"', "a.json:2: document 1: not JSON"),
        ("a.json", b"[\n\xff]", "a.json:2: document 1: not JSON: invalid start byte"),
        ("a.json", b'{"kind":\n "a\x1bb"}', "a.json:2: document 1: not JSON: Invalid control character at"),
    ],
)
def test_a_text_that_does_not_parse_is_broken(path: str, text: bytes, place: str) -> None:
    """It is reported with the place at which it stops to parse."""
    manifest = parse_manifest(path, text)
    assert manifest.broken
    (problem,) = manifest.problems
    assert str(problem).startswith(place)


def test_kinds_are_those_of_the_informers() -> None:
    """All seven kinds are read."""
    versions = {
        ResourceKind.NETWORK_QOS: "k8s.ovn.org/v1alpha1",
        ResourceKind.NETWORK_ATTACHMENT_DEFINITION: "k8s.cni.cncf.io/v1",
        ResourceKind.USER_DEFINED_NETWORK: "k8s.ovn.org/v1",
        ResourceKind.CLUSTER_USER_DEFINED_NETWORK: "k8s.ovn.org/v1",
    }
    documents = [
        f"{{apiVersion: {versions.get(kind, 'v1')}, kind: {kind}, metadata: {{name: x}}}}" for kind in ResourceKind
    ]
    assert [found.kind for found in parse("\n---\n".join(documents)).objects] == list(ResourceKind)
