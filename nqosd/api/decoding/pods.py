"""Pods: the hot path, one call for every pod of the cluster and every event of one.

Texts that repeat from pod to pod (namespaces, nodes, network names, labels) are one object in memory.
"""

from sys import intern

import msgspec

from nqosd.api.decoding.addresses import NETWORK_STATUS, POD_NETWORKS, read_attachments
from nqosd.api.decoding.metadata import (
    MALFORMED,
    Decoded,
    Metadata,
    explain,
    identify,
    named,
    namespaced,
    shared_labels,
)
from nqosd.api.objects import Attachment, Pod

ENDED_PHASES = ("Succeeded", "Failed")


class _Annotations(msgspec.Struct, gc=False, rename={"pod_networks": POD_NETWORKS, "network_status": NETWORK_STATUS}):
    pod_networks: str | None = None
    network_status: str | None = None


class _Metadata(Metadata, gc=False):
    annotations: _Annotations | None = None


class _Spec(msgspec.Struct, gc=False, rename={"node": "nodeName", "host_network": "hostNetwork"}):
    node: str | None = None
    host_network: bool | None = None


class _PodIP(msgspec.Struct, gc=False):
    ip: str | None = None


class _Status(msgspec.Struct, gc=False, rename={"pod_ip": "podIP", "pod_ips": "podIPs"}):
    phase: str | None = None
    pod_ip: str | None = None
    pod_ips: list[_PodIP] | None = None


class _Pod(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_NO_ANNOTATIONS = _Annotations()
_pod = msgspec.json.Decoder(_Pod)


def decode_pod(raw: bytes) -> Decoded[Pod]:
    """Decode a pod; a part that doesn't decode makes a `problem` and leaves it without attachments.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        pod = _pod.decode(raw)
        meta = pod.metadata
        namespace, name, labels = namespaced(meta), named(meta), shared_labels(meta.labels)
    except MALFORMED as error:
        known = identify("Pod", raw)
        return Decoded(known.resource_version, Pod(known.namespace, known.name, known.labels, problem=explain(error)))
    host_network = bool(pod.spec.host_network)
    attachments: tuple[Attachment, ...] = ()
    problem = None
    if not host_network:
        try:
            attachments = _read_attachments(namespace, meta.annotations or _NO_ANNOTATIONS, pod.status)
        except ValueError as error:
            problem = f"{error}"
    return Decoded(
        meta.resource_version or "",
        Pod(
            namespace,
            name,
            labels,
            intern(pod.spec.node or ""),
            host_network,
            pod.status.phase in ENDED_PHASES,
            attachments,
            problem,
        ),
    )


def _read_attachments(namespace: str, annotations: _Annotations, status: _Status) -> tuple[Attachment, ...]:
    pod_ips = [each.ip for each in status.pod_ips or () if each.ip]
    if not pod_ips and status.pod_ip:
        pod_ips = [status.pod_ip]
    return read_attachments(namespace, annotations.pod_networks, annotations.network_status, pod_ips)
