"""`compile_everything`: the definition of what the database should hold.

In: all current objects, the settings, and switches as the database has them. Out: desired rows and sets, and a report
on every policy. It goes through every pod for every policy, plainly, and remembers nothing: whatever the incremental
path keeps must equal this.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

import msgspec

from nqosd.api.networkqos import NetworkQoS
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.cache.tables import Tables
from nqosd.compiler.address_owners import Counted, Refused, counted
from nqosd.compiler.address_ranges import network_ranges, switch_ranges
from nqosd.compiler.desired import AddressSet, Desired, Family, PortGroup
from nqosd.compiler.effective_policies import EffectivePolicy, PolicyReading, of_namespace
from nqosd.compiler.matching import MatchScope
from nqosd.compiler.network_switches import Networks, switch_subnets
from nqosd.compiler.oldest_definitions import oldest_definitions
from nqosd.compiler.pod_addresses import PodAddress, Zone, places
from nqosd.compiler.policy_reports import PolicyReport, ReportInputs, report
from nqosd.compiler.return_traffic import NetworkSwitch, switch_unit
from nqosd.compiler.room import MEMBERS, ROWS, Takes, without_room
from nqosd.compiler.rows import SenderSwitch, Unit, build_unit, rows_at_most
from nqosd.compiler.set_ids import AnySet, OutsideSet, PrefixSet
from nqosd.compiler.settings import Settings
from nqosd.compiler.switches import UNKNOWN, Switches


class Compiled(msgspec.Struct, frozen=True):
    """What `compile_everything` gives; reports stand in order of namespace and name.

    `refused` are the addresses that don't count, by the keys of the pods that have any.
    """

    desired: Desired
    reports: tuple[PolicyReport, ...]
    refused: Mapping[str, tuple[Refused, ...]]


class _World(msgspec.Struct, frozen=True):
    """The pods' places, and what it takes to name and fill sets."""

    tables: Tables
    settings: Settings
    networks: Networks
    places: Mapping[str, tuple[PodAddress, ...]]
    switches: Switches

    def name(self, set_id: AnySet) -> str:
        return set_id.name(self.settings.owner)

    def members(self, set_id: AnySet) -> AbstractSet[str]:
        if isinstance(set_id, PrefixSet):
            return set_id.prefixes
        if isinstance(set_id, OutsideSet):
            return frozenset(each.member for mine in self.places.values() for each in mine if set_id.holds(each))
        return frozenset(
            place.member
            for key, pod in self.tables.pods.items()
            if set_id.selection.matches(pod, self.tables.namespaces)
            for place in self.places[key]
            if set_id.holds(place)
        )

    def size(self, selection: PodSelection) -> int:
        """Count the places of the pods that a selection chooses; of senders, those on a switch."""
        chosen = (key for key, pod in self.tables.pods.items() if selection.matches(pod, self.tables.namespaces))
        every = (place for key in chosen for place in self.places[key])
        return sum(selection.role is SelectionUse.PEER or bool(place.switch) for place in every)

    def sites(self, effective: EffectivePolicy) -> Iterator[SenderSwitch]:
        """Find the switches with senders of a policy on its networks."""
        found: defaultdict[tuple[str, str], dict[str, tuple[PodAddress, ...]]] = defaultdict(dict)
        for key, pod in self.tables.pods.items():
            if effective.sources.matches(pod, self.tables.namespaces):
                every = tuple(each for each in self.places[key] if each.is_of(effective.sources))
                for network, switch, mine in by_switch(every):
                    if effective.selects(network):
                        found[network, switch][pod.name] = mine
        for (network, switch), pods in sorted(found.items()):
            kinds = frozenset(place.family for mine in pods.values() for place in mine)
            yield SenderSwitch(self.networks.by_name[network], switch, kinds, _constant(pods))


def compile_everything(tables: Tables, settings: Settings, switches: Switches | None = None) -> Compiled:
    """Compile all current objects; `switches` None: nothing is known of the database."""
    networks = Networks.of(oldest_definitions(tables.attachments, settings.limits))
    zone = Zone.of(settings.zone, tables.nodes)
    found = all_places(tables, networks, zone)
    world = _World(tables, settings, networks, {key: mine.places for key, mine in found.items()}, switches or {})
    by_namespace: defaultdict[str, list[NetworkQoS]] = defaultdict(list)
    for policy in tables.policies.values():
        by_namespace[policy.namespace].append(policy)
    units: list[Unit] = []
    reports: list[PolicyReport] = []
    for policies in by_namespace.values():
        for mine, said in _compiled(policies, world):
            units.extend(mine.values())
            reports.append(said)
    units.extend(_switch_units(units, world))
    return Compiled(
        _desired(units, world),
        tuple(sorted(reports, key=lambda each: (each.namespace, each.name))),
        {key: mine.refused for key, mine in found.items() if mine.refused},
    )


def _compiled(
    policies: Sequence[NetworkQoS], world: _World
) -> Iterator[tuple[Mapping[tuple[str, str], Unit], PolicyReport]]:
    """Give the units of each policy of a namespace, by network and switch, and the report on it."""
    settings = world.settings
    facts = ReportInputs(world.networks, world.switches, lambda set_id: bool(world.members(set_id)))
    choose = partial(world.networks.choice, tables=world.tables, any_network=settings.any_network)
    applied, ranks = of_namespace(policies, choose, settings, PolicyReading.of)  # in order of age
    members = ((key, Takes.of_members(effective, world.size)) for key, effective in applied.items())
    beyond = without_room(MEMBERS, ((key, takes) for key, takes in members if not takes.is_idle), settings.limits)
    sites = {key: list(world.sites(effective)) for key, effective in applied.items() if key not in beyond}
    rows = ((key, Takes(_rows_at_most(applied[key], mine))) for key, mine in sites.items())
    beyond |= without_room(ROWS, rows, settings.limits)
    for policy in policies:
        effective, problem = applied.get(policy.key), beyond.get(policy.key)
        mine = {} if effective is None or problem is not None else _units(effective, sites[policy.key], world)
        yield mine, report(policy, ranks.get(policy.key), effective, mine, facts, excess=problem)


def _desired(units: Iterable[Unit], world: _World) -> Desired:
    """Give the rows of some units, and the sets that they use with their members."""
    sets = {world.name(set_id): set_id for unit in units for set_id in unit.sets}
    return Desired(
        rows={row.key: row for unit in units for row in unit.rows},
        address_sets={
            name: AddressSet(name, str(set_id), world.members(set_id))
            for name, set_id in sets.items()
            if set_id.family is not None
        },
        port_groups={
            name: PortGroup(name, str(set_id), world.members(set_id))
            for name, set_id in sets.items()
            if set_id.family is None
        },
    )


def all_places(tables: Tables, networks: Networks, zone: Zone) -> Mapping[str, Counted]:
    """Say of every pod which of its places count."""
    ranges = switch_ranges(networks, tables.nodes)
    said = {key: places(pod, networks, zone, ranges) for key, pod in tables.pods.items()}
    return counted(said, tables.pods, network_ranges(networks, tables.nodes))


def by_switch(places_of_pod: tuple[PodAddress, ...]) -> Iterator[tuple[str, str, tuple[PodAddress, ...]]]:
    """Group a pod's places as a sender by network and switch."""
    found: defaultdict[tuple[str, str], list[PodAddress]] = defaultdict(list)
    for place in places_of_pod:
        if place.switch:
            found[place.network, place.switch].append(place)
    for (network, switch), mine in found.items():
        yield network, switch, tuple(mine)


def _units(effective: EffectivePolicy, sites: Iterable[SenderSwitch], world: _World) -> Mapping[tuple[str, str], Unit]:
    return {
        (site.network.name, site.switch): build_unit(effective, site, MatchScope(site.network.name, world.name))
        for site in sites
    }


def _rows_at_most(effective: EffectivePolicy, sites: Iterable[SenderSwitch]) -> int:
    return sum(rows_at_most(effective.spec, len(site.kinds), _senders(site)) for site in sites)


def _senders(site: SenderSwitch) -> int:
    """Count the senders of that kind of which there are most."""
    places = [place for mine in site.pods().values() for place in mine]
    return max(len({place.member for place in places if place.family is kind}) for kind in site.kinds)


def _switch_units(units: Iterable[Unit], world: _World) -> list[Unit]:
    """Build the rows of no policy for the switches with rows of policies."""
    ranges = switch_subnets(world.networks, world.tables.nodes)
    limited: defaultdict[tuple[str, str], set[Family | None]] = defaultdict(set)
    for unit in units:
        for row in unit.rows:
            limited[row.key.network, row.key.switch] |= unit.limited
    found = (
        switch_unit(
            NetworkSwitch(
                world.networks.by_name[network], switch, ranges.get(switch, ()), world.switches.get(switch, UNKNOWN)
            ),
            kinds,
            world.name,
        )
        for (network, switch), kinds in limited.items()
    )
    return [unit for unit in found if unit is not None]


def _constant(pods: dict[str, tuple[PodAddress, ...]]) -> Callable[[], Mapping[str, tuple[PodAddress, ...]]]:
    return lambda: pods
