"""Membership: who is in which set, kept up to date pod by pod.

In: selections to watch, and pods with their places. Out: the members of every set, and a `Shift`, exactly what changed.
Rule: a member counts as long as any pod brings it, so a pod that ends never takes an address from its successor; the
cost of a pod is that of the selections which it is in, enters or leaves.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping

import attrs

from nqosd.api.objects import Namespace, Pod
from nqosd.cache.selections import PodSelection, SelectionIndex, SelectionUse
from nqosd.compiler.desired import Family, Members
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.set_ids import CountedSet, OutsideSet, SetId

SiteKey = tuple[PodSelection, str, str]
"""Senders, their network, their switch."""


@attrs.define
class Shift:
    """What changed.

    `members` by set; `sites` whose kinds of senders changed; `touched`, sites with any change of senders;
    `without_ports`, peers that got their first logical port or lost their last one; `spread`, senders that came to a
    node or left one.
    """

    members: dict[CountedSet, Members] = attrs.field(factory=dict)
    sites: set[SiteKey] = attrs.field(factory=set)
    touched: set[SiteKey] = attrs.field(factory=set)
    without_ports: set[PodSelection] = attrs.field(factory=set)
    spread: set[PodSelection] = attrs.field(factory=set)


@attrs.define
class _Known:
    """A pod as it was counted."""

    pod: Pod
    places: tuple[PodAddress, ...]
    selections: tuple[PodSelection, ...]


class Membership:
    """The members of all sets of the watched selections."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._index = SelectionIndex(namespaces)
        self._namespaces = namespaces
        self._known: dict[str, dict[str, _Known]] = {}
        self._counts: dict[CountedSet, dict[str, int]] = {}
        self._sites: dict[PodSelection, dict[tuple[str, str], set[Family | None]]] = {}
        self._nodes: dict[PodSelection, dict[tuple[str, str], int]] = {}
        self._shift = Shift()

    @property
    def selections(self) -> int:
        """How many selections are watched."""
        return len(self._index)

    def members(self, set_id: CountedSet) -> KeysView[str]:
        """Give the members of a set, as a live view for as long as the set is in use."""
        return self._counts.setdefault(set_id, {}).keys()

    def has_members(self, set_id: CountedSet) -> bool:
        """Say whether a set has a member."""
        return bool(self._counts.get(set_id))

    def sites(self, selection: PodSelection) -> Mapping[tuple[str, str], set[Family | None]]:
        """Give the switches with senders of a selection, by network and switch, and how they are known there."""
        return self._sites.get(selection, {})

    def nodes(self, selection: PodSelection) -> Collection[tuple[str, str]]:
        """List where in the cluster there are senders of a selection: networks with nodes, other zones' included."""
        return self._nodes.get(selection, {}).keys()

    def senders(self, site: SiteKey) -> Mapping[str, tuple[PodAddress, ...]]:
        """Give the places of the senders at one site, by pod name. Goes through the pods of the namespace."""
        selection, network, switch = site
        found = {}
        for known in self._in_scope([selection]):
            if selection in known.selections:
                here = (each for each in known.places if (each.network, each.switch) == (network, switch))
                mine = tuple(each for each in here if each.is_of(selection))
                if mine:
                    found[known.pod.name] = mine
        return found

    def candidates(self, pod: Pod) -> int:
        """Say with how many selections a pod is compared."""
        return self._index.count(pod)

    def drain(self) -> Shift:
        """Take what has changed since the last call."""
        shift, self._shift = self._shift, Shift()
        return shift

    def watch(self, selections: Iterable[PodSelection]) -> None:
        """Begin to count selections: the pods that are known already enter them now."""
        new = SelectionIndex(self._namespaces)
        for selection in selections:
            if selection not in self._index:
                self._index.add(selection)
                new.add(selection)
        came: dict[PodSelection, list[_Known]] = {}
        for known in self._in_scope(new):
            found = new.of(known.pod)
            known.selections += found
            for selection in found:
                came.setdefault(selection, []).append(known)
        for selection, pods in came.items():
            if selection.role is SelectionUse.PEER:
                self._fill(selection, pods)
            else:
                for place in (each for known in pods for each in known.places):
                    self._enter(selection, place)

    def unwatch(self, selections: Iterable[PodSelection]) -> None:
        """Stop counting selections; their pods leave them."""
        gone = {each for each in selections if each in self._index}
        for selection in gone:
            self._index.discard(selection)
        peers = {each for each in gone if each.role is SelectionUse.PEER}
        kinds = set[tuple[str, Family | None]]()
        for known in self._in_scope(gone):
            left = gone.intersection(known.selections)
            if left:
                known.selections = tuple(each for each in known.selections if each not in left)
                kinds.update((place.network, place.family) for place in known.places)
            for selection in left - peers:
                for place in known.places:
                    self._leave(selection, place)
        for selection in peers:
            for network, family in kinds:
                if self._counts.pop(SetId(selection, network, "", family), None) and family is None:
                    self._shift.without_ports.add(selection)

    def _fill(self, selection: PodSelection, pods: Iterable[_Known]) -> None:
        """Let pods enter the sets of peers that nobody has asked for before, and so nobody is told member by member."""
        members: dict[tuple[str, Family | None], list[str]] = {}
        for known in pods:
            for place in known.places:
                members.setdefault((place.network, place.family), []).append(place.member)
        for (network, family), every in members.items():
            self._counts[SetId(selection, network, "", family)] = Counter(every)
            if family is None:
                self._shift.without_ports.add(selection)

    def refresh(self, key: str, pod: Pod | None, places: tuple[PodAddress, ...]) -> None:
        """Count a pod as it is now; None and no places for one that is gone."""
        namespace = key.partition("/")[0]
        before = self._known.get(namespace, {}).get(key)
        selections = self._index.of(pod) if pod is not None and places else ()
        if pod is not None and before is not None and (before.places, before.selections) == (places, selections):
            before.pod = pod
            return
        self._recount_outside(() if before is None else before.places, places)
        was, now = set(() if before is None else before.selections), set(selections)
        for selection in was:
            keeps = places if selection in now else ()
            for place in before.places if before is not None else ():
                if place not in keeps:
                    self._leave(selection, place)
        for selection in selections:
            had = before.places if before is not None and selection in was else ()
            for place in places:
                if place not in had:
                    self._enter(selection, place)
        self._remember(namespace, key, pod, places, selections)

    def _recount_outside(self, before: tuple[PodAddress, ...], after: tuple[PodAddress, ...]) -> None:
        """Count the addresses of a pod that are outside of their switches' ranges."""
        for place in before:
            if place.is_outside and place not in after:
                self._drop(_outside(place), place.member)
        for place in after:
            if place.is_outside and place not in before:
                self._add(_outside(place), place.member)

    def in_namespace(self, namespace: str) -> list[str]:
        """List the keys of the counted pods of a namespace."""
        return list(self._known.get(namespace, ()))

    def forget_empty(self, set_id: CountedSet) -> None:
        """Free the memory of a set that nobody uses any more, if it has no members."""
        if not self._counts.get(set_id):
            self._counts.pop(set_id, None)

    def _remember(
        self,
        namespace: str,
        key: str,
        pod: Pod | None,
        places: tuple[PodAddress, ...],
        selections: tuple[PodSelection, ...],
    ) -> None:
        if pod is not None and places:
            self._known.setdefault(namespace, {})[key] = _Known(pod, places, selections)
        elif namespace in self._known:
            self._known[namespace].pop(key, None)
            if not self._known[namespace]:
                del self._known[namespace]

    def _in_scope(self, selections: Iterable[PodSelection]) -> Iterator[_Known]:
        """Go through the pods of the namespaces in which any of some selections may mean some."""
        scopes = {each.namespaces if isinstance(each.namespaces, str) else None for each in selections}
        for namespace in self._known if None in scopes else scopes:
            yield from self._known.get(namespace or "", {}).values()

    def _enter(self, selection: PodSelection, place: PodAddress) -> None:
        if place.is_locked and not place.is_of(selection):
            return
        self._spread(selection, place, 1)
        set_id = _set_of(selection, place)
        if set_id is None:
            return
        if self._add(set_id, place.member):
            self._turn(set_id, filled=True)

    def _leave(self, selection: PodSelection, place: PodAddress) -> None:
        if place.is_locked and not place.is_of(selection):
            return
        self._spread(selection, place, -1)
        set_id = _set_of(selection, place)
        if set_id is None:
            return
        if self._drop(set_id, place.member):
            self._turn(set_id, filled=False)

    def _add(self, set_id: CountedSet, member: str) -> bool:
        """Count a member once more; say whether it is the set's first one."""
        counts = self._counts.setdefault(set_id, {})
        count = counts.get(member, 0)
        counts[member] = count + 1
        if count == 0:
            self._shift.members.setdefault(set_id, Members()).add(member)
        return count == 0 and len(counts) == 1

    def _drop(self, set_id: CountedSet, member: str) -> bool:
        """Count a member once less; say whether it was the set's last one."""
        counts = self._counts[set_id]
        counts[member] -= 1
        if counts[member]:
            return False
        del counts[member]
        self._shift.members.setdefault(set_id, Members()).remove(member)
        return not counts

    def _spread(self, selection: PodSelection, place: PodAddress, step: int) -> None:
        """Note that a sender's place came or went, and count it where it is, if that matters."""
        if selection.role is SelectionUse.PEER:
            return
        if place.switch:
            self._shift.touched.add((selection, place.network, place.switch))
        if not place.node:
            return
        counts = self._nodes.setdefault(selection, {})
        where = (place.network, place.node)
        before = counts.get(where, 0)
        counts[where] = before + step
        if not counts[where]:
            del counts[where]
            if not counts:
                del self._nodes[selection]
        if not (before and before + step):
            self._shift.spread.add(selection)

    def _turn(self, set_id: SetId, *, filled: bool) -> None:
        """Note that a set got its first member or lost its last one."""
        selection = set_id.selection
        if selection.role is SelectionUse.PEER:
            if set_id.family is None:
                self._shift.without_ports.add(selection)
            return
        sites = self._sites.setdefault(selection, {})
        kinds = sites.setdefault((set_id.network, set_id.switch), set())
        (kinds.add if filled else kinds.discard)(set_id.family)
        if not kinds:
            del sites[set_id.network, set_id.switch]
            if not sites:
                del self._sites[selection]
        self._shift.sites.add((selection, set_id.network, set_id.switch))


def _outside(place: PodAddress) -> OutsideSet:
    return OutsideSet(place.network, place.switch, place.family)


def _set_of(selection: PodSelection, place: PodAddress) -> SetId | None:
    """Say which set a place of a selected pod belongs to; a sender of another zone belongs to none."""
    if selection.role is SelectionUse.PEER:
        return SetId(selection, place.network, "", place.family)
    return SetId(selection, place.network, place.switch, place.family) if place.switch else None
