"""The current objects, one table a kind.

In: changes, in order. Out: plain mappings from key to value. Rule: a table holds exactly what the informers told last.
"""

from typing import cast

import attrs

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, NetworkAttachment, Node, Pod, UserDefinedNetwork
from nqosd.informers.changes import Change, Kind, Object


@attrs.define
class Tables:
    """All objects that a NetworkQoS can depend on, by key; `user_networks` holds both user-defined kinds."""

    policies: dict[str, NetworkQoS] = attrs.field(factory=dict)
    pods: dict[str, Pod] = attrs.field(factory=dict)
    namespaces: dict[str, Namespace] = attrs.field(factory=dict)
    nodes: dict[str, Node] = attrs.field(factory=dict)
    attachments: dict[str, NetworkAttachment] = attrs.field(factory=dict)
    user_networks: dict[str, UserDefinedNetwork] = attrs.field(factory=dict)

    def apply(self, change: Change) -> None:
        """Take one change: put the new value under its key, or drop the key."""
        table = self._table(change.kind)
        if change.new is None:
            table.pop(change.key, None)
        else:
            table[change.key] = change.new

    def keys(self) -> dict[Kind, dict[str, None]]:
        """Give the keys of all objects by kind; both user-defined kinds stand under the first."""
        found = {kind: dict.fromkeys(self._table(kind)) for kind in Kind}
        return {**found, Kind.CLUSTER_USER_DEFINED_NETWORK: {}}

    def sizes(self) -> dict[Kind, int]:
        """Count the objects by kind."""
        cluster_wide = sum(not network.namespace for network in self.user_networks.values())
        return {kind: len(self._table(kind)) for kind in Kind} | {
            Kind.USER_DEFINED_NETWORK: len(self.user_networks) - cluster_wide,
            Kind.CLUSTER_USER_DEFINED_NETWORK: cluster_wide,
        }

    def _table(self, kind: Kind) -> dict[str, Object]:
        tables: dict[Kind, object] = {
            Kind.NETWORK_QOS: self.policies,
            Kind.POD: self.pods,
            Kind.NAMESPACE: self.namespaces,
            Kind.NODE: self.nodes,
            Kind.NETWORK_ATTACHMENT_DEFINITION: self.attachments,
            Kind.USER_DEFINED_NETWORK: self.user_networks,
            Kind.CLUSTER_USER_DEFINED_NETWORK: self.user_networks,
        }
        return cast("dict[str, Object]", tables[kind])
