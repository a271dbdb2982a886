"""Pods: whether they send, where they run, and which addresses they have on which network.

In: a decoded Pod. Out: a `Pod` with its attachments. The rules: a pod on the host network, a pod that has ended and a
pod that isn't scheduled have no part in anything; an entry of the annotation that can't be read is as if it weren't
attached, and an annotation that is no JSON object leaves the pod without attachments.

Sources of addresses: `k8s.ovn.org/pod-networks`; for the default network, where it isn't listed there, the pod's
status. A key that is listed without addresses has none.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_interface

import attrs

from tests.oracle.decoded import Object, annotation, labels, object_key, sequence, text
from tests.oracle.networks import DEFAULT
from tests.oracle.packet import Address

MAX_ADDRESSES = 16
"""Of one family, for one entry."""

MAX_ATTACHMENTS = 64
"""Of a pod; of one with more, none counts."""

MAX_OF_POD = 64
"""Addresses of all attachments of a pod together; of one with more, none counts."""

_DNS = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_KEY = re.compile(rf"default|(?=[^/]{{1,63}}/){_DNS}/(?=[^/]{{1,253}}(/|$)){_DNS}(?:\.{_DNS})*(?:/[1-9][0-9]{{0,4}})?")
"""A key of an attachment; namespaces are DNS labels, and names DNS subdomains."""


@attrs.frozen
class Attachment:
    """One NAD of a pod, however often it is attached.

    Args:
        keys: its attachment keys: `default`, `<namespace>/<nad>`, `<namespace>/<nad>/<index>`
        addresses: of all of them
        locked: it is for the kubelet alone
    """

    keys: tuple[str, ...]
    addresses: frozenset[Address]
    locked: bool = False


@attrs.frozen
class Pod:
    """A pod as the rules of NetworkQoS see it.

    Args:
        key: `<namespace>/<name>`
        node: where it is scheduled, empty before it is
        created: creationTimestamp, empty where it isn't known
        live: scheduled, and neither ended nor on the host network
        attachments: by NAD key (`default` for the default network)
    """

    key: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    node: str
    created: str
    live: bool
    attachments: Mapping[str, Attachment]


class UnreadableError(ValueError):
    """A part of an annotation doesn't parse."""


def read_pod(manifest: Object) -> Pod:
    """Read a pod, leaving out attachments that can't be read."""
    on_host = manifest.get("spec") is not None and _flag(manifest["spec"], "hostNetwork")
    node = text(manifest, "spec", "nodeName")
    ended = text(manifest, "status", "phase") in ("Succeeded", "Failed")
    return Pod(
        key=object_key(manifest),
        namespace=text(manifest, "metadata", "namespace"),
        name=text(manifest, "metadata", "name"),
        labels=labels(manifest),
        node=node,
        created=text(manifest, "metadata", "creationTimestamp"),
        live=bool(node) and not on_host and not ended,
        attachments=read_attachments(manifest),
    )


def read_attachments(manifest: Object) -> dict[str, Attachment]:
    """A pod's attachments by NAD key."""
    try:
        listed = _listed(annotation(manifest, "k8s.ovn.org/pod-networks"))
    except UnreadableError:
        return {}
    if len(listed) > MAX_ATTACHMENTS:
        return {}
    found: dict[str, Attachment] = {}
    number = 0
    for key, entry in listed.items():
        if not _KEY.fullmatch(key):
            continue
        try:
            addresses = _addresses_of(entry)
        except UnreadableError:
            continue
        nad = _nad_key(key)
        number += len(addresses)
        before = found.get(nad, Attachment((), frozenset()))
        locked = key == DEFAULT and isinstance(entry, dict) and entry.get("role") == "infrastructure-locked"
        found[nad] = Attachment((*before.keys, key), before.addresses | addresses, before.locked or locked)
    if DEFAULT not in listed:
        with suppress(UnreadableError):
            found[DEFAULT] = Attachment((DEFAULT,), _status_addresses(manifest))
            number += len(found[DEFAULT].addresses)
    return found if number <= MAX_OF_POD else {}


def _nad_key(key: str) -> str:
    nad, _, index = key.rpartition("/")
    return nad if "/" in nad and index.isdigit() else key


def _listed(value: str | None) -> dict[str, object]:
    try:
        networks = json.loads(value or "null")
    except ValueError as error:
        raise UnreadableError(f"not JSON: {error}") from error
    if not isinstance(networks, dict | None):
        raise UnreadableError("not an object")
    return networks or {}


def _addresses_of(entry: object) -> frozenset[Address]:
    if not isinstance(entry, dict):
        raise UnreadableError("not an object")
    many, single = entry.get("ip_addresses"), entry.get("ip_address")
    return _addresses(many or ([single] if single else []))


def _status_addresses(manifest: Object) -> frozenset[Address]:
    many = [text(entry, "ip") for entry in sequence(manifest, "status", "podIPs")]
    single = text(manifest, "status", "podIP")
    return _addresses(many or ([single] if single else []))


def _addresses(values: object) -> frozenset[Address]:
    if not isinstance(values, list):
        raise UnreadableError(f"{values!r} is not a list of addresses")
    for value in values:
        if not isinstance(value, str) or "%" in value:
            raise UnreadableError(f"{value!r} is not an address")
    try:
        found = frozenset(ip_interface(value).ip for value in values)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    if any(count > MAX_ADDRESSES for count in Counter(address.version for address in found).values()):
        raise UnreadableError("more addresses of a family than an attachment has")
    return found


def _flag(value: object, key: str) -> bool:
    return isinstance(value, Mapping) and value.get(key) is True
