"""Pods: a network namespace each, with an interface for each network, and the object that Kubernetes would hold.

In: what a pod should be. Out: the running pod and its manifest, with the annotation that ovn-kubernetes writes. The
rule: the manifest says what the namespace has.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import attrs

from tests.dataplane.namespaces import POD_MTU, bring_up, run_script
from tests.dataplane.networks import DEFAULT, NODES, Network
from tests.dataplane.node import Plug
from tests.dataplane.ovn_kubernetes import Attachment
from tests.services.chassis import NetworkNamespace

Manifest: TypeAlias = dict[str, object]


@attrs.frozen
class PodSpec:
    """What a pod should be.

    Args:
        namespace: its Kubernetes namespace
        name: its name
        node: number of its node
        host: number of its addresses; no other pod may have it
        networks: what it is attached to, eth0 first
        labels: its labels
        home: number of the node that it was started on, whose addresses it has kept, where it has migrated
    """

    namespace: str
    name: str
    node: int
    host: int
    networks: tuple[Network, ...]
    labels: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    home: int | None = None

    @property
    def key(self) -> str:
        """`<namespace>/<name>`."""
        return f"{self.namespace}/{self.name}"


class Pod:
    """A pod whose network namespace runs."""

    def __init__(self, spec: PodSpec, namespace: NetworkNamespace) -> None:
        self.spec = spec
        self.namespace = namespace
        self.attachments = tuple(
            Attachment(network, spec.node, spec.host, spec.namespace, spec.name, spec.home) for network in spec.networks
        )

    def attachment(self, network: Network) -> Attachment:
        """Give its attachment to a network."""
        return next(each for each in self.attachments if each.network == network)

    @property
    def plugs(self) -> tuple[Plug, ...]:
        """Its interfaces, eth0 first, for the node to connect."""
        return tuple(
            Plug(self.namespace, f"eth{index}", each.logical_port, each.version)
            for index, each in enumerate(self.attachments)
        )

    def configure(self) -> None:
        """Give the interfaces their addresses and routes; a default route only to the first network."""
        run_script(self.namespace, [line for index in range(len(self.attachments)) for line in self._lines(index)])

    def _lines(self, index: int) -> list[str]:
        attachment, name = self.attachments[index], f"eth{index}"
        lines = [f"ip link set {name} address {attachment.mac}", *bring_up(name, mtu=POD_MTU)]
        lines += [f"ip address add {each} dev {name} nodad" for each in attachment.addresses]
        for gateway, whole in zip(attachment.gateways, attachment.network.subnets, strict=False):
            destination = "default" if index == 0 else str(whole)
            if destination == "default" or whole != gateway.network:
                lines.append(f"ip route add {destination} via {gateway.ip} dev {name}")
        return lines

    @property
    def manifest(self) -> Manifest:
        """The pod as the API server should have it."""
        networks = {each.network.nad or DEFAULT: annotation(each, self.attachments) for each in self.attachments}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": self.spec.namespace,
                "name": self.spec.name,
                "labels": dict(self.spec.labels),
                "annotations": {"k8s.ovn.org/pod-networks": json.dumps(networks)},
            },
            "spec": {
                "nodeName": NODES[self.spec.node - 1],
                "containers": [{"name": "main", "image": "example.invalid/none"}],
            },
        }


def annotation(attachment: Attachment, beside: Iterable[Attachment]) -> dict[str, object]:
    """Give what ovn-kubernetes writes into a pod about one of its attachments, but for the routes."""
    network, addresses = attachment.network, list(map(str, attachment.addresses))
    found: dict[str, object] = {"ip_addresses": addresses or None, "mac_address": attachment.mac, "role": network.role}
    is_locked = network.name == DEFAULT and any(each.network.has_gateway and each.network != network for each in beside)
    if is_locked:
        found["role"] = "infrastructure-locked"
    elif network.has_gateway:
        found["gateway_ips"] = [str(each.ip) for each in attachment.gateways]
    if len(addresses) == 1:
        found["ip_address"] = addresses[0]
        if network.has_gateway:
            found["gateway_ip"] = str(attachment.gateways[0].ip)
    if attachment.is_flat:
        found["tunnel_id"] = attachment.host
        if network.has_gateway:
            found["ipv6_lla_gateway_ip"] = "fe80::1"
    return found


def node_manifest(number: int, networks: Iterable[Network], *, is_zone: bool = False) -> Manifest:
    """Give a node, annotated with the ranges that its pods on layer3 networks have addresses of, and with its zone."""
    ranges = {each.name: list(map(str, each.node_subnets(number))) for each in networks if each.topology == "layer3"}
    annotations = {"k8s.ovn.org/node-subnets": json.dumps(ranges)} if ranges else {}
    if is_zone:
        annotations["k8s.ovn.org/zone-name"] = NODES[number - 1]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODES[number - 1], "annotations": annotations},
    }
