"""The topology: zone, networks, ranges of addresses and switches, kept up to date, and what a change of it reaches.

In: tables in which nodes or networks changed, switches as the database has them. Out: a `TopologyChange`. Rule: it
names all pods and rows that may mean something else now; what it doesn't name means the same as before.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.api.objects import DEFAULT_NETWORK
from nqosd.cache.tables import Tables
from nqosd.compiler.address_ranges import ANYTHING, NetworkSubnets, Ranges, Subnets, network_subnets, ranges_of
from nqosd.compiler.network_index import NetworkIndex
from nqosd.compiler.network_switches import Network, switch_subnets
from nqosd.compiler.oldest_definitions import OldestDefinitions
from nqosd.compiler.pod_addresses import Zone
from nqosd.compiler.switches import Switches
from nqosd.config.options import Limits


class TopologyChange(msgspec.Struct, frozen=True):
    """What changed: `pods` whose places may, by key; `networks` redefined; `switches` with other ranges, by name.

    `ranges` are those of the default network before; None where they are the same. (A network with other ranges is
    redefined, and so its pods are among `pods`.)
    """

    pods: dict[str, None]
    networks: AbstractSet[str]
    switches: AbstractSet[str]
    ranges: Ranges | None


class ClusterTopology:
    """What the tables say of nodes and networks."""

    def __init__(self, tables: Tables, zone: str, limits: Limits) -> None:
        self._tables = tables
        self.definitions = OldestDefinitions(tables.attachments, limits)
        self._index = NetworkIndex()
        self.networks = self._index.networks
        self.zone = Zone.of(zone, {})
        self.subnets: Subnets = {}
        self._network_subnets: NetworkSubnets = {}
        self.ranges: Mapping[str, Ranges] = {}
        self.switch_ranges: Mapping[str, Ranges] = {}
        self.switches: Switches = {}
        self._node_subnets: Mapping[str, Mapping[str, tuple[str, ...]]] = {}

    def look(self, switches: Switches) -> AbstractSet[str]:
        """Take what the database has; gives the names of the switches of which that is something else now."""
        before, self.switches = self.switches, switches
        return {name for name in before.keys() | switches.keys() if before.get(name) != switches.get(name)}

    def renew(self, zone: str, definitions: Iterable[str], *, nodes: bool) -> TopologyChange:
        """Derive the topology anew: of the zone's name, if `nodes` changed, and of `definitions` that did, by key."""
        pods = self._rezone(zone) if nodes else {}
        joined, redefined = self._renetwork(definitions)
        pods |= joined
        if not (nodes or redefined):
            return TopologyChange(pods, redefined, set(), None)
        switches = self._resubnet()
        return TopologyChange(pods | self._moved(), redefined, switches, self._rerange())

    def _rezone(self, zone: str) -> dict[str, None]:
        """Find the zone's nodes anew; gives the pods on nodes that came or went."""
        before, self.zone = self.zone, Zone.of(zone, self._tables.nodes)
        pods = self._tables.pods
        if before == self.zone:
            return {}
        if None in (before.nodes, self.zone.nodes):  # from now on it matters where pods are, or no more
            return dict.fromkeys(pods)
        turned = before.hybrid ^ self.zone.hybrid
        return {
            key: None
            for key, pod in pods.items()
            if (pod.node in before) != (pod.node in self.zone) or pod.node in turned
        }

    def _renetwork(self, definitions: Iterable[str]) -> tuple[dict[str, None], AbstractSet[str]]:
        """Take definitions; gives the pods whose attachments mean something else now, and the networks."""
        concerned = self._index.take(self.definitions.take(definitions), self.definitions.by_key)
        before, now = self.networks, self._index.networks
        self.networks = now
        redefined = {name for name in concerned.networks if _differ(before.by_name.get(name), now.by_name.get(name))}
        old, new = before.by_nad, now.by_nad
        changed = {key for key in concerned.nads if old.get(key) != new.get(key) or new.get(key) in redefined}
        pods = {
            key: None
            for key, pod in (self._tables.pods.items() if changed else ())
            if any(attachment.nad in changed for attachment in pod.attachments)
        }
        return pods, redefined

    def _resubnet(self) -> AbstractSet[str]:
        """Derive the ranges behind each switch anew; gives the switches where they changed."""
        before, self.subnets = self.subnets, switch_subnets(self.networks, self._tables.nodes)
        changed = {name for name in before.keys() | self.subnets.keys() if before.get(name) != self.subnets.get(name)}
        if changed:
            self.switch_ranges = ranges_of(self.subnets, before, self.switch_ranges)
        return changed

    def _moved(self) -> dict[str, None]:
        """Give the pods on nodes of the zone with other ranges: whether an address is outside of them may turn."""
        before, self._node_subnets = self._node_subnets, {key: each.subnets for key, each in self._tables.nodes.items()}
        nodes = before.keys() | self._node_subnets.keys()
        changed = {name for name in nodes if name in self.zone and before.get(name) != self._node_subnets.get(name)}
        return {key: None for key, pod in self._tables.pods.items() if pod.node in changed} if changed else {}

    def _rerange(self) -> Ranges | None:
        """Derive the ranges of networks anew; gives the default network's before, if they have changed."""
        subnets, self._network_subnets = self._network_subnets, network_subnets(self.networks, self._tables.nodes)
        before, self.ranges = self.ranges, ranges_of(self._network_subnets, subnets, self.ranges)
        old = before.get(DEFAULT_NETWORK, ANYTHING)
        return None if old == self.ranges.get(DEFAULT_NETWORK, ANYTHING) else old


def _differ(before: Network | None, after: Network | None) -> bool:
    """Say whether two of thousands of networks differ; most of them are one object."""
    return before is not after and before != after
