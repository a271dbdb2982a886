"""The current objects, one table a kind.

In: changes, in order. Out: plain mappings from key to value. Rule: a table holds exactly what the informers told last.
"""

from collections.abc import Mapping
from typing import cast

import attrs

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, NetworkAttachment, Node, Pod, UserDefinedNetwork


@attrs.define
class Tables:
    """All objects that a NetworkQoS can depend on, by key."""

    policies: dict[str, NetworkQoS] = attrs.field(factory=dict)
    pods: dict[str, Pod] = attrs.field(factory=dict)
    namespaces: dict[str, Namespace] = attrs.field(factory=dict)
    nodes: dict[str, Node] = attrs.field(factory=dict)
    attachments: dict[str, NetworkAttachment] = attrs.field(factory=dict)
    user_networks: dict[str, UserDefinedNetwork] = attrs.field(factory=dict)
    cluster_networks: dict[str, UserDefinedNetwork] = attrs.field(factory=dict)
    _tables: Mapping[ResourceKind, dict[str, Object]] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Name the tables by kind."""
        tables: dict[ResourceKind, object] = {
            ResourceKind.NETWORK_QOS: self.policies,
            ResourceKind.POD: self.pods,
            ResourceKind.NAMESPACE: self.namespaces,
            ResourceKind.NODE: self.nodes,
            ResourceKind.NETWORK_ATTACHMENT_DEFINITION: self.attachments,
            ResourceKind.USER_DEFINED_NETWORK: self.user_networks,
            ResourceKind.CLUSTER_USER_DEFINED_NETWORK: self.cluster_networks,
        }
        self._tables = cast("Mapping[ResourceKind, dict[str, Object]]", tables)

    def apply(self, change: Change) -> None:
        """Take one change: put the new value under its key, or drop the key."""
        table = self._tables[change.kind]
        if change.new is None:
            table.pop(change.key, None)
        else:
            table[change.key] = change.new

    def objects(self) -> Mapping[ResourceKind, Mapping[str, Object]]:
        """Give all objects by kind and key."""
        return self._tables

    def keys(self) -> dict[ResourceKind, dict[str, None]]:
        """Give the keys of all objects by kind."""
        return {kind: dict.fromkeys(found) for kind, found in self._tables.items()}

    def sizes(self) -> dict[str, int]:
        """Count the objects by kind; they may change meanwhile, in another thread."""
        return {kind.value: len(found) for kind, found in self._tables.items()}
