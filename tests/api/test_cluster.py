"""Namespaces and nodes."""

import pytest

from nqosd.api.decoding import Decoded, DecodeError, decode_namespace, decode_node
from nqosd.api.objects import Namespace, Node
from tests.api.manifests import wire


def test_a_namespace_has_a_name_and_labels() -> None:
    """Everything else of a namespace is left out."""
    raw = wire({"metadata": {"name": "shop", "resourceVersion": "3", "labels": {"team": "a"}}, "spec": {}})
    assert decode_namespace(raw) == Decoded("3", Namespace("shop", {"team": "a"}))
    assert decode_namespace(wire({"metadata": {"name": "shop", "labels": None}})).value == Namespace("shop")


def test_a_node_has_a_name_and_a_zone() -> None:
    """The zone is ovn-kubernetes' annotation, empty where it isn't set."""
    annotated = {"name": "node-1", "resourceVersion": "3", "annotations": {"k8s.ovn.org/zone-name": "east", "a": "b"}}
    assert decode_node(wire({"metadata": annotated})) == Decoded("3", Node("node-1", "east"))
    assert decode_node(wire({"metadata": {"name": "node-1"}})).value == Node("node-1")


@pytest.mark.parametrize(("subnets", "is_hybrid"), [("{}", True), ('{"default": ["10.0.0.0/24"]}', False)])
def test_a_hybrid_overlay_node_has_no_range(subnets: str, is_hybrid: bool) -> None:  # noqa: FBT001
    """A node with the annotation of hybrid-overlay networking has no logical switch, unless it has ranges as well."""
    annotations = {"k8s.ovn.org/hybrid-overlay-node-subnet": "10.132.0.0/24", "k8s.ovn.org/node-subnets": subnets}
    node = decode_node(wire({"metadata": {"name": "win", "annotations": annotations}})).value
    assert isinstance(node, Node)
    assert (node.is_hybrid, node.problem) == (is_hybrid, None)
    assert node.hybrid_subnets == (("10.132.0.0/24",) if is_hybrid else ())


@pytest.mark.parametrize(
    ("written", "subnets"),
    [
        ("192.168.111.20/24", ("192.168.111.0/24",)),
        ("fd00:1::/64", ("fd00:1::/64",)),
        ("0.0.0.0/0", ("0.0.0.0/0",)),
        ("windows", ()),
        ("10.132.0.0/24,10.133.0.0/24", ()),
    ],
)
def test_the_range_of_a_hybrid_overlay_node_is_one_cidr(written: str, subnets: tuple[str, ...]) -> None:
    """It may be any address of it; what isn't one is said, and the node has no logical switch all the same."""
    annotations = {"k8s.ovn.org/hybrid-overlay-node-subnet": written, "k8s.ovn.org/zone-name": "east"}
    node = decode_node(wire({"metadata": {"name": "win", "annotations": annotations}})).value
    why = f"k8s.ovn.org/hybrid-overlay-node-subnet: {written} is not a CIDR such as 10.128.0.0/16 or fd00::/64"
    assert node == Node("win", "east", {}, None if subnets else f"metadata.annotations.{why}", True, subnets)  # noqa: FBT003


def test_a_damaged_namespace_or_node_says_what_is_wrong() -> None:
    """The object is there under its name, without the part that doesn't decode."""
    namespace = decode_namespace(wire({"metadata": {"name": "shop", "labels": ["a"]}})).value
    assert namespace == Namespace("shop", problem="metadata.labels: a list is not an object")
    node = decode_node(wire({"metadata": {"name": "n", "annotations": {"k8s.ovn.org/zone-name": 5}}})).value
    assert node == Node("n", problem="metadata.annotations.k8s.ovn.org/zone-name: 5 is a number, not a string")


def test_a_namespace_or_node_without_a_name_is_an_error() -> None:
    """The error says which kind of object has no name."""
    with pytest.raises(DecodeError, match=r"Namespace: metadata\.name"):
        decode_namespace(wire({"metadata": {}}))
    with pytest.raises(DecodeError, match=r"Node: metadata\.name"):
        decode_node(wire({"metadata": {"name": ""}}))
