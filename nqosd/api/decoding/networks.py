"""NetworkAttachmentDefinitions, UserDefinedNetworks and ClusterUserDefinedNetworks.

The definition's `spec.config` is CNI configuration, JSON in a text: either one plugin's, or a list (`plugins`) of which
ovn-kubernetes admits only one; then the list has the name. ovn-kubernetes takes a definition of its plugin without a
topology for a handle of the cluster's default network: it renders no network, so here it has none and no problem.
"""

from sys import intern
from typing import TypeVar

import attrs
import msgspec

from nqosd.api.decoding.addresses import ranges
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
from nqosd.api.names import MAX_NAME, is_network
from nqosd.api.objects import NetworkAttachment, Role, Topology, UserDefinedNetwork
from nqosd.api.validation.fields import shown

CNI_TYPE = "ovn-k8s-cni-overlay"
OWNER_KINDS = ("UserDefinedNetwork", "ClusterUserDefinedNetwork")
CONFIG_FIELD = "spec.config"


class _Owner(msgspec.Struct, gc=False):
    kind: str | None = None
    name: str | None = None


class _Annotations(msgspec.Struct, gc=False, rename={"network": "k8s.ovn.org/network-name"}):
    network: str | None = None


class _DefinitionMetadata(Metadata, gc=False, rename={"owners": "ownerReferences"}):
    annotations: _Annotations | None = None
    owners: list[_Owner] | None = None


class _DefinitionSpec(msgspec.Struct, gc=False):
    config: str | None = None


class _Definition(msgspec.Struct, gc=False):
    metadata: _DefinitionMetadata
    spec: _DefinitionSpec | None = None


class _UserDefinedNetwork(msgspec.Struct, gc=False):
    metadata: Metadata


class _Plugin(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None
    topology: str | None = None
    role: str | None = None
    subnets: str | None = None


class _Config(_Plugin, gc=False):
    plugins: list[_Plugin] | None = None


_Choice = TypeVar("_Choice", Topology, Role)

_definition = msgspec.json.Decoder(_Definition)
_config = msgspec.json.Decoder(_Config)
_user_defined_network = msgspec.json.Decoder(_UserDefinedNetwork)


@attrs.frozen
class _Network:
    """What a definition renders; `name` is empty where that is no network of ovn-kubernetes."""

    name: str = ""
    topology: Topology = Topology.LAYER3
    role: Role = Role.SECONDARY
    subnets: tuple[str, ...] = ()


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
        attachment = NetworkAttachment(known.namespace, intern(known.name), known.labels, problem=explain(error))
        return Decoded(known.resource_version, attachment)
    override = meta.annotations.network if meta.annotations else None
    network, problem = _Network(), None
    try:
        network = _read_config(definition.spec.config if definition.spec else None, override)
    except MALFORMED as error:
        problem = f"{CONFIG_FIELD}: {error}"
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
        network = UserDefinedNetwork(known.namespace, intern(known.name), known.labels, problem=explain(error))
        return Decoded(known.resource_version, network)


def _read_config(text: str | None, override: str | None) -> _Network:
    if not text:  # the plugins of a definition without configuration read it from the node's disk
        return _Network()
    config = _config.decode(text)
    plugin: _Plugin = config.plugins[0] if config.plugins else config
    if plugin.type != CNI_TYPE:
        return _Network()
    if config.plugins and len(config.plugins) > 1:
        raise ValueError(f"{len(config.plugins)} plugins in a list; {CNI_TYPE} must be the only one")
    if not plugin.topology:
        return _Network()
    name = override or config.name
    if not name:
        raise ValueError("name: a network needs one")
    if not is_network(name):
        raise ValueError(
            f"name: {shown(name)} is not a network's: up to {MAX_NAME} letters, digits, '-', '_', '.', '/'"
        )
    topology = _choose(Topology, "topology", plugin.topology)
    role = _choose(Role, "role", plugin.role) if plugin.role else Role.SECONDARY
    # On layer3 they read `10.128.0.0/16/24`, the whole and the part for a node, which the node's annotation names.
    subnets = ranges(plugin.subnets.split(",")) if plugin.subnets and topology is not Topology.LAYER3 else ()
    return _Network(name, topology, role, subnets)


def _choose(choices: type[_Choice], field: str, text: str) -> _Choice:
    try:
        return choices(text)
    except ValueError:
        raise ValueError(f"{field}: {shown(text)} is none of {', '.join(choices)}") from None
