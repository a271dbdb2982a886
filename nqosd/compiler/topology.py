"""The topology: zone, networks and ranges of addresses, kept up to date, and what a change of it reaches.

In: tables in which nodes or networks changed. Out: an `TopologyChange`. Rule: it names all pods and rows that may mean
something else now; what it doesn't name means the same as before.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import attrs

from nqosd.api.objects import DEFAULT_NETWORK
from nqosd.cache.tables import Tables
from nqosd.compiler.address_ranges import ANYTHING, Ranges, network_ranges
from nqosd.compiler.network_switches import Networks, switch_subnets
from nqosd.compiler.pod_addresses import Zone


@attrs.frozen
class TopologyChange:
    """What changed: `pods` whose places may, by key; `networks` redefined; `switches` with other ranges.

    `ranges` are those of the default network before; None where they are the same. (A network with other ranges is
    redefined, and so its pods are among `pods`.)
    """

    pods: dict[str, None]
    networks: AbstractSet[str]
    switches: AbstractSet[str]
    ranges: Ranges | None


class ClusterTopology:
    """What the tables say of nodes and networks."""

    def __init__(self, tables: Tables, zone: str) -> None:
        self._tables = tables
        self.networks = Networks.of({})
        self.zone = Zone.of(zone, {})
        self.subnets: Mapping[str, tuple[str, ...]] = {}
        self.ranges: Mapping[str, Ranges] = {}

    def renew(self, zone: str, *, nodes: bool, networks: bool) -> TopologyChange:
        """Derive the topology anew: `zone` is its name, the flags say what changed in the tables."""
        pods = self._rezone(zone) if nodes else {}
        redefined: AbstractSet[str] = set()
        if networks:
            joined, redefined = self._renetwork()
            pods |= joined
        if not (nodes or networks):
            return TopologyChange(pods, redefined, set(), None)
        return TopologyChange(pods, redefined, self._resubnet(), self._rerange())

    def _rezone(self, zone: str) -> dict[str, None]:
        """Find the zone's nodes anew; gives the pods on nodes that came or went."""
        before, self.zone = self.zone, Zone.of(zone, self._tables.nodes)
        pods = self._tables.pods
        if before == self.zone:
            return {}
        if None in (before.nodes, self.zone.nodes):  # from now on it matters where pods are, or no more
            return dict.fromkeys(pods)
        return {key: None for key, pod in pods.items() if (pod.node in before) != (pod.node in self.zone)}

    def _renetwork(self) -> tuple[dict[str, None], AbstractSet[str]]:
        """Derive the networks anew; gives the pods whose attachments mean something else now, and the networks."""
        before, self.networks = self.networks, Networks.of(self._tables.attachments)
        names = before.by_name.keys() | self.networks.by_name.keys()
        redefined = {name for name in names if before.by_name.get(name) != self.networks.by_name.get(name)}
        nads = before.by_nad.keys() | self.networks.by_nad.keys()
        changed = {nad for nad in nads if before.at(nad) != self.networks.at(nad)}
        pods = {
            key: None
            for key, pod in (self._tables.pods.items() if changed else ())
            if any(attachment.nad in changed for attachment in pod.attachments)
        }
        return pods, redefined

    def _resubnet(self) -> AbstractSet[str]:
        """Derive the ranges behind each switch anew; gives the switches where they changed."""
        before, self.subnets = self.subnets, switch_subnets(self.networks, self._tables.nodes)
        return {name for name in before.keys() | self.subnets.keys() if before.get(name) != self.subnets.get(name)}

    def _rerange(self) -> Ranges | None:
        """Derive the ranges of networks anew; gives the default network's before, if they have changed."""
        before, self.ranges = self.ranges, network_ranges(self.networks, self._tables.nodes)
        old = before.get(DEFAULT_NETWORK, ANYTHING)
        return None if old == self.ranges.get(DEFAULT_NETWORK, ANYTHING) else old
