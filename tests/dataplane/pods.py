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
    """

    namespace: str
    name: str
    node: int
    host: int
    networks: tuple[Network, ...]
    labels: Mapping[str, str] = attrs.field(factory=dict, hash=False)

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
            Attachment(network, spec.node, spec.host, network.logical_port(spec.namespace, spec.name))
            for network in spec.networks
        )

    def attachment(self, network: Network) -> Attachment:
        """Give its attachment to a network."""
        return next(each for each in self.attachments if each.network == network)

    @property
    def plugs(self) -> tuple[Plug, ...]:
        """Its interfaces, eth0 first, for the node to connect."""
        return tuple(
            Plug(self.namespace, f"eth{index}", each.logical_port) for index, each in enumerate(self.attachments)
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
        networks = {
            each.network.nad or DEFAULT: {
                "ip_addresses": [str(address) for address in each.addresses],
                "mac_address": each.mac,
                "gateway_ips": [str(gateway.ip) for gateway in each.gateways],
                "role": each.network.role,
            }
            for each in self.attachments
        }
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


def definition(network: Network) -> Manifest:
    """Give the NetworkAttachmentDefinition of a network."""
    namespace, name = network.nad.split("/")
    config = {
        "cniVersion": "1.0.0",
        "name": network.name,
        "type": "ovn-k8s-cni-overlay",
        "topology": network.topology,
        "role": network.role,
        "netAttachDefName": network.nad,
        "subnets": ",".join(map(str, network.subnets)),
    }
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"namespace": namespace, "name": name, "labels": dict(network.labels)},
        "spec": {"config": json.dumps(config)},
    }


def node_manifest(number: int, networks: Iterable[Network]) -> Manifest:
    """Give a node, annotated with the ranges that its pods on layer3 networks have their addresses from."""
    ranges = {each.name: list(map(str, each.node_subnets(number))) for each in networks if each.topology == "layer3"}
    annotations = {"k8s.ovn.org/node-subnets": json.dumps(ranges)} if ranges else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODES[number - 1], "annotations": annotations},
    }
