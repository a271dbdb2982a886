"""Where the matrix is measured: on each network a source, a receiver beside it, one on the other node, one outside.

In: a laboratory. Out: the sites, running. The rule: every site has a namespace, a policy scope and addresses of its
own, so that all of them can be measured at once.
"""

from collections.abc import Mapping

import attrs

from tests.dataplane.cases import BACK, BACKEND_PORT, ITSELF, SERVICE_PORT, TRAFFIC, Policy, Probe
from tests.dataplane.laboratory import Laboratory
from tests.dataplane.networks import DEFAULT, EXTERNAL_HOST, Network, external
from tests.dataplane.pods import Manifest, PodSpec
from tests.dataplane.traffic import Address
from tests.services.chassis import NetworkNamespace
from tests.services.generation import OvnGeneration

SOURCE, RECEIVER = {"app": "source"}, {"app": "receiver"}


@attrs.frozen
class Receiver:
    """A namespace that receives, and its addresses, IPv4 first."""

    namespace: NetworkNamespace
    addresses: tuple[Address, ...]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Its addresses as prefixes that hold nothing else."""
        return tuple(f"{each}/{each.max_prefixlen}" for each in self.addresses)


@attrs.frozen
class Pair:
    """Who sends to whom: the traffic, the sending pod's key, and the receiver; by a service only, directly or both."""

    traffic: str
    sender: str
    receiver: Receiver
    is_direct: bool = True
    has_service: bool = False

    def takes(self, probe: Probe) -> bool:
        """Whether a probe goes this way."""
        return self.has_service if probe.service else self.is_direct


@attrs.frozen(eq=False)
class Site:
    """One network of the matrix.

    `first_host` tells its pods and services apart from those of other sites. `home` is the node that the source was
    started on, where it has migrated. With `is_two_way` the pod on the other node is a source, too.
    """

    title: str
    network: Network
    selector: Manifest
    namespace: str
    first_host: int
    has_services: bool
    home: int | None = None
    is_two_way: bool = False

    @property
    def pods(self) -> tuple[PodSpec, ...]:
        """The source, then the receivers on the same and on the other node."""
        far = SOURCE if self.is_two_way else RECEIVER
        pods = (("source", 1, SOURCE, self.home), ("near", 1, RECEIVER, None), ("far", 2, far, None))
        return tuple(
            PodSpec(self.namespace, name, node, self.first_host + index, (self.network,), labels, home)
            for index, (name, node, labels, home) in enumerate(pods)
        )

    def pairs(self, laboratory: Laboratory) -> tuple[Pair, ...]:
        """Who sends to whom."""
        source, _, far = (spec.key for spec in self.pods)
        found = [
            Pair(traffic, source, receiver, has_service=self.has_services)
            for traffic, receiver in self.receivers(laboratory).items()
        ]
        own = self.source(laboratory)
        if self.has_services:
            found.append(Pair(ITSELF, source, own, is_direct=False, has_service=True))
        if self.is_two_way:
            found.append(Pair(BACK, far, own))
        return tuple(found)

    def source(self, laboratory: Laboratory) -> Receiver:
        """The source, as a receiver."""
        return _receiver(laboratory, self.pods[0].key)

    def receivers(self, laboratory: Laboratory) -> dict[str, Receiver]:
        """The receivers by traffic: same chassis, other chassis, external."""
        found = [_receiver(laboratory, spec.key) for spec in self.pods[1:]]
        flat = self.network.topology == "localnet"
        outside = self.network.addresses(1, EXTERNAL_HOST) if flat else external(EXTERNAL_HOST)
        found.append(Receiver(laboratory.bed.underlay.outside, tuple(each.ip for each in outside)))
        return dict(zip(TRAFFIC, found, strict=True))

    def services(self) -> dict[str, tuple[str, str]]:
        """The addresses of the service in front of each receiver, by traffic."""
        number = self.first_host
        return {
            traffic: (f"10.96.{number}.{index}", f"fd00:10:96:{number}::{index}")
            for index, traffic in enumerate((*TRAFFIC, ITSELF), start=1)
        }

    def add_services(self, laboratory: Laboratory) -> None:
        """Put a service in front of each receiver."""
        backends = [
            (_endpoint(own, SERVICE_PORT), _endpoint(str(backend), BACKEND_PORT))
            for pair in self.pairs(laboratory)
            if pair.has_service
            for own, backend in zip(self.services()[pair.traffic], pair.receiver.addresses, strict=True)
        ]
        laboratory.bed.add_service(self.network, f"{self.namespace}-service", backends)

    def manifest(self, name: str, policy: Policy) -> Manifest:
        """Give a policy of this site as an object."""
        return {
            "apiVersion": "k8s.ovn.org/v1alpha1",
            "kind": "NetworkQoS",
            "metadata": {"namespace": self.namespace, "name": name},
            "spec": {
                "priority": policy.priority,
                "podSelector": {"matchLabels": SOURCE},
                "networkSelectors": [self.selector],
                "egress": list(policy.egress),
            },
        }


def _receiver(laboratory: Laboratory, key: str) -> Receiver:
    pod = laboratory.bed.pods[key]
    return Receiver(pod.namespace, tuple(each.ip for each in pod.attachments[0].addresses))


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _primary(namespace: str) -> Manifest:
    labels: Mapping[str, str] = {"kubernetes.io/metadata.name": namespace}
    return {
        "networkSelectionType": "PrimaryUserDefinedNetworks",
        "primaryUserDefinedNetworkSelector": {"namespaceSelector": {"matchLabels": labels}},
    }


_ATTACHED: Manifest = {
    "networkSelectionType": "NetworkAttachmentDefinitions",
    "networkAttachmentDefinitionSelector": {
        "namespaceSelector": {},
        "networkSelector": {"matchLabels": {"kind": "wire"}},
    },
}

SITES = (
    Site("layer3, default network", Network(DEFAULT, "layer3", 244), {"networkSelectionType": "DefaultNetwork"},
         "plain", 11, has_services=True),
    Site("layer3, user-defined", Network("blue", "layer3", 151, "blue/blue"), _primary("blue"),
         "blue", 21, has_services=True),
    Site("layer2, gateway router on the other chassis",
         Network("flat", "layer2", 162, "flat/flat", has_transit_router=False), _primary("flat"),
         "flat", 31, has_services=True),
    Site("layer2, gateway router on the same chassis",
         Network("even", "layer2", 165, "even/even", gateway=1, has_transit_router=False), _primary("even"),
         "even", 51, has_services=True),
    Site("localnet", Network("wire", "localnet", 173, "wire/wire", "secondary", {"kind": "wire"}), _ATTACHED,
         "wire", 41, has_services=False),
)  # fmt: skip
"""All topologies that every generation of OVN can have; ovn-kubernetes has no services on secondary networks."""

_MIGRATED = Site("layer3, default network, the source has migrated", Network(DEFAULT, "layer3", 244),
                 {"networkSelectionType": "DefaultNetwork"}, "moved", 71, has_services=True, home=2)  # fmt: skip
_TRANSIT = Site("layer2, transit router", Network("open", "layer2", 164, "open/open", gateway=1), _primary("open"),
                "open", 61, has_services=True)  # fmt: skip


def sites_of(generation: OvnGeneration) -> tuple[Site, ...]:
    """Give all topologies that ovn-kubernetes makes on a generation of OVN."""
    return (*SITES, _MIGRATED, _TRANSIT) if generation.is_current else SITES


def interconnected(generation: OvnGeneration) -> tuple[Site, ...]:
    """Give those that it makes where each node is a zone, and so has the gateway routers of its pods."""
    own = [site for site in sites_of(generation) if site.network.topology != "layer2" or site.network.gateway == 1]
    return tuple(
        attrs.evolve(site, title=f"interconnect, {site.title}", is_two_way=True) for site in own if site.home is None
    )
