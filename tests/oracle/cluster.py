"""A cluster as the rules of NetworkQoS see it: who can send, and which addresses a selector means.

In: decoded objects by kind, and the zone. Out: a `Cluster`. The rule: sources are of this zone, peers of the whole
cluster, and neither is on the host network or has ended.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from tests.oracle.decoded import Object, annotation, text
from tests.oracle.networks import Networks, logical_port, read_networks
from tests.oracle.packet import Address
from tests.oracle.pods import Pod, read_pod
from tests.oracle.selectors import read_selector

SHARERS = 8
"""Pods of one namespace for which an address counts."""


@attrs.frozen
class Sender:
    """One attachment of a pod that can send in this zone.

    Args:
        pod: `<namespace>/<name>`
        network: name of the network
        switch: its logical switch there
        port: its logical port there
        addresses: its own; none on a network without addresses
        direction: of the rows that treat its packets, from-lport or to-lport
        locked: the pod has it for the kubelet alone
    """

    pod: str
    network: str
    switch: str
    port: str
    addresses: frozenset[Address]
    direction: str
    locked: bool

    @property
    def can_be_source(self) -> bool:
        """On layer3 an address makes a pod a source; on flat networks its logical port will do."""
        return bool(self.addresses) or self.direction == "from-lport"


@attrs.frozen
class Cluster:
    """The pods and networks of a cluster.

    Args:
        pods: every pod, by key
        networks: every network
        senders: every attachment that can send in this zone
    """

    pods: Mapping[str, Pod]
    networks: Networks
    senders: tuple[Sender, ...]

    def senders_of(self, namespace: str, pod_selector: object) -> tuple[Sender, ...]:
        """The attachments that can be sources, of the pods of a namespace that a selector (absent: all) matches."""
        selector = read_selector(pod_selector)
        chosen = {pod.key for pod in self.pods.values() if pod.namespace == namespace and selector.matches(pod.labels)}
        return tuple(sender for sender in self.senders if sender.pod in chosen and sender.can_be_source)

    def peers(self, entry: Object, namespace: str, network: str) -> frozenset[Address]:
        """The addresses on a network that an entry with selectors means to a policy of a namespace."""
        return frozenset(
            address
            for pod in self.chosen(entry, namespace)
            for nad, attachment in pod.attachments.items()
            if self.networks.of_attachment(nad) == network
            for address in attachment.addresses
        )

    def members(self, pods: Iterable[Pod]) -> int:
        """How many addresses some pods have on all networks, and logical ports on flat ones without addresses."""
        found = 0
        for pod in pods:
            places: set[tuple[str, Address | str]] = set()
            for nad, attachment in pod.attachments.items():
                network = self.networks.of_attachment(nad)
                if network is not None:
                    places |= {(network, address) for address in attachment.addresses}
                    if not attachment.addresses and self.networks.direction(network) == "from-lport":
                        places |= {(network, key) for key in attachment.keys}
            found += len(places)
        return found

    def chosen(self, entry: Object, namespace: str) -> Sequence[Pod]:
        """The pods that an entry with selectors means to a policy of a namespace."""
        by_namespace = entry.get("namespaceSelector")
        if by_namespace is None:
            scope = {namespace}
        else:
            selector = read_selector(by_namespace)
            names = {pod.namespace for pod in self.pods.values()}
            scope = {name for name in names if self.networks.namespace_matches(name, selector)}
        selector = read_selector(entry.get("podSelector"))
        live = (pod for pod in self.pods.values() if pod.live and pod.namespace in scope)
        return [pod for pod in live if selector.matches(pod.labels)]


def read_cluster(objects: Mapping[str, Iterable[Object]], zone: str | None) -> Cluster:
    """Read a cluster; `zone` None, empty or "global" is the whole cluster."""
    networks = read_networks(objects)
    pods = believed([read_pod(manifest) for manifest in objects.get("Pod", ())], networks)
    nodes = _nodes_of_zone(objects.get("Node", ()), zone)
    at = [pod for pod in pods.values() if pod.live and pod.node and pod.node not in networks.hybrid]
    sending = [pod for pod in at if nodes is None or pod.node in nodes]
    return Cluster(pods, networks, tuple(sender for pod in sending for sender in _senders(pod, networks)))


def believed(pods: Sequence[Pod], networks: Networks) -> dict[str, Pod]:
    """The pods by key, with those of their addresses that count.

    An address counts if the network can have it, for the namespace whose pod is the oldest of all live pods that say
    they have it there, and for the oldest few pods of that namespace. A pod that was created at an unknown time is
    younger than others.
    """
    having: defaultdict[tuple[str | None, Address], list[Pod]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: (not pod.created, pod.created, pod.key)):
        here = pod.attachments.items() if pod.live else ()
        for place in {(networks.of_attachment(nad), address) for nad, each in here for address in each.addresses}:
            if not having[place] or (having[place][0].namespace == pod.namespace and len(having[place]) < SHARERS):
                having[place].append(pod)

    def counts(pod: Pod, network: str | None, address: Address) -> bool:
        if network is None or not pod.live:
            return False
        return networks.has(network, address) and pod in having[network, address]

    found = {}
    for pod in pods:
        attachments = {}
        for nad, said in pod.attachments.items():
            network = networks.of_attachment(nad)
            mine = frozenset(each for each in said.addresses if counts(pod, network, each))
            if mine or not said.addresses:  # one of whose addresses none counts is no attachment without addresses
                attachments[nad] = attrs.evolve(said, addresses=mine)
        found[pod.key] = attrs.evolve(pod, attachments=attachments)
    return found


def _nodes_of_zone(nodes: Iterable[Object], zone: str | None) -> frozenset[str] | None:
    """The names of the nodes of a zone; None for all."""
    if zone in (None, "", "global"):
        return None
    return frozenset(
        text(node, "metadata", "name")
        for node in nodes
        if zone in (text(node, "metadata", "name"), annotation(node, "k8s.ovn.org/zone-name"))
    )


def _senders(pod: Pod, networks: Networks) -> Iterator[Sender]:
    for nad, attachment in pod.attachments.items():
        network = networks.of_attachment(nad)
        if network is not None:
            for key in attachment.keys:
                yield Sender(
                    pod=pod.key,
                    network=network,
                    switch=networks.switch(network, pod.node),
                    port=logical_port(key, pod.namespace, pod.name),
                    addresses=attachment.addresses,
                    direction=networks.direction(network),
                    locked=attachment.locked,
                )
