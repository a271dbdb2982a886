"""Rows of a switch that belong to no policy: what makes up for what the rows of policies do to others.

In: which rows policies have on which switches, the topology. Out: a unit for each such switch. Rules:

- A packet is limited once, on its way from the sender. A packet to a service goes to the router, as its address is on
  no switch; where the pod behind the service is on the switch that the packet came from, the router sends it back
  there. It has the sender's address still, so it met the same meter twice, and a connection came to a standstill. On a
  localnet network a packet to a pod of another node comes in there from the underlay, and would use up the limit of
  that node's own senders (both measured with OVN 23.03 and 25.03). Only such packets enter by that port with an address
  of this switch. OVN 23.03 refuses `inport != …`, so it is a row of its own.
- Neighbour discovery meets no limit: on flat networks it is the sender's own, and a flood of small packets would starve
  it (3 to 10 of 30 solicitations were answered, 30 with the row). On layer3 the switch itself answers.
- A row of others that sets a packet mark, and that our rows suppress, is mirrored in the other direction, where ours
  don't stand: connections from outside need EgressIP's mark (measured with OVN 25.03 and 26.03).
- ovn-kubernetes' own NetworkQoS controller acts on no packet beside a daemon that runs. Where ours stand in its
  direction they outrank its rows; on flat networks, where they don't, a row of its direction outranks them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.api.objects import Topology
from nqosd.compiler.desired import MARK_PART, NEVER_BITES, OVERRIDE, RETURNED, Direction, Family, QosRow, RowKey
from nqosd.compiler.expression import NOTHING, Expression, Term, all_of, any_of, equals, string
from nqosd.compiler.network_switches import Network
from nqosd.compiler.rows import Unit
from nqosd.compiler.set_ids import AnySet, OutsideSet
from nqosd.compiler.switches import OVERRIDE_PRIORITY, UNKNOWN, Switch, Switches
from nqosd.compiler.topology import ClusterTopology, TopologyChange

RETURNED_PRIORITY = 32767
"""The highest that OVN takes, above every rule of every policy."""
MIRROR_PRIORITY = 32766
"""Above what others have in that direction."""
NEIGHBOUR_DISCOVERY = any_of(map(Term, ("nd", "nd_rs", "nd_ra")))

SwitchKey = tuple[str, str]
"""A network and one of its switches."""


class NetworkSwitch(msgspec.Struct, frozen=True):
    """A switch of a network; `subnets` are the ranges that its pods have addresses from, empty where not known."""

    network: Network
    name: str
    subnets: tuple[str, ...]
    switch: Switch

    def key(self, part: str) -> RowKey:
        """Give the key of a row of no policy."""
        return RowKey("", 0, self.network.name, self.name, part)


def switch_unit(at: NetworkSwitch, limited: AbstractSet[Family | None], name: Callable[[AnySet], str]) -> Unit | None:
    """Build the rows of no policy for a switch on which policies have rows; `name` names a set.

    `limited` are the families of senders with limits, None for those without addresses.
    """
    rows = list(_for_others(at))
    outside = _outside(at) if limited and at.switch.uplinks else {}
    passing = [*_returning(at, outside, name)] if limited else []
    if at.network.topology is not Topology.LAYER3 and not limited.isdisjoint((Family.IP6, None)):
        passing.append(NEIGHBOUR_DISCOVERY)
    match = any_of(each for each in passing if each != NOTHING)
    if match != NOTHING:
        row = QosRow(
            key=at.key(RETURNED),
            direction=at.network.direction,
            priority=RETURNED_PRIORITY,
            match=str(match),
            dscp=None,
            rate=NEVER_BITES,
            sets=tuple(sorted(map(name, outside.values()))),
        )
        rows.append(row)
    return Unit(tuple(rows), frozenset(outside.values())) if rows else None


def _outside(at: NetworkSwitch) -> dict[Family, OutsideSet]:
    """Name the sets of own addresses outside of the ranges; none where a flat network's ranges say all."""
    if at.network.topology is not Topology.LAYER3 and at.subnets:
        return {}
    return {family: OutsideSet(at.network.name, at.name, family) for family in Family}


def _returning(
    at: NetworkSwitch, outside: dict[Family, OutsideSet], name: Callable[[AnySet], str]
) -> Iterator[Expression]:
    """Match what comes back, family by family."""
    enters = equals("inport", map(string, at.switch.uplinks))
    for family in Family:
        field = f"{family}.src"
        mine = [each for each in at.subnets if (":" in each) == (family is Family.IP6)]
        # A set stands in a comparison of its own: only then does ovn-controller follow its changes incrementally.
        others = equals(field, [f"${name(outside[family])}"] if family in outside else ())
        yield all_of((enters, any_of(each for each in (equals(field, mine), others) if each != NOTHING)))


def _for_others(at: NetworkSwitch) -> Iterator[QosRow]:
    """Mirror rows of others that our rows on the switch suppress, and suppress those that would act beside ours."""
    for each in at.switch.mirrored(at.network.direction):
        yield QosRow(
            key=at.key(f"{MARK_PART}{each.egress_ip}"),
            direction=Direction.TO_LPORT,
            priority=MIRROR_PRIORITY,
            match=each.match,
            dscp=None,
            mark=each.mark,
        )
    if at.switch.has_override(at.network.direction):
        yield QosRow(
            key=at.key(OVERRIDE),
            direction=Direction.TO_LPORT,
            priority=OVERRIDE_PRIORITY,
            match="ip",
            dscp=None,
            rate=NEVER_BITES,
        )


class _Demand(msgspec.Struct):
    """How many policies have rows on a switch, and how many a limit for senders of each kind."""

    policies: int = 0
    limits: Counter[Family | None] = msgspec.field(default_factory=Counter)


class SwitchRows:
    """The units of all switches, as units of policies and the topology change."""

    def __init__(self, topology: ClusterTopology) -> None:
        self._topology = topology
        self._demands: dict[SwitchKey, _Demand] = {}
        self._stale: dict[SwitchKey, None] = {}
        self._outdated: set[RowKey] = set()
        self.objections: Mapping[str, str] = {}
        """What rows of policies do to others that nothing makes up for, by switch; another object once it changes."""

    def unit_changed(self, switch: SwitchKey, before: Unit | None, after: Unit | None) -> None:
        """Take the unit that a policy had on a switch, and the one that it has now."""
        old, new = (frozenset() if unit is None else unit.limited for unit in (before, after))
        more = bool(after and after.rows) - bool(before and before.rows)
        if more or old != new:
            demand = self._demands.setdefault(switch, _Demand())
            demand.policies += more
            demand.limits.subtract(old)
            demand.limits.update(new)
            self._stale[switch] = None

    def topology_changed(self, topology_change: TopologyChange) -> None:
        """Take other networks and ranges."""
        for network, switch in self._demands if topology_change.networks or topology_change.switches else ():
            if network in topology_change.networks or switch in topology_change.switches:
                self._stale[network, switch] = None

    def switches_changed(self, names: AbstractSet[str], before: Switches) -> set[RowKey]:
        """Take what is something else on some switches in the database; gives the keys of rows for others there before.

        One that isn't desired any more may still be there, idle.
        """
        self._stale |= dict.fromkeys(key for key in self._demands if key[1] in names)
        there = {
            row.key: row
            for network in self._topology.networks.by_name.values()
            if (name := network.switch("")) in names and name in before
            for row in _for_others(NetworkSwitch(network, name, (), before[name]))
        }
        self._outdated |= {key for key, row in there.items() if row not in self._rows_for_others(key)}
        return set(there)

    def may_wait(self, key: RowKey) -> bool:
        """Say whether a row that isn't desired may stay for a while; one for a row of others goes with that one."""
        if key.network not in self._topology.networks.by_name:
            return False
        if key.part == RETURNED:
            return True
        return key not in self._outdated and key in {row.key for row in self._rows_for_others(key)}

    def drain(self, name: Callable[[AnySet], str]) -> Iterator[tuple[SwitchKey, Unit | None]]:
        """Give what may have changed since the last call."""
        stale, self._stale = self._stale, {}
        for key in stale:
            demand = self._demands[key]
            unit, words = None, ""
            if demand.policies:
                at = self._switch(*key)
                unit = switch_unit(at, {each for each, number in demand.limits.items() if number}, name)
                words = at.switch.objection(at.network.direction)
            else:
                del self._demands[key]
            if words != self.objections.get(key[1], ""):
                others = {each: said for each, said in self.objections.items() if each != key[1]}
                self.objections = others | ({key[1]: words} if words else {})
            self._outdated.difference_update(row.key for row in (unit.rows if unit is not None else ()))
            yield key, unit

    def _rows_for_others(self, key: RowKey) -> list[QosRow]:
        """List what there is to write for others on the switch of a row."""
        return list(_for_others(self._switch(key.network, key.switch)))

    def _switch(self, network: str, switch: str) -> NetworkSwitch:
        known, subnets = self._topology.switches.get(switch, UNKNOWN), self._topology.subnets.get(switch, ())
        return NetworkSwitch(self._topology.networks.by_name[network], switch, subnets, known)
