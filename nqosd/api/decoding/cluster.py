"""Namespaces and nodes."""

from sys import intern

import msgspec

from nqosd.api.decoding.metadata import MALFORMED, Decoded, Metadata, explain, identify, named, shared_labels
from nqosd.api.objects import Namespace, Node


class _Namespace(msgspec.Struct, gc=False):
    metadata: Metadata


class _NodeAnnotations(msgspec.Struct, gc=False, rename={"zone": "k8s.ovn.org/zone-name"}):
    zone: str | None = None


class _NodeMetadata(Metadata, gc=False):
    annotations: _NodeAnnotations | None = None


class _Node(msgspec.Struct, gc=False):
    metadata: _NodeMetadata


_namespace = msgspec.json.Decoder(_Namespace)
_node = msgspec.json.Decoder(_Node)


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
        namespace = Namespace(intern(known.name), known.labels, problem=explain(error))
        return Decoded(known.resource_version, namespace)


def decode_node(raw: bytes) -> Decoded[Node]:
    """Decode a node; annotations that are no map, or a zone that is no text, make a `problem`.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        meta = _node.decode(raw).metadata
        zone = meta.annotations.zone if meta.annotations else None
        return Decoded(meta.resource_version or "", Node(intern(named(meta)), intern(zone or "")))
    except MALFORMED as error:
        known = identify("Node", raw)
        return Decoded(known.resource_version, Node(intern(known.name), problem=explain(error)))
