"""The definitions of networks, as ovn-kubernetes renders them from user-defined networks and annotates them.

In: a network. Out: its NetworkAttachmentDefinition. The rule: it has the form of `fixtures/definitions.json`.
"""

import json
from collections.abc import Iterator

from tests.dataplane.networks import Network
from tests.dataplane.pods import Manifest
from tests.dataplane.topology import PHYSICAL_NETWORK, TRANSIT_KEYS

_ROUTER_KEYS = TRANSIT_KEYS + 4096 - 7
"""What is added to a network's id for the tunnel key of its transit router."""


def definition(network: Network) -> Manifest:
    """Give the NetworkAttachmentDefinition of a network."""
    namespace, name = network.nad.split("/")
    config = {"cniVersion": "1.1.0", "name": network.name, "type": "ovn-k8s-cni-overlay", "role": network.role}
    config |= {"topology": network.topology, "netAttachDefName": network.nad}
    annotations = {"network-id": str(network.number), "network-name": network.name, "tunnel-keys": _keys(network)}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"k8s.ovn.org/user-defined-network": "", **network.labels},
            "annotations": {f"k8s.ovn.org/{key}": value for key, value in annotations.items()},
        },
        "spec": {"config": json.dumps(config | dict(_options(network)))},
    }


def _options(network: Network) -> Iterator[tuple[str, object]]:
    """Give what a definition says by the kind of its network."""
    if network.subnets:
        of_a_node = {4: "/24", 6: "/64"} if network.topology == "layer3" else {4: "", 6: ""}
        yield "subnets", ",".join(f"{each}{of_a_node[each.version]}" for each in network.subnets)
    if network.topology == "localnet":
        yield from (("mtu", 1500), ("physicalNetworkName", PHYSICAL_NETWORK))
    if network.vlan is not None:
        yield "vlanID", network.vlan
    if network.has_gateway:
        yield "joinSubnet", "100.65.0.0/16,fd99::/64"
    if network.has_gateway and network.topology == "layer2":
        yield "transitSubnet", "100.88.0.0/16,fd97::/64"


def _keys(network: Network) -> str:
    """Give the tunnel keys of a layer2 network's switch and router."""
    if network.topology != "layer2" or not network.has_gateway:
        return "[]"
    return f"[{TRANSIT_KEYS + network.number},{_ROUTER_KEYS + network.number}]"
