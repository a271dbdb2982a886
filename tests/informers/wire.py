"""Lists, watch events and refusals as an API server writes them, for networks: objects with nothing but labels."""

import json
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import UserDefinedNetwork
from nqosd.informers.resources import RESOURCES

BY_KIND = {resource.kind: resource for resource in RESOURCES}
"""The resources by kind."""

NETWORKS = replace(BY_KIND[ResourceKind.USER_DEFINED_NETWORK], only_metadata=False)
"""A kind whose lists name it, which of metadata alone they wouldn't."""
NAMESPACE = "red"
TYPE = {"apiVersion": NETWORKS.api_version, "kind": NETWORKS.kind.value}


def network(name: str, version: int, color: str = "blue") -> dict[str, object]:
    """Give the object that `value` describes."""
    labels = {"color": color}
    metadata = {"name": name, "namespace": NAMESPACE, "resourceVersion": str(version), "labels": labels}
    return {**TYPE, "metadata": metadata}


def value(name: str, color: str = "blue") -> UserDefinedNetwork:
    """Give what a network decodes to."""
    return UserDefinedNetwork(NAMESPACE, name, {"color": color})


def key(name: str) -> str:
    """Give a network's key."""
    return f"{NAMESPACE}/{name}"


def page(items: Sequence[Mapping[str, object]], version: int, token: str = "", remaining: int | None = None) -> bytes:
    """Give a page of a list; it is the last one without a token."""
    metadata: dict[str, object] = {"resourceVersion": str(version)}
    if token:
        metadata["continue"] = token
        if remaining is not None:
            metadata["remainingItemCount"] = remaining
    return _json({**TYPE, "kind": f"{NETWORKS.kind}List", "metadata": metadata, "items": list(items)})


def event(kind: str, item: Mapping[str, object]) -> bytes:
    """Give a line of a watch, without its line feed."""
    return _json({"type": kind, "object": item})


def bookmark(version: int, *, end: bool = False) -> bytes:
    """Give a bookmark; `end` is the one that ends a streamed list."""
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if end else {}
    return event("BOOKMARK", {**TYPE, "metadata": {"resourceVersion": str(version), **annotations}})


def status(code: int, message: str = "", reason: str = "", retry_after: int = 0) -> dict[str, object]:
    """Give a metav1.Status."""
    details = {"details": {"retryAfterSeconds": retry_after}} if retry_after else {}
    return {"kind": "Status", "code": code, "message": message, "reason": reason, **details}


def error(code: int, message: str = "", reason: str = "", retry_after: int = 0) -> bytes:
    """Give an ERROR event."""
    return event("ERROR", status(code, message, reason, retry_after))


def refusal(code: int, message: str = "") -> bytes:
    """Give the body of a refused request."""
    return _json(status(code, message))


def appeared(name: str, color: str = "blue", seen: float = 0.0) -> Change:
    """Give the change of a network that is new."""
    return Change(NETWORKS.kind, key(name), None, value(name, color), seen)


def vanished(name: str, color: str = "blue", seen: float = 0.0) -> Change:
    """Give the change of a network that is gone."""
    return Change(NETWORKS.kind, key(name), value(name, color), None, seen)


def repainted(name: str, old: str, new: str, seen: float = 0.0) -> Change:
    """Give the change of a network that has another label."""
    return Change(NETWORKS.kind, key(name), value(name, old), value(name, new), seen)


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
