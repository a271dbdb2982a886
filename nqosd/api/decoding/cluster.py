"""Namespaces and nodes."""

from collections.abc import Mapping
from sys import intern

import msgspec

from nqosd.api.decoding.addresses import ranges
from nqosd.api.decoding.metadata import MALFORMED, Decoded, Metadata, explain, identify, named, shared_labels
from nqosd.api.objects import Namespace, Node


class _Namespace(msgspec.Struct, gc=False):
    metadata: Metadata


SUBNETS = "k8s.ovn.org/node-subnets"
HYBRID_SUBNET = "k8s.ovn.org/hybrid-overlay-node-subnet"


_NAMES = {
    "zone": "k8s.ovn.org/zone-name",
    "subnets": SUBNETS,
    "hybrid_subnet": HYBRID_SUBNET,
}


class _NodeAnnotations(msgspec.Struct, gc=False, rename=_NAMES):
    zone: str | None = None
    subnets: str | None = None
    hybrid_subnet: str | None = None


class _NodeMetadata(Metadata, gc=False):
    annotations: _NodeAnnotations | None = None


class _Node(msgspec.Struct, gc=False):
    metadata: _NodeMetadata


_namespace = msgspec.json.Decoder(_Namespace)
_node = msgspec.json.Decoder(_Node)
_subnets = msgspec.json.Decoder(dict[str, list[str] | str])


def decode_namespace(raw: bytes) -> Decoded[Namespace]:
    """Decode a namespace; labels that are no map of texts make a `problem`.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        meta = _namespace.decode(raw).metadata
        return Decoded(meta.resource_version or "", Namespace(intern(named(meta)), shared_labels(meta.labels)))
    except MALFORMED as error:
        known = identify("Namespace", raw)
        namespace = Namespace(intern(known.name), known.labels, problem=explain(error, raw))
        return Decoded(known.resource_version, namespace)


def decode_node(raw: bytes) -> Decoded[Node]:
    """Decode a node; annotations that are no map of texts, or subnets that don't parse, make a `problem`.

    As in ovn-kubernetes, the annotation of hybrid-overlay networking counts where there are no subnets of its own.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        meta = _node.decode(raw).metadata
        name, annotations = intern(named(meta)), meta.annotations or _NodeAnnotations()
    except MALFORMED as error:
        known = identify("Node", raw)
        return Decoded(known.resource_version, Node(intern(known.name), problem=explain(error, raw)))
    subnets: Mapping[str, tuple[str, ...]] = {}
    problem = None
    try:
        subnets = _read_subnets(annotations.subnets) if annotations.subnets else {}
    except MALFORMED as error:
        problem = f"metadata.annotations.{SUBNETS}: {error}"
    is_hybrid = annotations.hybrid_subnet is not None and not subnets
    hybrid_subnets: tuple[str, ...] = ()
    if is_hybrid:
        try:
            hybrid_subnets = ranges([annotations.hybrid_subnet or ""])
        except ValueError as error:
            problem = problem or f"metadata.annotations.{HYBRID_SUBNET}: {error}"
    node = Node(name, intern(annotations.zone or ""), subnets, problem, is_hybrid, hybrid_subnets)
    return Decoded(meta.resource_version or "", node)


def _read_subnets(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read `{"default": ["10.244.0.0/24"]}`; older versions of ovn-kubernetes write one range as a text."""
    found = _subnets.decode(text)
    return {name: ranges([each] if isinstance(each, str) else each) for name, each in found.items()}
