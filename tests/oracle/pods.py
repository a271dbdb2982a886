"""Pods: whether they send, where they run, and which addresses they have on which network.

In: a decoded Pod. Out: a `Pod` with its attachments. The rules: a pod on the host network and a pod that has ended have
no part in anything; a pod with an annotation that doesn't parse has no attachments.

Sources of addresses, per attachment key: `k8s.ovn.org/pod-networks`; for keys that aren't in it,
`k8s.v1.cni.cncf.io/network-status`; for the default network, at last, the pod's status. A key that is present without
addresses is present: no later source is asked.
"""

import json
from collections.abc import Iterator, Mapping
from ipaddress import ip_interface

import attrs

from tests.oracle.decoded import Object, annotation, labels, object_key, sequence, text
from tests.oracle.networks import DEFAULT
from tests.oracle.packet import Address


@attrs.frozen
class Attachment:
    """One NAD of a pod, however often it is attached.

    Args:
        keys: its attachment keys: `default`, `<namespace>/<nad>`, `<namespace>/<nad>/<index>`
        addresses: of all of them
    """

    keys: tuple[str, ...]
    addresses: frozenset[Address]


@attrs.frozen
class Pod:
    """A pod as the rules of NetworkQoS see it.

    Args:
        key: `<namespace>/<name>`
        node: where it is scheduled, empty before it is
        live: neither ended nor on the host network
        attachments: by NAD key (`default` for the default network); empty where an annotation doesn't parse
    """

    key: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    node: str
    live: bool
    attachments: Mapping[str, Attachment]


class UnreadableError(ValueError):
    """An annotation of a pod doesn't parse."""


def read_pod(manifest: Object) -> Pod:
    """Read a pod, leaving out attachments that can't be read."""
    try:
        attachments = read_attachments(manifest)
    except UnreadableError:
        attachments = {}
    on_host = manifest.get("spec") is not None and _flag(manifest["spec"], "hostNetwork")
    return Pod(
        key=object_key(manifest),
        namespace=text(manifest, "metadata", "namespace"),
        name=text(manifest, "metadata", "name"),
        labels=labels(manifest),
        node=text(manifest, "spec", "nodeName"),
        live=not on_host and text(manifest, "status", "phase") not in ("Succeeded", "Failed"),
        attachments=attachments,
    )


def read_attachments(manifest: Object) -> dict[str, Attachment]:
    """A pod's attachments by NAD key.

    Raises:
        UnreadableError: an annotation isn't the JSON that it must be, or has a bad address.
    """
    annotated = dict(_pod_networks(annotation(manifest, "k8s.ovn.org/pod-networks")))
    reported: dict[str, frozenset[Address]] = {}
    status = annotation(manifest, "k8s.v1.cni.cncf.io/network-status")
    for key, addresses in _network_status(status, text(manifest, "metadata", "namespace")):
        reported[key] = reported.get(key, frozenset()) | addresses

    found: dict[str, Attachment] = {}
    for key, addresses in annotated.items():
        nad = _nad_key(key)
        before = found.get(nad, Attachment((), frozenset()))
        found[nad] = Attachment((*before.keys, key), before.addresses | addresses)
    for key, addresses in reported.items():
        found.setdefault(key, Attachment((key,), addresses))
    if DEFAULT not in found:
        found[DEFAULT] = Attachment((DEFAULT,), _status_addresses(manifest))
    return found


def _nad_key(key: str) -> str:
    nad, _, index = key.rpartition("/")
    return nad if "/" in nad and index.isdigit() else key


def _pod_networks(value: str | None) -> Iterator[tuple[str, frozenset[Address]]]:
    networks = _parsed(value, {})
    if not isinstance(networks, dict):
        raise UnreadableError("k8s.ovn.org/pod-networks is not an object")
    for key, entry in networks.items():
        if not isinstance(entry, dict):
            raise UnreadableError(f"k8s.ovn.org/pod-networks: {key} is not an object")
        many, single = entry.get("ip_addresses"), entry.get("ip_address")
        yield key, _addresses(many or ([single] if single else []))


def _network_status(value: str | None, namespace: str) -> Iterator[tuple[str, frozenset[Address]]]:
    entries = _parsed(value, [])
    if not isinstance(entries, list):
        raise UnreadableError("k8s.v1.cni.cncf.io/network-status is not a list")
    for entry in entries:
        if not isinstance(entry, dict):
            raise UnreadableError("k8s.v1.cni.cncf.io/network-status has an entry that is not an object")
        name = text(entry, "name")
        key = DEFAULT if _flag(entry, "default") else name if "/" in name else f"{namespace}/{name}"
        yield key, _addresses(entry.get("ips") or [])


def _status_addresses(manifest: Object) -> frozenset[Address]:
    many = [text(entry, "ip") for entry in sequence(manifest, "status", "podIPs")]
    single = text(manifest, "status", "podIP")
    return _addresses(many or ([single] if single else []))


def _parsed(value: str | None, absent: object) -> object:
    if value is None:
        return absent
    try:
        parsed: object = json.loads(value)
    except ValueError as error:
        raise UnreadableError(f"not JSON: {error}") from error
    return parsed


def _addresses(values: object) -> frozenset[Address]:
    if not isinstance(values, list):
        raise UnreadableError(f"{values!r} is not a list of addresses")
    for value in values:
        if not isinstance(value, str) or "%" in value:
            raise UnreadableError(f"{value!r} is not an address")
    try:
        return frozenset(ip_interface(value).ip for value in values)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def _flag(value: object, key: str) -> bool:
    return isinstance(value, Mapping) and value.get(key) is True
