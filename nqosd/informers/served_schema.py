"""Which fields of a NetworkQoS the API server drops, because the schema that it serves doesn't have them.

In: an API server, or the schema that it serves. Out: the fields that nqosd reads or writes and that are lost. Rule:
only a schema that was read accuses anybody; where it can't be read, nothing is known.

A server prunes what its CustomResourceDefinition doesn't name, from new objects and from those that are stored. With
another definition than nqosd's a rule may cover more than its author wrote. Whoever may log in may read the schema.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from nqosd.api.networkqos import NetworkQoS
from nqosd.kube.client import KubeClient, KubeConnectionError
from nqosd.kube.credentials import KubeConfigError

PATH = "/openapi/v3/apis/k8s.ovn.org/v1alpha1"
OK = 200

Fields: TypeAlias = Mapping[str, "Fields"]
"""Names of fields, each with those within it; within the entries, where it is a list."""


def _fields(*names: str, **nested: "Fields") -> "Fields":
    return {name: {} for name in names} | nested


_LABELS = _fields("matchLabels", matchExpressions=_fields("key", "operator", "values"))
_PEER = _fields(ipBlock=_fields("cidr", "except"), podSelector=_LABELS, namespaceSelector=_LABELS)
_NETWORKS = _fields(
    "networkSelectionType",
    clusterUserDefinedNetworkSelector=_fields(networkSelector=_LABELS),
    primaryUserDefinedNetworkSelector=_fields(namespaceSelector=_LABELS),
    secondaryUserDefinedNetworkSelector=_fields(namespaceSelector=_LABELS, networkSelector=_LABELS),
    networkAttachmentDefinitionSelector=_fields(namespaceSelector=_LABELS, networkSelector=_LABELS),
)
_CLASSIFIER = _fields(**{"to": _PEER, "from": _PEER, "ports": _fields("protocol", "port")})
_CONDITION = _fields("type", "status", "reason", "message", "lastTransitionTime", "observedGeneration")
NEEDED: Fields = _fields(
    spec=_fields(
        "priority",
        podSelector=_LABELS,
        networkSelectors=_NETWORKS,
        egress=_fields("dscp", bandwidth=_fields("rate", "burst"), classifier=_CLASSIFIER),
    ),
    status=_fields(
        "status",
        "observedGeneration",
        "ready",
        "reportedAt",
        zones=_fields("summary", "withSenders", "ready", "failing"),
        conditions=_CONDITION,
    ),
)
"""All fields that nqosd reads or writes."""


class _Schema(msgspec.Struct, gc=False):
    properties: dict[str, "_Schema"] = {}
    items: "_Schema | None" = None
    keeps_all: bool = msgspec.field(name="x-kubernetes-preserve-unknown-fields", default=False)
    kinds: list[dict[str, str]] = msgspec.field(name="x-kubernetes-group-version-kind", default=[])


class _Components(msgspec.Struct, gc=False):
    schemas: dict[str, _Schema]


class _Document(msgspec.Struct, gc=False):
    components: _Components


_document = msgspec.json.Decoder(_Document)


def lost_fields(document: bytes) -> tuple[str, ...] | None:
    """Name the fields that a server loses, by its OpenAPI document; None where that has no NetworkQoS."""
    try:
        schemas = _document.decode(document).components.schemas.values()
    except (ValueError, RecursionError):
        return None
    for schema in schemas:
        if any(each.get("kind") == "NetworkQoS" for each in schema.kinds):
            return tuple(sorted(_missing("", schema, NEEDED)))
    return None


class ServedSchema:
    """What a server says; its document of some 100 KB is only sent again when it has changed."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    async def lost(self) -> tuple[str, ...] | None:
        """Ask which fields the server loses; None where it doesn't say, or says the same as before."""
        try:
            response = await self._client.request("GET", PATH, headers=self._known)
        except (KubeConnectionError, KubeConfigError):
            return None
        if response.status != OK:
            return None
        self._known = {"If-None-Match": response.etag} if response.etag else {}
        return lost_fields(response.body)


def lost_of(policy: NetworkQoS, lost: Iterable[str]) -> list[str]:
    """Of the fields that are lost, give those that the policy may have had, as far as what is left of it tells."""
    return [field for field in lost if _may_have_had(policy, field)]


def _may_have_had(policy: NetworkQoS, field: str) -> bool:
    if policy.spec is None:
        return field.startswith("spec.")
    within, _brackets, name = field.partition("[].")
    match within:
        case "spec.networkSelectors":
            return bool(policy.spec.network_selectors)
        case "spec.egress":
            return name != "classifier.from" or any(not rule.classifier.from_ for rule in policy.spec.egress)
    return field.startswith("spec.")


def _missing(place: str, schema: _Schema, needed: Fields) -> Iterator[str]:
    if schema.keeps_all:
        return
    entries = schema if schema.items is None else schema.items
    brackets = "" if schema.items is None else "[]"
    for name, within in needed.items():
        path = f"{place}{brackets}.{name}".removeprefix(".")
        if name not in entries.properties:
            yield path
        else:
            yield from _missing(path, entries.properties[name], within)
