"""The seven resources that a NetworkQoS can depend on: where they are served, and who decodes them.

Rule: this is the one place that knows a kind's group, version and plural; the API server's paths and the manifests'
`apiVersion` both follow from it.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from nqosd.api.changes import ResourceKind
from nqosd.api.decoding import (
    Decoded,
    decode_namespace,
    decode_network_attachment,
    decode_network_qos,
    decode_node,
    decode_pod,
    decode_user_defined_network,
)
from nqosd.api.decoding.envelopes import PARTIAL
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, NetworkAttachment, Node, Pod, UserDefinedNetwork

AnyDecoded: TypeAlias = (
    Decoded[NetworkQoS]
    | Decoded[Pod]
    | Decoded[Namespace]
    | Decoded[Node]
    | Decoded[NetworkAttachment]
    | Decoded[UserDefinedNetwork]
)


class Resource(msgspec.Struct, frozen=True, cache_hash=True):
    """One resource of the API.

    `decode` raises `nqosd.api.decoding.DecodeError` if it can't tell which object the bytes are.
    """

    kind: ResourceKind
    group: str
    version: str
    plural: str
    decode: Callable[[bytes], AnyDecoded]
    namespaced: bool = True
    is_probe: bool = False
    """Whether it is counted after each watch, which are shorter for it. That a watch ends in time shows that the API
    server answers; a count shows that its store does, without which nobody hears of the last change."""

    namespace: str = ""
    """The namespace whose objects are meant; empty means all."""
    labels: str = ""
    """Which labels they have, in kubectl's notation."""
    node: str = ""
    """Which node they are scheduled to; the API server has an index for it."""
    only_metadata: bool = False
    """Whether the metadata is all that is asked for; a server that can't leave out the rest sends whole objects. A list
    of metadata names no kind, and without a namespace in it, it may as well be one of another kind."""

    @property
    def optional(self) -> bool:
        """Whether it comes with a CustomResourceDefinition, so that a cluster can be without it."""
        return bool(self.group)

    @property
    def may_be_pruned(self) -> bool:
        """Whether a server with another definition drops fields that are asked for from what it tells."""
        return self.optional and not self.only_metadata

    @property
    def api_version(self) -> str:
        """What stands under `apiVersion`: `v1`, or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """The path under which the objects are listed and watched."""
        namespace = f"namespaces/{self.namespace}/" if self.namespace else ""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}/{namespace}{self.plural}"

    @property
    def selectors(self) -> dict[str, str]:
        """What a request for them says besides the path."""
        fields = f"spec.nodeName={self.node}" if self.node else ""
        return {key: text for key, text in (("labelSelector", self.labels), ("fieldSelector", fields)) if text}

    def __str__(self) -> str:
        within = f" of namespace {self.namespace}" if self.namespace else ""
        return " ".join([f"{self.full_name}{within}", *self.selectors.values()])

    def accept(self, *, is_list: bool) -> str:
        """Give the header that says in what form objects are to be sent."""
        form = f"application/json;as={PARTIAL}{'List' if is_list else ''};g=meta.k8s.io;v=v1,"
        return f"{form if self.only_metadata else ''}application/json"

    @property
    def full_name(self) -> str:
        """The plural with its group, as RBAC and CustomResourceDefinitions name it: `networkqoses.k8s.ovn.org`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


OVN = "k8s.ovn.org"
CNI = "k8s.cni.cncf.io"

RESOURCES: tuple[Resource, ...] = (
    Resource(
        ResourceKind.NAMESPACE,
        "",
        "v1",
        "namespaces",
        decode_namespace,
        namespaced=False,
        is_probe=True,
        only_metadata=True,
    ),
    Resource(ResourceKind.NODE, "", "v1", "nodes", decode_node, namespaced=False, only_metadata=True),
    Resource(ResourceKind.POD, "", "v1", "pods", decode_pod),
    Resource(ResourceKind.NETWORK_QOS, OVN, "v1alpha1", "networkqoses", decode_network_qos),
    Resource(
        ResourceKind.NETWORK_ATTACHMENT_DEFINITION,
        CNI,
        "v1",
        "network-attachment-definitions",
        decode_network_attachment,
    ),
    Resource(
        ResourceKind.USER_DEFINED_NETWORK,
        OVN,
        "v1",
        "userdefinednetworks",
        decode_user_defined_network,
        only_metadata=True,
    ),
    Resource(
        ResourceKind.CLUSTER_USER_DEFINED_NETWORK,
        OVN,
        "v1",
        "clusteruserdefinednetworks",
        decode_user_defined_network,
        namespaced=False,
        only_metadata=True,
    ),
)
