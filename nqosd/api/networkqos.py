"""A NetworkQoS (k8s.ovn.org/v1alpha1) as frozen values.

These are what a policy says, already checked: `nqosd.api.validation` builds them from decoded objects. Rates are in
kbps, bursts in kilobits, as in the CRD and in OVN.
"""

from enum import StrEnum
from typing import TypeAlias

import attrs
import msgspec

from nqosd.api.ipnetworks import NONE, IPNetwork, IPNetworks, packed
from nqosd.api.labels import EVERYTHING, LabelSelector
from nqosd.api.problems import Problem


class Protocol(StrEnum):
    """The protocols that a port can name."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class NetworkSelectionType(StrEnum):
    """Which selector an entry of networkSelectors carries."""

    DEFAULT_NETWORK = "DefaultNetwork"
    CLUSTER_USER_DEFINED_NETWORKS = "ClusterUserDefinedNetworks"
    PRIMARY_USER_DEFINED_NETWORKS = "PrimaryUserDefinedNetworks"
    SECONDARY_USER_DEFINED_NETWORKS = "SecondaryUserDefinedNetworks"
    NETWORK_ATTACHMENT_DEFINITIONS = "NetworkAttachmentDefinitions"


class BandwidthScope(StrEnum):
    """Who shares a rule's limit: its source pods on one chassis, or each pod alone (annotation)."""

    RULE = "Rule"
    POD = "Pod"


class NetworkSelector(msgspec.Struct, frozen=True):
    """One entry of networkSelectors; a selector that its type doesn't have is `EVERYTHING` and not looked at."""

    type: NetworkSelectionType
    namespaces: LabelSelector = EVERYTHING
    networks: LabelSelector = EVERYTHING


@attrs.frozen
class IPBlock:
    """Addresses inside `cidr` and inside none of `excepts`, all of one family."""

    cidr: IPNetwork
    excepts: IPNetworks = attrs.field(default=NONE, converter=packed)


class PodPeer(msgspec.Struct, frozen=True):
    """Pods by label; `namespaces` None means the policy's own namespace."""

    pods: LabelSelector = EVERYTHING
    namespaces: LabelSelector | None = None


class AnyAddress(msgspec.Struct, frozen=True):
    """The entry `{}`: every address of both families."""


ANY_ADDRESS = AnyAddress()


Peer: TypeAlias = IPBlock | PodPeer | AnyAddress


class Port(msgspec.Struct, frozen=True, order=True):
    """A protocol and, if given, one destination port of it; without a port all of the protocol."""

    protocol: Protocol
    port: int | None = None


class Classifier(msgspec.Struct, frozen=True):
    """Which packets a rule is for: all parts must match, any entry of a part, and an empty part doesn't restrict."""

    to: tuple[Peer, ...] = ()
    from_: tuple[Peer, ...] = ()
    ports: tuple[Port, ...] = ()


class Limit(msgspec.Struct, frozen=True):
    """A token bucket: rate in kbps, burst in kilobits; None lets OVN use its own default (burst = rate)."""

    rate: int
    burst: int | None = None


class EgressRule(msgspec.Struct, frozen=True):
    """One rule: what it matches, the DSCP it writes into the inner header, and its limit if it has one."""

    dscp: int
    limit: Limit | None = None
    classifier: Classifier = Classifier()


class NetworkQoSSpec(msgspec.Struct, frozen=True):
    """What a valid policy asks for; `network_selectors` empty means every network that a pod is attached to."""

    priority: int
    egress: tuple[EgressRule, ...]
    pod_selector: LabelSelector = EVERYTHING
    network_selectors: tuple[NetworkSelector, ...] = ()
    bandwidth_scope: BandwidthScope = BandwidthScope.RULE


class Condition(msgspec.Struct, frozen=True):
    """A metav1 Condition as it stands in an object's status; times are RFC 3339 text."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int = 0
    last_transition_time: str = ""


class NetworkQoSStatus(msgspec.Struct, frozen=True):
    """`.status` of a policy: the summary that kubectl prints, the conditions, and what its other columns show.

    `columns` has the fields of that name that are there, as JSON.
    """

    summary: str = ""
    conditions: tuple[Condition, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    reported_at: str = ""


_NO_STATUS = NetworkQoSStatus()


@attrs.frozen
class NetworkQoS:
    """A policy. `spec` is None exactly when `problems` isn't empty: an invalid policy is not applied at all."""

    namespace: str
    name: str
    created: str = ""
    """creationTimestamp, RFC 3339 in UTC; empty where the object never was in a cluster."""
    uid: str = ""
    generation: int = 0
    spec: NetworkQoSSpec | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    status: NetworkQoSStatus = _NO_STATUS
    resource_version: str = attrs.field(default="", eq=False)
    """The version in which it was decoded; one that says nothing new is no other policy."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"
