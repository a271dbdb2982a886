"""The incremental twin of `compile_everything`: the same desired state, at the cost of what changed.

In: changes of objects and switches, in any order and batching. Out: live `Desired`, and a `Delta` for each batch. Rule:
after any sequence of changes, `desired` equals `compile_everything(tables, settings, switches).desired`, and so do the
reports; the tests hold the two against each other, and the daemon does on request.

A batch goes down in the order in which things depend on each other: nodes (zone), definitions (networks), policies
(effective policies and what they select), pods (claims, then members), and at last the units whose inputs changed.
Pods come to their places first, which says exactly in which namespaces there may be room for other policies than
before. To see that for a namespace, and to build what follows, may take long however few pods changed.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import attrs
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import BandwidthScope, NetworkQoS
from nqosd.api.objects import DEFAULT_NETWORK, NetworkAttachment, Pod
from nqosd.cache.selections import PodSelection
from nqosd.cache.tables import Tables
from nqosd.compiler.address_owners import AddressClaims, Refused, claimant_of
from nqosd.compiler.address_ranges import ANYTHING
from nqosd.compiler.desired import Delta, Desired, Members, RowKey
from nqosd.compiler.desired_state import State
from nqosd.compiler.effective_policies import PolicyReading
from nqosd.compiler.effective_policy_index import EffectivePolicies, selections_of
from nqosd.compiler.matching import MatchScope
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.oldest_definitions import too_many_definitions
from nqosd.compiler.pod_addresses import PodAddress, places
from nqosd.compiler.policy_reports import PolicyReport, ReportInputs, report
from nqosd.compiler.prefixes import Prefixes
from nqosd.compiler.return_traffic import SwitchRows
from nqosd.compiler.room import MEMBERS, ROWS, Room
from nqosd.compiler.rows import POD_PART, SenderSwitch, Unit, build_unit
from nqosd.compiler.set_members import Membership
from nqosd.compiler.settings import Settings
from nqosd.compiler.subscriptions import Subscriptions
from nqosd.compiler.switches import Switches
from nqosd.compiler.topology import ClusterTopology

FEW = 100
"""How many pods with one address are few: they take some 5 ms."""
REQUIREMENTS = 10
"""Requirements of selectors that take as long, for one address, as another pod."""
LITTLE = 300
"""Rows, and units without rows, for which others can wait; they take some 5 ms."""
A_ROW = 50
"""Members of sets that take as long as a row."""
SHARE = 4_000
"""The weight of pods that are moved at once where networks or nodes changed; they take some 25 ms."""

_NETWORK_KINDS = (
    ResourceKind.NETWORK_ATTACHMENT_DEFINITION,
    ResourceKind.USER_DEFINED_NETWORK,
    ResourceKind.CLUSTER_USER_DEFINED_NETWORK,
    ResourceKind.NAMESPACE,
)

_Stale = dict[tuple[str, str, str], None]
"""Units to build anew, by policy, network and switch, in a fixed order."""


class IncrementalCompiler:
    """Keeps the desired state equal to what the current objects mean."""

    def __init__(self, settings: Settings) -> None:
        self.tables = Tables()
        self._settings = settings
        self._is_whole = True
        self.switches: Switches = {}
        """Logical switches as the database has them; what is put here holds from the next batch on."""
        self.share: float = math.inf
        """The weight of pods that a batch moves because networks or nodes changed, at most; the rest are `left`."""
        self.moment = 0.0
        """When the next batch comes, by the clock of the caller."""
        self.left: dict[str, float] = {}
        """Pods that later batches move, and since when they should be elsewhere; the oldest first."""
        self._start({})

    def _start(self, readings: dict[str, PolicyReading]) -> None:
        """Begin with nothing compiled; the tables stay, and what was read of policies may."""
        self.left.clear()
        self._topology = ClusterTopology(self.tables, self._settings.zone, self._settings.limits)
        self._switch_rows = SwitchRows(self._topology)
        self._claims = AddressClaims()
        self._refused: dict[str, tuple[Refused, ...]] = {}
        self._membership = Membership(self.tables.namespaces)
        self._state = State(self._settings.owner, self._membership)
        self._subscriptions = Subscriptions(self._membership)
        self._policies = EffectivePolicies(self.tables, self._settings, self._subscriptions, readings)
        self._room = Room(self.tables.policies, self._membership, self._settings.limits)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def desired(self) -> Desired:
        """The desired state, live; after `configure` it is another object."""
        return self._state.desired

    @property
    def is_zoned(self) -> bool:
        """Whether the database is for the nodes of one zone, and not for the whole cluster."""
        return self._topology.zone.nodes is not None

    @property
    def lacks_zone(self) -> bool:
        """Whether no node is of the database's zone, so that nobody can say whose pods are senders there."""
        return self._topology.zone.is_empty

    @property
    def networks(self) -> Networks:
        """The networks as their definitions have them."""
        return self._topology.networks

    @property
    def selections(self) -> int:
        """How many selections are watched."""
        return self._membership.selections

    def weight(self, namespace: str) -> int:
        """Say how many rows, selectors and members, of these A_ROW for one, the policies of a namespace take."""
        members = self._room.members(namespace) // A_ROW
        return self._room.rows(namespace) + self._policies.selectors(namespace) + members

    def takes_long(self, settings: Settings, changes: Sequence[Change]) -> bool:
        """Say whether a batch may take longer than others can wait even before it is known what follows from it.

        A policy does, however long it is; a pod of any namespace for each of its addresses, for each requirement of the
        selectors that may choose it, and for each other pod of which an address may begin or cease to count.
        """
        if settings != self._settings or not self._is_whole or len(changes) > FEW or self.left:
            return True
        if any(each.kind is not ResourceKind.POD for each in changes):
            return True
        if self._claims.shared and sum(map(self._concerned, changes)) > FEW:
            return True
        pods = [pod for each in changes for pod in (each.old, each.new) if isinstance(pod, Pod)]
        most = sum(_weight(pod, self._membership.requirements) for pod in pods)
        return most > FEW and sum(_weight(pod, self._membership.requirements_for(pod)) for pod in pods) > FEW

    def _concerned(self, change: Change) -> int:
        """Say at most of how many other pods an address begins or ceases to count by a change of a pod."""
        mine = self._places(change.new) if isinstance(change.new, Pod) else ()
        return self._claims.concerned(change.key, mine)

    def configure(self, settings: Settings, changes: Iterable[Change] = ()) -> Delta:
        """Take a batch of changes and other settings; where they are others, everything is compiled anew."""
        delta = Delta()
        for _ in self.steps(settings, changes, delta):
            pass
        return delta

    def steps(self, settings: Settings, changes: Iterable[Change], delta: Delta) -> Iterator[bool]:
        """Do as `configure`, into a delta, and give True before each step that takes longer than others can wait.

        What comes before the first such step takes as long as `takes_long` says.
        """
        if settings == self._settings and self._is_whole:
            yield from self._propagate(self._taken(changes, delta), delta)
            return
        before, policies = self.desired, set(self.tables.policies)
        for change in changes:
            self.tables.apply(change)
        self._settings = settings
        self._start({key: each for key, each in self._policies.readings.items() if key in self.tables.policies})
        yield from self._propagate(self.tables.keys(), Delta())
        self._is_whole = True
        _note_difference(before, self.desired, delta)
        delta.policies |= policies | self.tables.policies.keys()

    def start_over(self, changes: Iterable[Change]) -> None:
        """Take a batch whose compilation failed half-way; the next `configure` compiles everything anew."""
        for change in changes:
            self.tables.apply(change)
        self._start(self._policies.readings)
        self._is_whole = False

    def apply(self, changes: Iterable[Change]) -> Delta:
        """Take a batch of changes and say what they changed."""
        return self.configure(self._settings, changes)

    def _taken(self, changes: Iterable[Change], delta: Delta) -> Mapping[ResourceKind, dict[str, None]]:
        """Take changes into the tables; gives the keys of the objects of which something follows."""
        batch: defaultdict[ResourceKind, dict[str, None]] = defaultdict(dict)
        for change in changes:
            if change.kind is ResourceKind.NETWORK_QOS:
                delta.policies.add(change.key)
                before, after = self.tables.policies.get(change.key), change.new
                if before is not None and isinstance(after, NetworkQoS) and _say_the_same(before, after):
                    # The spec stays the same object: what was read from it is kept with it.
                    after = attrs.evolve(after, spec=before.spec)
                    self.tables.apply(replace(change, new=after))
                    continue
            self.tables.apply(change)
            batch[change.kind][change.key] = None
        return batch

    def report(self, key: str) -> PolicyReport | None:
        """Report on a policy; None where it doesn't exist."""
        policy = self.tables.policies.get(key)
        if policy is None:
            return None
        facts = ReportInputs(self._topology.networks, self._topology.switches, self._membership.has_members)
        standing, effective = self._policies.standings.get(key), self._policies.by_key.get(key)
        return report(policy, standing, effective, self._state.units(key), facts, excess=self._room.problem(key))

    @property
    def crowded(self) -> frozenset[str]:
        """The namespaces with more definitions of networks than are looked at."""
        return self._topology.definitions.crowded

    def ignores(self, nad: NetworkAttachment) -> str:
        """Say why a definition of a network doesn't count; empty if it does, or defines none."""
        if not nad.network or nad.key in self._topology.networks.by_nad:
            return ""
        why = self._topology.networks.ignored.get(nad.key)
        return too_many_definitions(nad.namespace, self._settings.limits) if why is None else str(why)

    def has_node(self, name: str) -> bool:
        """Say whether a node is of the database's zone."""
        return name in self._topology.zone

    def refused(self, key: str) -> tuple[Refused, ...]:
        """Say which addresses of a pod don't count; whose they are, as it was when that began."""
        return self._refused.get(key, ())

    def source_nodes(self, key: str) -> frozenset[str] | None:
        """Say on which nodes of the cluster a policy has senders; None where the database is for all of them."""
        if self._topology.zone.nodes is None:
            return None
        effective = self._policies.by_key.get(key)
        if effective is None:
            return frozenset()
        return frozenset(
            node for network, node in self._membership.nodes(effective.sources) if effective.selects(network)
        )

    @property
    def objections(self) -> Mapping[str, str]:
        """What rows of policies do to others that nothing makes up for, in words by switch."""
        return self._switch_rows.objections

    def may_wait(self, key: RowKey) -> bool:
        """Say whether a row that isn't desired is merely without senders, so that its removal may wait.

        Its set is empty then, and so it matches nothing; a row for one pod names addresses and can't wait. A row of no
        policy makes up for rows that do nothing.
        """
        if not key.policy:
            return self._switch_rows.may_wait(key)
        effective = self._policies.by_key.get(key.policy)
        return (
            effective is not None
            and self._room.problem(key.policy) is None
            and key.rule < len(effective.spec.egress)
            and effective.selects(key.network)
            and key.network in self._topology.networks.by_name
            and not key.part.startswith(POD_PART)
        )

    def _propagate(self, batch: Mapping[ResourceKind, dict[str, None]], delta: Delta) -> Iterator[bool]:
        """Follow what depends on some objects, by kind and key, down to the units; adds to the delta."""
        if self.switches is not self._topology.switches:
            self._look(delta)
        nodes, networks = bool(batch[ResourceKind.NODE]), any(map(batch.get, _NETWORK_KINDS))
        pods = dict(batch[ResourceKind.POD])
        stale: _Stale = {}
        if nodes or networks:
            definitions = batch[ResourceKind.NETWORK_ATTACHMENT_DEFINITION]
            stale = self._upset(definitions, delta, nodes=nodes, networks=networks)
        namespaces: dict[str, list[str]] = {}
        for key in batch[ResourceKind.NETWORK_QOS]:
            namespaces.setdefault(self._policies.file(key), []).append(key)
        for namespace in batch[ResourceKind.NAMESPACE]:
            pods |= dict.fromkeys(self._membership.in_namespace(namespace))
        changed = self._policies.reconsider(namespaces, delta, networks=networks) if namespaces or networks else {}
        self._place(self._with_left(pods) if self.left else pods, delta)
        unsure = {*namespaces, *(key.partition("/")[0] for key in changed)}
        if changed:
            self._subscriptions.count()
            for key in changed:
                self._room.policy_changed(key, self._policies.by_key.get(key))
        unsure.update(self._room.due(self._subscriptions.users))
        turned: list[str] = []
        if unsure:
            yield True
            turned = self._settle_members(unsure, delta)
        yield from self._rebuild(unsure, [*turned, *changed], stale, delta)

    def _look(self, delta: Delta) -> None:
        """Take switches as the database has them; what a policy is told of those with its rows may change."""
        before, changed = self._topology.switches, self._topology.look(self.switches)
        delta.rows |= self._switch_rows.switches_changed(changed, before)
        for key in self._policies.by_key:
            if any(switch in changed for _network, switch in self._state.units(key)):
                delta.policies.add(key)

    def _place(self, pods: dict[str, None], delta: Delta) -> None:
        """Take some pods as they are now into the sets, and others whose addresses that concerns."""
        affected = set[str]()
        for key in pods:
            pod = self.tables.pods.get(key)
            mine = () if pod is None else self._places(pod)
            affected |= self._claims.take(key, None if pod is None else claimant_of(key, pod), mine)
        counted = []
        for key in (*pods, *sorted(affected - pods.keys())) if affected else pods:
            found = self._claims.count(key, self._topology.ranges)
            counted += [(key, self.tables.pods.get(key), found.places)]
            if found.refused != self._refused.get(key, ()):
                self._refused.pop(key, None)
                if found.refused:
                    self._refused[key] = found.refused
                delta.pods.add(key)
        self._membership.refresh(counted)

    def _places(self, pod: Pod) -> tuple[PodAddress, ...]:
        topology = self._topology
        return places(pod, topology.networks, topology.zone, topology.switch_ranges)

    def _with_left(self, pods: dict[str, None]) -> dict[str, None]:
        """Add to some pods a share of those that are left, those first that have waited longest."""
        taken, weight = dict(pods), 0
        for key in self.left:
            if weight >= self.share:
                break
            taken[key] = None
            if (pod := self.tables.pods.get(key)) is not None:
                weight += _weight(pod, self._membership.requirements_for(pod))
        for key in taken:
            self.left.pop(key, None)
        return taken

    def _upset(self, definitions: Iterable[str], delta: Delta, *, nodes: bool, networks: bool) -> _Stale:
        """Take changes of nodes or networks, and note which pods may be elsewhere, which move share by share.

        `definitions` are those that changed, by key; `networks` says whether these did, or labels of their owners and
        namespaces. A network's topology is in its switches' names, so its units follow from its pods; its role is in
        reports. Gives the units on networks that came or went, which are stale: pods may be left on what is no more.
        """
        before = self._topology.networks.by_name
        topology_change = self._topology.renew(self._settings.zone, definitions, nodes=nodes)
        if networks:
            self._policies.selected.renew(self._topology.networks, self._topology.definitions.by_key)
        self._switch_rows.topology_changed(topology_change)
        turned, stale = topology_change.networks & (before.keys() ^ self._topology.networks.by_name.keys()), _Stale()
        for key, effective in self._policies.by_key.items() if topology_change.networks else ():
            if any(network in topology_change.networks for network, _switch in self._state.units(key)):
                delta.policies.add(key)
            sites = self._membership.sites(effective.sources)
            stale |= dict.fromkeys((key, *site) for site in sites if site[0] in turned)
        moved: dict[str, None] = {}
        if topology_change.ranges is not None:
            now = self._topology.ranges.get(DEFAULT_NETWORK, ANYTHING)
            moved = self._claims.moved(DEFAULT_NETWORK, topology_change.ranges, now)
        for key in topology_change.pods | moved:
            self.left.setdefault(key, self.moment)
        return stale

    def _mark(self, key: str, stale: _Stale) -> None:
        """Note all units of a policy as stale, those that there are and those that there should be."""
        effective = self._policies.by_key.get(key)
        sites = {} if effective is None else self._membership.sites(effective.sources)
        stale |= dict.fromkeys((key, network, switch) for network, switch in [*self._state.units(key), *sites])

    def _settle_members(self, unsure: Iterable[str], delta: Delta) -> list[str]:
        """See in some namespaces for which policies' members there is room, and fill their senders.

        Gives those policies of which that turned.
        """
        turned = [key for namespace in sorted(unsure) for key in self._room.settle(MEMBERS, namespace)]
        delta.policies.update(turned)
        self._subscriptions.fill_senders(self._needed(turned), lambda key: self._room.lacks(MEMBERS, key) is None)
        return turned

    def _rebuild(self, unsure: set[str], turned: Collection[str], stale: _Stale, delta: Delta) -> Iterator[bool]:
        """Build the units anew whose inputs changed, and say what that and the new members come to.

        `turned` are the policies that mean something else, or of which it turned whether there is room for their
        members; `unsure` the namespaces in which policies came, went or changed, or where that was to be seen; `stale`
        are units of which it is known already that they are to be built.
        """
        shift = self._membership.drain()
        for key in turned:
            self._mark(key, stale)
        for selection, network, switch in shift.touched:
            is_new = (selection, network, switch) in shift.sites
            for key in self._subscriptions.of(selection):
                if is_new or self._policies.by_key[key].spec.bandwidth_scope is BandwidthScope.POD:
                    stale[key, network, switch] = None
            if len(stale) > LITTLE:
                yield True
        if unsure or stale:
            yield from self._settle_rows(unsure, turned, stale, delta)
        for selection in shift.without_ports | shift.spread:
            delta.policies.update(self._subscriptions.of(selection))
        scopes: dict[tuple[str, str], MatchScope] = {}
        for key, network, switch in stale:
            scope = scopes.setdefault((key, network), MatchScope(network, self._state.name, self._state.same))
            unit = self._unit(key, scope, switch)
            before = self._state.replace(key, (network, switch), unit, delta)
            self._switch_rows.unit_changed((network, switch), before, unit)
        for site, unit in self._switch_rows.drain(self._state.name):
            self._state.replace("", site, unit, delta)
        self._state.settle(shift, delta)

    def _settle_rows(self, unsure: set[str], turned: Collection[str], stale: _Stale, delta: Delta) -> Iterator[bool]:
        """See for which policies' rows there is room, and fill their peers; all units of one are stale if that turns.

        `unsure` are the namespaces, and `turned` the policies, whose members that may follow from.
        """
        for key in dict.fromkeys((*turned, *(key for key, _network, _switch in stale))):
            if self._room.measure(key):
                unsure.add(key.partition("/")[0])
        found = [key for namespace in sorted(unsure) for key in self._room.settle(ROWS, namespace)]
        for key in found:
            delta.policies.add(key)
            self._mark(key, stale)
        if found or self._are_many(stale):
            yield True
        if unsure:
            self._subscriptions.fill_peers(self._needed((*turned, *found)), self._room.has_room)

    def _are_many(self, units: _Stale) -> bool:
        """Say whether others can't wait until some units are built; where pods have limits of their own, all count."""
        weight = len(units)
        for key, network, switch in units if weight <= LITTLE else ():
            effective, before = self._policies.by_key.get(key), self._state.units(key).get((network, switch))
            weight += 0 if before is None else len(before.rows)
            if effective is not None:
                weight += len(effective.spec.egress)
                weight += LITTLE * (effective.spec.bandwidth_scope is BandwidthScope.POD)
        return weight > LITTLE

    def _needed(self, policies: Iterable[str]) -> set[PodSelection]:
        """Give the selections that some policies need."""
        return set[PodSelection]().union(*(selections_of(self._policies.by_key.get(key)) for key in policies))

    def _unit(self, key: str, scope: MatchScope, switch: str) -> Unit | None:
        """Build one unit; None where there are no senders or no network, or the policy isn't for them."""
        name, effective = scope.network, self._policies.by_key.get(key)
        network = self._topology.networks.by_name.get(name)
        if network is None or effective is None or self._room.problem(key) is not None or not effective.selects(name):
            return None
        kinds = self._membership.sites(effective.sources).get((name, switch))
        if not kinds:
            return None
        site_key = (effective.sources, name, switch)
        pods = lambda: self._membership.senders(site_key)  # noqa: E731 - asked for limits per pod only
        site = SenderSwitch(network, switch, frozenset(kinds), pods)
        before = self._state.units(key).get((name, switch)) or self._state.spare(key, (name, switch))
        if before is not None and before.holds(effective, site):
            return before
        return build_unit(effective, site, scope, before)


def _weight(pod: Pod, requirements: int) -> int:
    """Weigh a pod by its places, and each of these by the requirements of selectors that it is compared with."""
    number = sum(max(1, len(each.addresses)) for each in pod.attachments)
    return max(1, number) * (1 + requirements // REQUIREMENTS)


def _say_the_same(before: NetworkQoS, after: NetworkQoS) -> bool:
    """Say whether a policy changed in its status or generation only, as it does whenever its status is written."""
    return before == attrs.evolve(after, status=before.status, generation=before.generation)


def _note_difference(before: Desired, after: Desired, delta: Delta) -> None:
    """Note how one whole state differs from another."""
    keys = before.rows.keys() | after.rows.keys()
    delta.rows |= {key for key in keys if before.rows.get(key) != after.rows.get(key)}
    old, new = before.members(), after.members()
    delta.sets |= {
        name: _shift(old.get(name, frozenset()), new.get(name, frozenset()))
        for name in old.keys() | new.keys()
        if old.get(name) != new.get(name)
    }


def _shift(before: AbstractSet[str], after: AbstractSet[str]) -> Members:
    if isinstance(before, Prefixes) or isinstance(after, Prefixes):
        return Members()
    return Members(set(after) - set(before), set(before) - set(after))
