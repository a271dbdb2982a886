"""What an informer tells the cache: typed changes, and that a resource has been listed once.

Rule: `old` is what this informer told before under the same key, None if nothing; `new` is None for a deletion. A
change with `old == new` is never told.
"""

from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, NetworkAttachment, Node, Pod, UserDefinedNetwork

Object: TypeAlias = NetworkQoS | Pod | Namespace | Node | NetworkAttachment | UserDefinedNetwork


class ResourceKind(StrEnum):
    """The resources that a NetworkQoS can depend on."""

    NETWORK_QOS = "NetworkQoS"
    POD = "Pod"
    NAMESPACE = "Namespace"
    NODE = "Node"
    NETWORK_ATTACHMENT_DEFINITION = "NetworkAttachmentDefinition"
    USER_DEFINED_NETWORK = "UserDefinedNetwork"
    CLUSTER_USER_DEFINED_NETWORK = "ClusterUserDefinedNetwork"


ObjectKey: TypeAlias = tuple[ResourceKind, str]
"""Which object a change is about: its kind, and its key in the table of that kind."""


class Change(msgspec.Struct, frozen=True):
    """One object that appeared, changed or went; `seen` is when its event arrived (monotonic seconds)."""

    kind: ResourceKind
    key: str
    old: Object | None
    new: Object | None
    seen: float = 0.0

    @property
    def namespace(self) -> str:
        """The object's namespace; a cluster-scoped object's name."""
        return self.key.partition("/")[0]


class Sink(Protocol):
    """Who listens to informers; both calls only take note and return at once."""

    def changed(self, changes: list[Change]) -> None:
        """Take some changes, in order."""

    def synced(self, kind: ResourceKind) -> None:
        """Take note that all objects of a kind have been told; an absent CRD counts as told: there are none."""
