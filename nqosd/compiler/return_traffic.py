"""What comes back: packets that pass the rows of their own switch for a second time.

In: on which switches there are limits, the topology. Out: one row for the switch that takes these packets out of
every limit. Rule: a packet is limited once, on its way from the sender.

A packet to a service goes to the router, as its address is on no switch; where the pod behind the service is on the
switch that the packet came from, the router sends it back there. It has the sender's address still, so it met the same
meter twice, and a connection came to a standstill. On a localnet network a packet to a pod of another node comes in
there from the underlay, and would use up the limit of that node's own senders (both measured with OVN 23.03 and 25.03).
Only such packets enter by that port with an address of this switch. OVN 23.03 refuses `inport != …`, so it is a row of
its own. It belongs to the switch and to no policy.
"""

from collections.abc import Iterator, Sequence

from nqosd.compiler.desired import NEVER_BITES, RETURNED, Family, QosRow, RowKey
from nqosd.compiler.expression import NOTHING, all_of, any_of, equals, string
from nqosd.compiler.network_switches import Network
from nqosd.compiler.rows import Unit
from nqosd.compiler.topology import ClusterTopology, TopologyChange

RETURNED_PRIORITY = 32767
"""The highest that OVN takes, above every rule of every policy."""

SwitchKey = tuple[str, str]
"""A network and one of its switches."""


def returned(network: Network, switch: str, ranges: Sequence[str]) -> QosRow | None:
    """Build the row for a switch with limits, whose pods have addresses from these ranges.

    None where nothing comes back, or where the ranges aren't known: without them the row would stand above rows of
    others for all traffic from elsewhere.
    """
    ports = network.way_back(switch)
    if not ports or not ranges:
        return None
    by_family = ((family, [each for each in ranges if (":" in each) == (family is Family.IP6)]) for family in Family)
    enters = equals("inport", map(string, ports))
    alternatives = (all_of((enters, equals(f"{family}.src", mine))) for family, mine in by_family)
    return QosRow(
        key=RowKey("", 0, network.name, switch, RETURNED),
        direction=network.direction,
        priority=RETURNED_PRIORITY,
        match=str(any_of(each for each in alternatives if each != NOTHING)),
        dscp=None,
        rate=NEVER_BITES,
    )


class ReturnedRows:
    """The rows of all switches, as units and the topology change."""

    def __init__(self, land: ClusterTopology) -> None:
        self._topology = land
        self._limits: dict[SwitchKey, int] = {}  # how many policies have one there
        self._rows: dict[SwitchKey, QosRow] = {}
        self._stale: dict[SwitchKey, None] = {}

    def unit_changed(self, switch: SwitchKey, before: Unit | None, after: Unit | None) -> None:
        """Take the unit that a policy had on a switch, and the one that it has now."""
        more = (after is not None and after.has_limit) - (before is not None and before.has_limit)
        if more:
            self._limits[switch] = self._limits.get(switch, 0) + more
            self._stale[switch] = None

    def topology_changed(self, topology_change: TopologyChange) -> None:
        """Take other networks and ranges."""
        for network, switch in self._limits if topology_change.networks or topology_change.switches else ():
            if network in topology_change.networks or switch in topology_change.switches:
                self._stale[network, switch] = None

    def drain(self) -> Iterator[tuple[QosRow | None, QosRow | None]]:
        """Give what changed since the last call: each row before and after."""
        stale, self._stale = self._stale, {}
        for key in stale:
            name, switch = key
            network = self._topology.networks.by_name.get(name)
            before, after = self._rows.pop(key, None), None
            if not self._limits.get(key):
                self._limits.pop(key, None)
            elif network is not None:
                after = returned(network, switch, self._topology.subnets.get(switch, ()))
            if after is not None:
                self._rows[key] = after
            if before != after:
                yield before, after
