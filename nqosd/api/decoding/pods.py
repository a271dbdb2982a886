"""Pods: the hot path, one call for every pod of the cluster and every event of one.

Texts that repeat from pod to pod (namespaces, nodes, network names, labels) are one object in memory.
"""

from sys import intern

import msgspec

from nqosd.api.decoding.addresses import POD_NETWORKS, Attachments, read_attachments
from nqosd.api.decoding.metadata import (
    MALFORMED,
    Decoded,
    Metadata,
    explain,
    identify,
    named,
    namespaced,
    read_time,
    shared_labels,
)
from nqosd.api.names import is_namespace, is_node, is_object
from nqosd.api.objects import Pod
from nqosd.api.validation.fields import shown

ENDED_PHASES = ("Succeeded", "Failed")
SAID = 3
"""How many problems of one pod are said; the others are counted."""


class _Annotations(msgspec.Struct, gc=False, rename={"pod_networks": POD_NETWORKS}):
    pod_networks: str | None = None


class _Metadata(Metadata, gc=False, rename={"created": "creationTimestamp"}):
    annotations: _Annotations | None = None
    created: str | None = None


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
    """Decode a pod; what doesn't decode makes a `problem`: an attachment counts for nothing, or the pod has none.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        pod = _pod.decode(raw)
        meta = pod.metadata
        namespace, name, labels = namespaced(meta), named(meta), shared_labels(meta.labels)
    except MALFORMED as error:
        known, why = identify("Pod", raw), explain(error, raw)
        return Decoded(known.resource_version, Pod(known.namespace, known.name, known.labels, problem=why))
    node, host_network = pod.spec.node or "", bool(pod.spec.host_network)
    attachments = Attachments()
    problem = _misnamed(namespace, name, node)
    if not host_network and problem is None:
        attachments = _read_attachments(meta.annotations or _NO_ANNOTATIONS, pod.status)
        problem = _joined(attachments.problems)
    return Decoded(
        meta.resource_version or "",
        Pod(
            namespace,
            name,
            labels,
            intern(node),
            host_network,
            pod.status.phase in ENDED_PHASES,
            attachments.found,
            problem,
            read_time(meta.created),
        ),
    )


def _read_attachments(annotations: _Annotations, status: _Status) -> Attachments:
    pod_ips = [each.ip for each in status.pod_ips or () if each.ip]
    if not pod_ips and status.pod_ip:
        pod_ips = [status.pod_ip]
    return read_attachments(annotations.pod_networks, pod_ips)


def _misnamed(namespace: str, name: str, node: str) -> str | None:
    """Say which name that ports and switches are named after isn't of its form, as can happen in a manifest only."""
    if not is_namespace(namespace):
        return f"metadata.namespace: {shown(namespace)} is not a DNS name"
    if not is_object(name):
        return f"metadata.name: {shown(name)} is not a DNS name"
    if node and not is_node(node):
        return f"spec.nodeName: {shown(node)} is not a DNS name"
    return None


def _joined(problems: tuple[str, ...]) -> str | None:
    """Join problems into a text that a log line bears."""
    more = f"; and {len(problems) - SAID} more" if len(problems) > SAID else ""
    return f"{'; '.join(problems[:SAID])}{more}" if problems else None
