"""NetworkAttachmentDefinitions, UserDefinedNetworks and ClusterUserDefinedNetworks.

The definition's `spec.config` is CNI configuration, JSON in a text: either one plugin's, or a list (`plugins`) of which
ovn-kubernetes admits only one; then the list has the name. ovn-kubernetes takes a definition of its plugin without a
topology for a handle of the cluster's default network: it renders no network, so here it has none and no problem.

Rule: keys are read as Go reads them, without regard to case, and of several the last that isn't null; so what
ovn-kubernetes takes for a network is the same one here.
"""

import json
from collections.abc import Mapping
from sys import intern
from typing import TypeVar

import msgspec

from nqosd.api.decoding.addresses import ranges
from nqosd.api.decoding.metadata import (
    MALFORMED,
    TOO_DEEP,
    Decoded,
    Metadata,
    explain,
    identify,
    named,
    namespaced,
    read_time,
    shared_labels,
)
from nqosd.api.names import MAX_NAME, is_network
from nqosd.api.objects import DEFAULT_NETWORK, NetworkAttachment, NetworkRole, Topology, UserDefinedNetwork
from nqosd.api.validation.fields import shown

CNI_TYPE = "ovn-k8s-cni-overlay"
OWNER_KINDS = ("UserDefinedNetwork", "ClusterUserDefinedNetwork")
CONFIG_FIELD = "spec.config"
RESERVED = (DEFAULT_NETWORK, "ovn-kubernetes")
"""Names that ovn-kubernetes keeps for the cluster's default network."""

MAX_CONFIG = 1 << 16
"""Characters of a CNI configuration; it has some hundred. A million take seconds, and hundreds of MB, to parse."""

MAX_RANGES = 64
"""Of a network; it has one or two. They stand in a match of each of its switches where senders have limits."""


class _Owner(msgspec.Struct, gc=False):
    kind: str | None = None
    name: str | None = None


class _DefinitionAnnotations(
    msgspec.Struct, gc=False, rename={"network": "k8s.ovn.org/network-name", "network_id": "k8s.ovn.org/network-id"}
):
    network: str | None = None
    network_id: str | None = None


class _DefinitionMetadata(Metadata, gc=False, rename={"owners": "ownerReferences", "created": "creationTimestamp"}):
    annotations: _DefinitionAnnotations | None = None
    owners: list[_Owner] | None = None
    created: str | None = None


class _DefinitionSpec(msgspec.Struct, gc=False):
    config: str | None = None


class _Definition(msgspec.Struct, gc=False):
    metadata: _DefinitionMetadata
    spec: _DefinitionSpec | None = None


class _UserDefinedNetwork(msgspec.Struct, gc=False):
    metadata: Metadata


_Choice = TypeVar("_Choice", Topology, NetworkRole)


def _without_share(text: str) -> str:
    """Give the whole of a range on layer3, which reads `10.128.0.0/16/24`: the whole, and the length for a node."""
    whole, slash, share = text.rpartition("/")
    return whole if slash and "/" in whole and share.isdecimal() else text


_definition = msgspec.json.Decoder(_Definition)
_user_defined_network = msgspec.json.Decoder(_UserDefinedNetwork)


class _Network(msgspec.Struct, frozen=True):
    """What a definition renders, and the `key` that it says it has; `name` is empty where that is no network."""

    name: str = ""
    topology: Topology = Topology.LAYER3
    role: NetworkRole = NetworkRole.SECONDARY
    subnets: tuple[str, ...] = ()
    key: str = ""


def decode_network_attachment(raw: bytes) -> Decoded[NetworkAttachment]:
    """Decode a NetworkAttachmentDefinition; a configuration that doesn't parse makes a `problem`, another type none.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        definition = _definition.decode(raw)
        meta = definition.metadata
        namespace, name, labels = namespaced(meta), intern(named(meta)), shared_labels(meta.labels)
    except MALFORMED as error:
        known = identify("NetworkAttachmentDefinition", raw)
        attachment = NetworkAttachment(known.namespace, intern(known.name), known.labels, problem=explain(error, raw))
        return Decoded(known.resource_version, attachment)
    annotations = meta.annotations or _DefinitionAnnotations()
    network, problem = _Network(), None
    try:
        network = _read_config(definition.spec.config if definition.spec else None, annotations.network)
        if network.key not in ("", f"{namespace}/{name}"):
            raise ValueError(f"netAttachDefName: {shown(network.key)} is not this definition; write {namespace}/{name}")
    except MALFORMED as error:
        network, problem = _Network(), f"{CONFIG_FIELD}: {TOO_DEEP if isinstance(error, RecursionError) else error}"
    owner = next((each for each in meta.owners or () if each.kind in OWNER_KINDS), _Owner())
    attachment = NetworkAttachment(
        namespace,
        name,
        labels,
        network=intern(network.name),
        topology=network.topology,
        role=network.role,
        subnets=network.subnets,
        owner_kind=intern(owner.kind or ""),
        owner_name=intern(owner.name or ""),
        problem=problem,
        created=read_time(meta.created),
        accepted=bool(annotations.network_id),
    )
    return Decoded(meta.resource_version or "", attachment)


def decode_user_defined_network(raw: bytes) -> Decoded[UserDefinedNetwork]:
    """Decode a UserDefinedNetwork or a ClusterUserDefinedNetwork (it has no namespace).

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    try:
        meta = _user_defined_network.decode(raw).metadata
        namespace = intern(meta.namespace or "")
        network = UserDefinedNetwork(namespace, intern(named(meta)), shared_labels(meta.labels))
        return Decoded(meta.resource_version or "", network)
    except MALFORMED as error:
        known = identify("UserDefinedNetwork", raw)
        network = UserDefinedNetwork(known.namespace, intern(known.name), known.labels, problem=explain(error, raw))
        return Decoded(known.resource_version, network)


def _read_config(text: str | None, override: str | None) -> _Network:
    if not text:  # the plugins of a definition without configuration read it from the node's disk
        return _Network()
    if len(text) > MAX_CONFIG:
        raise ValueError(f"{len(text)} characters; a configuration has {MAX_CONFIG} at most")
    pairs = json.loads(text, object_pairs_hook=tuple, parse_constant=_no_constant)
    config = _folded(pairs)
    if config is None:
        raise ValueError(f"{shown(pairs)} is not an object")
    plugins = dict(pairs).get("plugins")  # libcni reads this key as it is written
    listed = plugins if isinstance(plugins, list) and plugins else [pairs]
    plugin = _folded(listed[0])
    if plugin is None or _text(plugin, "type") != CNI_TYPE:
        return _Network()
    if len(listed) > 1:
        raise ValueError(f"{len(listed)} plugins in a list; {CNI_TYPE} must be the only one")
    if not _text(plugin, "topology"):
        return _Network()
    topology = _choose(Topology, "topology", _text(plugin, "topology"))
    role = _choose(NetworkRole, "role", _text(plugin, "role")) if _text(plugin, "role") else NetworkRole.SECONDARY
    subnets = _text(plugin, "subnets").split(",") if _text(plugin, "subnets") else []
    if len(subnets) > MAX_RANGES:
        raise ValueError(f"subnets: {len(subnets)} ranges; a network has {MAX_RANGES} at most")
    whole = map(_without_share, subnets) if topology is Topology.LAYER3 else subnets
    name = _name(override or _text(config, "name"))
    return _Network(name, topology, role, ranges(whole), _text(plugin, "netAttachDefName"))


def _name(name: str) -> str:
    if not name:
        raise ValueError("name: a network needs one")
    if name in RESERVED:
        raise ValueError(f"name: {name} is reserved for the cluster's default network; choose another one")
    if not is_network(name):
        allowed = f"up to {MAX_NAME} letters, digits, '-', '_', '.', '/'"
        raise ValueError(f"name: {shown(name)} is not a network's: {allowed}")
    return name


def _folded(pairs: object) -> Mapping[str, object] | None:
    """Read a JSON object, of which there are its pairs, as Go reads it into a struct; None if it is none."""
    return {key.casefold(): value for key, value in pairs if value is not None} if isinstance(pairs, tuple) else None


def _text(config: Mapping[str, object], key: str) -> str:
    """Give a text; empty where it is absent. What isn't asked for may be of any type.

    Raises:
        ValueError: it is something else.
    """
    value = config.get(key.casefold(), "")
    if not isinstance(value, str):
        raise ValueError(f"{key}: {shown({} if isinstance(value, tuple) else value)} is not a text")  # noqa: TRY004 - malformed, as all else that is
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _choose(choices: type[_Choice], field: str, text: str) -> _Choice:
    try:
        return choices(text)
    except ValueError:
        raise ValueError(f"{field}: {shown(text)} is none of {', '.join(choices)}") from None
