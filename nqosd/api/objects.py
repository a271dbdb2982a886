"""Pods, namespaces, nodes and networks, with only what a NetworkQoS can depend on.

Addresses are canonical text (`10.0.0.1`, `fd00::1`). Keys are `namespace/name`, or `name` for cluster-scoped kinds.
An object with a part that doesn't parse carries a `problem`, and that part contributes nothing; it never stops another.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

import msgspec

from nqosd.api.labels import Labels

DEFAULT_NETWORK = "default"
"""The cluster's default network: its name, and its key among a pod's attachments."""


class Topology(StrEnum):
    """How a network is built from logical switches."""

    LAYER3 = "layer3"
    LAYER2 = "layer2"
    LOCALNET = "localnet"


class NetworkRole(StrEnum):
    """What a network is to the pods on it."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


class Attachment(msgspec.Struct, frozen=True):
    """A pod's interface on a network.

    `key` is as it stands in the pod's annotation: `default`, `namespace/name` of a NetworkAttachmentDefinition, or
    that with an index (`namespace/name/1`) for the second and later attachments of one definition. `is_locked`: the pod
    has its default network for the kubelet alone (role `infrastructure-locked`), as it has another primary network.
    """

    key: str
    addresses: tuple[str, ...] = ()
    is_locked: bool = False

    @property
    def nad(self) -> str:
        """The key without its index."""
        return _nad(self.key)


@lru_cache(maxsize=4096)  # the pods of a cluster share a few keys
def _nad(key: str) -> str:
    return "/".join(key.split("/", 2)[:2])


class Pod(msgspec.Struct, frozen=True):
    """A pod; `node` is empty until it is scheduled, `ended` is phase Succeeded or Failed.

    `created` is its creationTimestamp, RFC 3339 in UTC; empty where it never was in a cluster.
    """

    namespace: str
    name: str
    labels: Labels = {}
    node: str = ""
    host_network: bool = False
    ended: bool = False
    attachments: tuple[Attachment, ...] = ()
    problem: str | None = None
    created: str = ""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class Namespace(msgspec.Struct, frozen=True):
    """A namespace and its labels."""

    name: str
    labels: Labels = {}
    problem: str | None = None

    @property
    def key(self) -> str:
        """The name."""
        return self.name


class Node(msgspec.Struct, frozen=True):
    """A node; `zone` is the annotation `k8s.ovn.org/zone-name`, empty where it isn't set.

    `subnets` is the annotation `k8s.ovn.org/node-subnets`: by network, the ranges (canonical CIDRs) that pods of the
    node have their addresses from. `is_hybrid`: it has hybrid-overlay networking, and no logical switch; its pods have
    their addresses from `hybrid_subnets`, the annotation `k8s.ovn.org/hybrid-overlay-node-subnet`.
    """

    name: str
    zone: str = ""
    subnets: Mapping[str, tuple[str, ...]] = {}
    problem: str | None = None
    is_hybrid: bool = False
    hybrid_subnets: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name."""
        return self.name


class NetworkAttachment(msgspec.Struct, frozen=True):
    """A NetworkAttachmentDefinition: which network it renders, and who owns it.

    `network` is empty where the definition renders none of ovn-kubernetes' (another CNI type, or no topology: a handle
    of the default network) or doesn't parse; the latter has a `problem`. `subnets` are the ranges (canonical CIDRs) of
    the network. `owner_kind` is `UserDefinedNetwork`, `ClusterUserDefinedNetwork` or empty.
    `created` is its creationTimestamp; `accepted` says that ovn-kubernetes has given the network an identifier.
    """

    namespace: str
    name: str
    labels: Labels = {}
    network: str = ""
    topology: Topology = Topology.LAYER3
    role: NetworkRole = NetworkRole.SECONDARY
    subnets: tuple[str, ...] = ()
    owner_kind: str = ""
    owner_name: str = ""
    problem: str | None = None
    created: str = ""
    accepted: bool = False

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class UserDefinedNetwork(msgspec.Struct, frozen=True):
    """A UserDefinedNetwork, or with an empty namespace a ClusterUserDefinedNetwork: only its labels matter."""

    namespace: str
    name: str
    labels: Labels = {}
    problem: str | None = None

    @property
    def key(self) -> str:
        """`namespace/name`, or the name of a ClusterUserDefinedNetwork."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
