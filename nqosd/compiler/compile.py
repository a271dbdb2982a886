"""`compile_everything`: the definition of what the database should hold.

In: all current objects and the settings. Out: desired rows and sets, and a report on every policy. It goes through
every pod for every policy, plainly, and remembers nothing: whatever the incremental path keeps must equal this.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import attrs

from nqosd.api.networkqos import NetworkQoS
from nqosd.cache.tables import Tables
from nqosd.compiler.claims import Counted, Refused, counted
from nqosd.compiler.contexts import Context, Reading, namespace_contexts
from nqosd.compiler.desired import AddressSet, Desired, PortGroup, QosRow
from nqosd.compiler.networks import Networks, switch_subnets
from nqosd.compiler.places import Place, Zone, places
from nqosd.compiler.ranges import network_ranges
from nqosd.compiler.report import PolicyReport
from nqosd.compiler.reports import Facts, report
from nqosd.compiler.returned import returned
from nqosd.compiler.room import without_room
from nqosd.compiler.rows import Site, Unit, build_unit, rows_at_most
from nqosd.compiler.sets import AnySet, PrefixSet
from nqosd.compiler.settings import Settings


@attrs.frozen
class Compiled:
    """What `compile_everything` gives; reports stand in order of namespace and name.

    `refused` are the addresses that don't count, by the keys of the pods that have any.
    """

    desired: Desired
    reports: tuple[PolicyReport, ...]
    refused: Mapping[str, tuple[Refused, ...]]


@attrs.frozen
class _World:
    """The pods' places, and what it takes to name and fill sets."""

    tables: Tables
    settings: Settings
    networks: Networks
    places: Mapping[str, tuple[Place, ...]]

    def name(self, set_id: AnySet) -> str:
        return set_id.name(self.settings.owner)

    def members(self, set_id: AnySet) -> AbstractSet[str]:
        if isinstance(set_id, PrefixSet):
            return set_id.prefixes
        return frozenset(
            place.member
            for key, pod in self.tables.pods.items()
            if set_id.selection.matches(pod, self.tables.namespaces)
            for place in self.places[key]
            if set_id.holds(place)
        )

    def sites(self, context: Context) -> Iterator[Site]:
        """Find the switches with senders of a policy on its networks."""
        found: defaultdict[tuple[str, str], dict[str, tuple[Place, ...]]] = defaultdict(dict)
        for key, pod in self.tables.pods.items():
            if context.sources.matches(pod, self.tables.namespaces):
                for network, switch, mine in by_switch(self.places[key]):
                    if context.selects(network):
                        found[network, switch][pod.name] = mine
        for (network, switch), pods in sorted(found.items()):
            kinds = frozenset(place.family for mine in pods.values() for place in mine)
            yield Site(self.networks.by_name[network], switch, kinds, _constant(pods))


def compile_everything(tables: Tables, settings: Settings) -> Compiled:
    """Compile all current objects."""
    networks = Networks.of(tables.attachments)
    zone = Zone.of(settings.zone, tables.nodes)
    found = all_places(tables, networks, zone)
    world = _World(tables, settings, networks, {key: mine.places for key, mine in found.items()})
    facts = Facts(networks, lambda set_id: bool(world.members(set_id)))
    by_namespace: defaultdict[str, list[NetworkQoS]] = defaultdict(list)
    for policy in tables.policies.values():
        by_namespace[policy.namespace].append(policy)

    units: list[Unit] = []
    reports: list[PolicyReport] = []
    for policies in by_namespace.values():
        contexts, ranks = namespace_contexts(policies, networks, tables, settings, Reading.of)
        sites = {key: list(world.sites(context)) for key, context in contexts.items()}
        rows = ((key, _rows_at_most(context, sites[key])) for key, context in contexts.items())  # in order of age
        beyond = without_room(rows, settings.limits)
        for policy in policies:
            context = contexts.get(policy.key)
            problem = beyond.get(policy.key)
            mine = {} if context is None or problem is not None else _units(context, sites[policy.key], world)
            units.extend(mine.values())
            reports.append(report(policy, ranks.get(policy.key), context, mine, facts, excess=problem))
    sets = {set_id for unit in units for set_id in unit.sets}
    every = [*(row for unit in units for row in unit.rows), *_returned(units, world)]
    desired = Desired(
        rows={row.key: row for row in every},
        address_sets={
            name: AddressSet(name, str(set_id), world.members(set_id))
            for set_id in sets
            if set_id.family is not None and (name := world.name(set_id))
        },
        port_groups={
            name: PortGroup(name, str(set_id), world.members(set_id))
            for set_id in sets
            if set_id.family is None and (name := world.name(set_id))
        },
    )
    return Compiled(
        desired,
        tuple(sorted(reports, key=lambda each: (each.namespace, each.name))),
        {key: mine.refused for key, mine in found.items() if mine.refused},
    )


def all_places(tables: Tables, networks: Networks, zone: Zone) -> Mapping[str, Counted]:
    """Say of every pod which of its places count."""
    said = {key: places(pod, networks, zone) for key, pod in tables.pods.items()}
    return counted(said, tables.pods, network_ranges(networks, tables.nodes))


def by_switch(places_of_pod: tuple[Place, ...]) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    """Group a pod's places as a sender by network and switch."""
    found: defaultdict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in places_of_pod:
        if place.switch:
            found[place.network, place.switch].append(place)
    for (network, switch), mine in found.items():
        yield network, switch, tuple(mine)


def _units(context: Context, sites: Iterable[Site], world: _World) -> Mapping[tuple[str, str], Unit]:
    return {(site.network.name, site.switch): build_unit(context, site, world.name) for site in sites}


def _rows_at_most(context: Context, sites: Iterable[Site]) -> int:
    return sum(rows_at_most(context.spec, len(site.kinds), _senders(site)) for site in sites)


def _senders(site: Site) -> int:
    """Count the senders of that kind of which there are most."""
    places = [place for mine in site.pods().values() for place in mine]
    return max(len({place.member for place in places if place.family is kind}) for kind in site.kinds)


def _returned(units: Iterable[Unit], world: _World) -> Iterator[QosRow]:
    """Build the row of each switch with limits for what comes back to it."""
    ranges = switch_subnets(world.networks, world.tables.nodes)
    limited = {(row.key.network, row.key.switch) for unit in units if unit.has_limit for row in unit.rows}
    for network, switch in limited:
        if (row := returned(world.networks.by_name[network], switch, ranges.get(switch, ()))) is not None:
            yield row


def _constant(pods: dict[str, tuple[Place, ...]]) -> Callable[[], Mapping[str, tuple[Place, ...]]]:
    return lambda: pods
