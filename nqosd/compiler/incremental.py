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
from nqosd.api.objects import NetworkAttachment
from nqosd.cache.selections import PodSelection
from nqosd.cache.tables import Tables
from nqosd.compiler.address_owners import Refused
from nqosd.compiler.desired import Delta, Desired, Members, RowKey
from nqosd.compiler.desired_state import State
from nqosd.compiler.effective_policies import PolicyReading
from nqosd.compiler.effective_policy_index import EffectivePolicies, selections_of
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.oldest_definitions import too_many_definitions
from nqosd.compiler.pod_placement import FEW, PodPlacement
from nqosd.compiler.policy_reports import PolicyReport, ReportInputs, report
from nqosd.compiler.prefixes import Prefixes
from nqosd.compiler.return_traffic import SwitchRows
from nqosd.compiler.room import MEMBERS, ROWS, Room
from nqosd.compiler.rows import POD_PART
from nqosd.compiler.set_members import Membership
from nqosd.compiler.settings import Settings
from nqosd.compiler.stale_units import LITTLE, StaleUnits
from nqosd.compiler.subscriptions import Subscriptions
from nqosd.compiler.switches import Switches
from nqosd.compiler.topology import ClusterTopology

A_ROW = 50
"""Members of sets that take as long as a row."""
_NETWORK_KINDS = (
    ResourceKind.NETWORK_ATTACHMENT_DEFINITION,
    ResourceKind.USER_DEFINED_NETWORK,
    ResourceKind.CLUSTER_USER_DEFINED_NETWORK,
    ResourceKind.NAMESPACE,
)


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
        self._start({})

    def _start(self, readings: dict[str, PolicyReading]) -> None:
        """Begin with nothing compiled; the tables stay, and what was read of policies may."""
        self._topology = ClusterTopology(self.tables, self._settings.zone, self._settings.limits)
        self._switch_rows = SwitchRows(self._topology)
        self._membership = Membership(self.tables.namespaces)
        self._placement = PodPlacement(self.tables, self._topology, self._membership)
        self._state = State(self._settings.owner, self._membership.sets)
        self._subscriptions = Subscriptions(self._membership)
        self._policies = EffectivePolicies(self.tables, self._settings, self._subscriptions, readings)
        self._room = Room(self.tables.policies, self._membership, self._settings.limits)
        self._stale = StaleUnits(
            self._policies.by_key,
            room=self._room,
            membership=self._membership,
            topology=self._topology,
            state=self._state,
            switch_rows=self._switch_rows,
        )

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
    def left(self) -> Mapping[str, float]:
        """Pods that later batches move, and since when they should be elsewhere; the oldest first."""
        return self._placement.left

    @property
    def selections(self) -> int:
        """How many selections are watched."""
        return len(self._membership.sizes)

    def weight(self, namespace: str) -> int:
        """Say how many rows, selectors and members, of these A_ROW for one, the policies of a namespace take."""
        members = self._room.members(namespace) // A_ROW
        return self._room.rows(namespace) + self._policies.selectors(namespace) + members

    def takes_long(self, settings: Settings, changes: Sequence[Change]) -> bool:
        """Say whether a batch may take longer than others can wait even before it is known what follows from it.

        A policy does, however long it is, and so do many pods.
        """
        if settings != self._settings or not self._is_whole or len(changes) > FEW or self.left:
            return True
        if any(each.kind is not ResourceKind.POD for each in changes):
            return True
        return self._placement.takes_long(changes)

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
        facts = ReportInputs(self._topology.networks, self._topology.switches, self._membership.sets.has_members)
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
        return self._placement.refused(key)

    def knows_senders(self, key: str) -> bool:
        """Say whether it is known where a policy has senders: beyond a limit of members they are only counted."""
        return self._room.has_room_for_senders(key)

    def source_nodes(self, key: str) -> frozenset[str] | None:
        """Say on which nodes of the cluster a policy has senders; None where the database is for all of them."""
        if self._topology.zone.nodes is None:
            return None
        effective = self._policies.by_key.get(key)
        if effective is None:
            return frozenset()
        return frozenset(
            node for network, node in self._membership.sets.nodes(effective.sources) if effective.selects(network)
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
        if nodes or networks:
            definitions = batch[ResourceKind.NETWORK_ATTACHMENT_DEFINITION]
            self._upset(definitions, delta, nodes=nodes, networks=networks)
        namespaces: dict[str, list[str]] = {}
        for key in batch[ResourceKind.NETWORK_QOS]:
            namespaces.setdefault(self._policies.file(key), []).append(key)
        for namespace in batch[ResourceKind.NAMESPACE]:
            pods |= dict.fromkeys(self._membership.pods.in_namespace(namespace))
        changed = self._policies.reconsider(namespaces, delta, networks=networks) if namespaces or networks else {}
        delta.pods |= self._placement.move(pods, self.share)
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
        yield from self._rebuild(unsure, [*turned, *changed], delta)

    def _look(self, delta: Delta) -> None:
        """Take switches as the database has them; what a policy is told of those with its rows may change."""
        before, changed = self._topology.switches, self._topology.look(self.switches)
        delta.rows |= self._switch_rows.switches_changed(changed, before)
        for key in self._policies.by_key:
            if any(switch in changed for _network, switch in self._state.units(key)):
                delta.policies.add(key)

    def _upset(self, definitions: Iterable[str], delta: Delta, *, nodes: bool, networks: bool) -> None:
        """Take changes of nodes or networks, and note which pods may be elsewhere, which move share by share.

        `definitions` are those that changed, by key; `networks` says whether these did, or labels of their owners and
        namespaces. A network's topology is in its switches' names, so its units follow from its pods; its role is in
        reports. Units on networks that came or went are stale: pods may be left on what is no more.
        """
        before = self._topology.networks.by_name
        topology_change = self._topology.renew(self._settings.zone, definitions, nodes=nodes)
        if networks:
            self._policies.selected.renew(self._topology.networks, self._topology.definitions.by_key)
        self._switch_rows.topology_changed(topology_change)
        turned = topology_change.networks & (before.keys() ^ self._topology.networks.by_name.keys())
        for key, effective in self._policies.by_key.items() if topology_change.networks else ():
            if any(network in topology_change.networks for network, _switch in self._state.units(key)):
                delta.policies.add(key)
            for network, switch in self._membership.sets.sites(effective.sources):
                if network in turned:
                    self._stale.mark(key, network, switch)
        self._placement.postpone(topology_change, self.moment)

    def _settle_members(self, unsure: Iterable[str], delta: Delta) -> list[str]:
        """See in some namespaces for which policies' members there is room, and fill their senders.

        Gives those policies of which that turned.
        """
        turned = [key for namespace in sorted(unsure) for key in self._room.settle(MEMBERS, namespace)]
        delta.policies.update(turned)
        self._subscriptions.fill_senders(self._needed(turned), self._room.has_room_for_senders)
        return turned

    def _rebuild(self, unsure: set[str], turned: Collection[str], delta: Delta) -> Iterator[bool]:
        """Build the units anew whose inputs changed, and say what that and the new members come to.

        `turned` are the policies that mean something else, or of which it turned whether there is room for their
        members; `unsure` the namespaces in which policies came, went or changed, or where that was to be seen.
        """
        shift, stale = self._membership.sets.drain(), self._stale
        for key in turned:
            stale.mark_all(key)
        for selection, network, switch in shift.touched:
            is_new = (selection, network, switch) in shift.sites
            for key in self._subscriptions.of(selection):
                if is_new or self._policies.by_key[key].spec.bandwidth_scope is BandwidthScope.POD:
                    stale.mark(key, network, switch)
            if len(stale) > LITTLE:
                yield True
        if unsure or stale:
            yield from self._settle_rows(unsure, turned, delta)
        for selection in shift.without_ports | shift.spread:
            delta.policies.update(self._subscriptions.of(selection))
        stale.build(delta)
        self._state.settle(shift, delta)

    def _settle_rows(self, unsure: set[str], turned: Collection[str], delta: Delta) -> Iterator[bool]:
        """See for which policies' rows there is room, and fill their peers; all units of one are stale if that turns.

        `unsure` are the namespaces, and `turned` the policies, whose members that may follow from.
        """
        for key in dict.fromkeys((*turned, *self._stale.policies())):
            if self._room.measure(key):
                unsure.add(key.partition("/")[0])
        found = [key for namespace in sorted(unsure) for key in self._room.settle(ROWS, namespace)]
        for key in found:
            delta.policies.add(key)
            self._stale.mark_all(key)
        if found or self._stale.are_many:
            yield True
        if unsure:
            self._subscriptions.fill_peers(self._needed((*turned, *found)), self._room.has_room)

    def _needed(self, policies: Iterable[str]) -> set[PodSelection]:
        """Give the selections that some policies need."""
        return set[PodSelection]().union(*(selections_of(self._policies.by_key.get(key)) for key in policies))


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
