"""Everything together: testbed, API server and daemon, and the moment from which on packets can be believed.

In: a generation of OVN. Out: a cluster to put objects into and pods to send from. The rule: `settle` returns when the
daemon has told that every policy stands as it is now, no row of another policy is left, and both nodes have applied it.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from tests.dataplane.cluster import Cluster, Told
from tests.dataplane.daemon import Nqosd
from tests.dataplane.definitions import definition
from tests.dataplane.networks import DEFAULT, Network
from tests.dataplane.pods import PodSpec
from tests.dataplane.testbed import WHOLE, Testbed
from tests.services.etcd import Etcd
from tests.services.generation import OvnGeneration
from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError

DEADLINE = 30.0
POLL = 0.02


@attrs.frozen
class QosRow:
    """A row of the daemon: its policy, whether it is for one pod, and its rate (kbps) and burst (kilobits)."""

    policy: str
    is_for_a_pod: bool
    bandwidth: Mapping[str, int]


@attrs.frozen
class Laboratory:
    """A testbed under a daemon under an API server."""

    bed: Testbed
    cluster: Cluster
    daemon: Nqosd
    """That of the first node's zone."""

    def add(self, networks: Iterable[Network], pods: Iterable[PodSpec]) -> None:
        """Make the networks that aren't there yet, and start pods, in OVN and in Kubernetes."""
        new_networks = [network for network in dict.fromkeys(networks) if network not in self.bed.networks]
        new_pods = list(pods)
        namespaces = {pod.namespace for pod in new_pods}
        self.cluster.put_namespaces(*sorted(namespaces))
        self.bed.add_networks(new_networks)
        if new_networks:
            self.cluster.put_nodes(self.bed.networks)
        self.cluster.put(definition(network) for network in new_networks if network.name != DEFAULT)
        self.add_pods(new_pods)

    def add_pods(self, pods: Iterable[PodSpec]) -> None:
        """Start pods, in OVN and in Kubernetes."""
        new = list(pods)
        self.bed.add_pods(new)
        self.cluster.put(self.bed.pods[pod.key].manifest for pod in new)

    def remove_pod(self, pod: PodSpec) -> None:
        """Delete a pod, in Kubernetes and in OVN."""
        self.cluster.delete("Pod", pod.namespace, pod.name)
        self.bed.remove_pod(pod.key)

    def settle(self) -> dict[str, Told]:
        """Wait until everything is applied, and return what the daemon told about each policy.

        Raises:
            ServiceError: it took longer than 30 s; says what is missing.
        """
        end = time.monotonic() + DEADLINE
        while True:
            told = self.cluster.told()
            silent = self.cluster.policies - told.keys()
            left = {row.policy for row in self.rows()} - self.cluster.policies
            if not silent and not left:
                break
            if time.monotonic() > end:
                tail = self.daemon.tail_logs()
                raise ServiceError(f"no word about {sorted(silent)}, rows left of {sorted(left)}\n{tail}")
            time.sleep(POLL)
        self.bed.sync()
        return told

    def wait_for(self, ready: Callable[[list[QosRow]], bool], *, what: str) -> None:
        """Wait until the rows are so, and both nodes have applied them."""
        self.daemon.wait_until(lambda: ready(self.rows()), what=what)
        self.bed.sync()

    def wait_for_source(self, address: str) -> None:
        """Wait until the daemon has taken an address into one of its sets, and both nodes have applied that."""
        self.daemon.wait_until(lambda: self._knows(address), what=f"aware of {address}")
        self.bed.sync()

    def wait_for_no_source(self, address: str) -> None:
        """Wait until no set of the daemon has an address any more, and both nodes have applied that."""
        self.daemon.wait_until(lambda: not self._knows(address), what=f"aware that {address} is gone")
        self.bed.sync()

    def _knows(self, address: str) -> bool:
        find = ["--bare", "--columns=name", "find", "Address_Set", f'addresses{{>=}}"{address}"']
        return any("nqosd_" in central.nb.nbctl(*find) for central in self.bed.centrals)

    def rows(self) -> list[QosRow]:
        """Give the daemons' rows of policies in the Northbound databases."""
        listed = ["--format=json", "--columns=external_ids,bandwidth", "list", "QoS"]
        found = [each for central in self.bed.centrals for each in json.loads(central.nb.nbctl(*listed))["data"]]
        rows = [(dict(ids[1]), dict(bandwidth[1])) for ids, bandwidth in found]
        return [
            QosRow(ids["nqosd.io/policy"], ids.get("nqosd.io/part", "").startswith("pod/"), bandwidth)
            for ids, bandwidth in rows
            if "nqosd.io/policy" in ids
        ]


@contextlib.contextmanager
def laboratory(generation: OvnGeneration, zones: Sequence[Sequence[int]] = WHOLE) -> Iterator[Laboratory]:
    """Start everything, with a daemon for each zone, and end it afterwards."""
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(Testbed(generation, zones))
        etcd = stack.enter_context(Etcd())
        server = stack.enter_context(ApiServer(etcd))
        cluster = Cluster(server, is_interconnect=len(zones) > 1)
        cluster.install()
        first, *_ = [stack.enter_context(Nqosd(central.nb, server)) for central in bed.centrals]
        yield Laboratory(bed, cluster, first)
