"""Membership: who is in which set, kept up to date pod by pod.

In: selections to fill or to count, and pods with their places. Out: the members of every set, how many places the pods
of a selection of peers have, and a `Shift`, exactly what changed. Rule: a member counts as long as any pod brings it,
so a pod that ends never takes an address from its successor; the cost of a pod is that of the selections which it is
in, enters or leaves; a selection that is only counted takes no memory for its pods.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping, Sequence

import attrs

from nqosd.api.objects import Namespace, Pod
from nqosd.cache.bitmaps import BitmapIndex, positions
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
    """A pod as it was counted, in its namespace as that was then, in selections that are filled."""

    pod: Pod
    places: tuple[PodAddress, ...]
    selections: tuple[PodSelection, ...]
    namespace: Namespace | None


class Membership:
    """The members of all sets of the watched selections."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._index = SelectionIndex(namespaces)
        self._counted = SelectionIndex(namespaces)
        self._sizes: dict[PodSelection, int] = {}
        self._namespaces = namespaces
        self._moved: Counter[PodSelection] = Counter()
        self._known: dict[str, dict[str, _Known]] = {}
        self._counts: dict[CountedSet, dict[str, int]] = {}
        self._sites: dict[PodSelection, dict[tuple[str, str], set[Family | None]]] = {}
        self._nodes: dict[PodSelection, dict[tuple[str, str], int]] = {}
        self._shift = Shift()

    @property
    def selections(self) -> int:
        """How many selections are watched: filled or only counted."""
        return len(self._index) + len(self._counted)

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
        for name in self._scopes([selection]):
            for known in self._known[name].values():
                if selection in known.selections:
                    here = (each for each in known.places if (each.network, each.switch) == (network, switch))
                    mine = tuple(each for each in here if each.is_of(selection))
                    if mine:
                        found[known.pod.name] = mine
        return found

    @property
    def requirements(self) -> int:
        """With how many requirements of selections a pod is compared at most; one without any counts as well."""
        return self._index.weight + self._counted.weight

    def requirements_for(self, pod: Pod) -> int:
        """Say with how many a pod is compared, by its namespace and labels."""
        return self._index.weigh(pod) + self._counted.weigh(pod)

    def size(self, selection: PodSelection) -> int:
        """Say how many places the pods of a selection of peers have."""
        return self._sizes[selection]

    def moved(self) -> Mapping[PodSelection, int]:
        """Say how many places came to or left selections of peers since the last call; those that changed did both."""
        moved, self._moved = self._moved, Counter()
        return moved

    def drain(self) -> Shift:
        """Take what has changed since the last call."""
        shift, self._shift = self._shift, Shift()
        return shift

    def count(self, selections: Iterable[PodSelection]) -> None:
        """Begin to count the pods of selections of peers that aren't watched yet."""
        for selection, bits in self._choose([each for each in selections if each not in self._sizes])[1]:
            self._counted.add(selection)
            self._sizes[selection] = bits.bit_count()

    def fill(self, selections: Iterable[PodSelection]) -> None:
        """Let the pods that are known enter selections that aren't filled yet, and from now on those that come."""
        came: dict[int, tuple[_Known, list[PodSelection]]] = {}
        equal: dict[int, list[PodSelection]] = {}
        every, chosen = self._choose([each for each in selections if each not in self._index])
        for selection, bits in chosen:
            equal.setdefault(bits, []).append(selection)
            self._counted.discard(selection)
            self._index.add(selection)
        for bits, mine in equal.items():
            entering = [every[position] for position in positions(bits)]
            for known in {id(known): known for known, _place in entering}.values():
                came.setdefault(id(known), (known, []))[1].extend(mine)
            self._fill(mine, [place for _known, place in entering])
        for known, mine in came.values():
            known.selections += tuple(mine)

    def _choose(
        self, selections: Collection[PodSelection]
    ) -> tuple[Sequence[tuple[_Known, PodAddress]], Iterator[tuple[PodSelection, int]]]:
        """Give the places of all pods that selections may mean, and for each selection which of these are its pods'."""
        scopes = self._scopes(selections) if selections else ()
        by_namespace = [(name, self._known[name].values()) for name in scopes]
        every = [(known, place) for _name, mine in by_namespace for known in mine for place in known.places]
        labels = ((name, ((known.pod.labels, len(known.places)) for known in mine)) for name, mine in by_namespace)
        index = BitmapIndex(labels, selections, self._namespaces)
        return every, ((selection, index.chosen(selection)) for selection in selections)

    def drop(self, selections: Iterable[PodSelection]) -> None:
        """Watch some selections no longer."""
        gone = list(selections)
        self.empty(gone)
        for selection in gone:
            self._counted.discard(selection)
            self._sizes.pop(selection, None)

    def empty(self, selections: Iterable[PodSelection]) -> None:
        """Let the pods of selections leave them; those of peers are still counted."""
        gone = {each for each in selections if each in self._index}
        peers = {each for each in gone if each.role is SelectionUse.PEER}
        for selection in gone:
            self._index.discard(selection)
        for selection in peers:
            self._counted.add(selection)
        kinds = set[tuple[str, Family | None]]()
        for name in self._scopes(gone):
            for known in self._known[name].values():
                left = gone.intersection(known.selections)
                if left:
                    known.selections = tuple(each for each in known.selections if each not in left)
                    kinds.update((place.network, place.family) for place in known.places)
                self._leave(left - peers, known.places)
        for selection in peers:
            for network, family in kinds:
                self._counts.pop(SetId(selection, network, "", family), None)

    def _fill(self, selections: Iterable[PodSelection], places: Sequence[PodAddress]) -> None:
        """Let places enter all of some selections; those of peers had no sets, so nobody is told member by member."""
        members: defaultdict[tuple[str, Family | None], Counter[str]] = defaultdict(Counter)
        for place in places:
            members[place.network, place.family][place.member] += 1
        for selection in selections:
            if selection.role is not SelectionUse.PEER:
                self._enter([selection], places)
                continue
            for (network, family), counts in members.items():
                self._counts[SetId(selection, network, "", family)] = dict(counts)

    def refresh(self, key: str, pod: Pod | None, places: tuple[PodAddress, ...]) -> None:
        """Count a pod as it is now; None and no places for one that is gone."""
        namespace = key.partition("/")[0]
        before = self._known.get(namespace, {}).get(key)
        known = None if pod is None or not places else _Known(pod, places, (), self._namespaces.get(namespace))
        if self._counted.anchors:
            self._recount(namespace, before, known)
        selections = () if known is None else self._index.of(known.pod)
        if known is not None:
            known.selections = selections
            if before is not None and (before.places, before.selections) == (places, selections):
                before.pod, before.namespace = known.pod, known.namespace
                return
        had = () if before is None else before.places
        left = _without(had, places) if places else had
        came = _without(places, had) if had else places
        self._recount_outside(left, came)
        if before is None:
            self._enter(selections, places)
        else:
            was = set(before.selections)
            self._leave(was.difference(selections), had)
            self._leave(was.intersection(selections), left)
            self._enter([each for each in selections if each not in was], places)
            self._enter([each for each in selections if each in was], came)
        self._remember(namespace, key, before, known)

    def _recount_outside(self, left: Iterable[PodAddress], came: Iterable[PodAddress]) -> None:
        """Count the addresses of a pod that are outside of their switches' ranges."""
        for place in left:
            if place.is_outside:
                self._drop(_outside(place), [place.member])
        for place in came:
            if place.is_outside:
                self._add(_outside(place), [place.member])

    def in_namespace(self, namespace: str) -> list[str]:
        """List the keys of the counted pods of a namespace."""
        return list(self._known.get(namespace, ()))

    def forget_empty(self, set_id: CountedSet) -> None:
        """Free the memory of a set that nobody uses any more, if it has no members."""
        if not self._counts.get(set_id):
            self._counts.pop(set_id, None)

    def _remember(self, namespace: str, key: str, before: _Known | None, known: _Known | None) -> None:
        for each, step in ((before, -1), (known, 1)):
            if each is not None:
                self._tally(each.selections, step * len(each.places))
        if known is not None:
            self._known.setdefault(namespace, {})[key] = known
        elif namespace in self._known:
            self._known[namespace].pop(key, None)
            if not self._known[namespace]:
                del self._known[namespace]

    def _recount(self, name: str, before: _Known | None, known: _Known | None) -> None:
        """Count a pod of a namespace in the selections that are only counted."""
        for each, step in ((before, -1), (known, 1)):
            if each is not None:
                namespaces = {} if each.namespace is None else {name: each.namespace}
                self._tally(self._counted.of(each.pod, namespaces), step * len(each.places))

    def _tally(self, selections: Iterable[PodSelection], places: int) -> None:
        for selection in selections:
            if selection in self._sizes:
                self._sizes[selection] += places
                self._moved[selection] += abs(places)

    def _scopes(self, selections: Iterable[PodSelection]) -> Collection[str]:
        """List the namespaces in which any of some selections may mean some pods."""
        scopes = {each.namespaces if isinstance(each.namespaces, str) else None for each in selections}
        return self._known if None in scopes else [name for name in self._known if name in scopes]

    def _enter(self, selections: Iterable[PodSelection], places: Iterable[PodAddress]) -> None:
        """Let places into some selections, those that differ in nothing but their members together."""
        for place, members in _alike(places):
            for selection in selections:
                if place.is_locked and not place.is_of(selection):
                    continue
                self._spread(selection, place, len(members))
                set_id = _set_of(selection, place)
                if set_id is not None and self._add(set_id, members):
                    self._turn(set_id, filled=True)

    def _leave(self, selections: Iterable[PodSelection], places: Iterable[PodAddress]) -> None:
        for place, members in _alike(places):
            for selection in selections:
                if place.is_locked and not place.is_of(selection):
                    continue
                self._spread(selection, place, -len(members))
                set_id = _set_of(selection, place)
                if set_id is not None and self._drop(set_id, members):
                    self._turn(set_id, filled=False)

    def _add(self, set_id: CountedSet, members: Iterable[str]) -> bool:
        """Count members once more; say whether the set had none before."""
        counts = self._counts.setdefault(set_id, {})
        was_empty, shift = not counts, None
        for member in members:
            if member in counts:
                counts[member] += 1
                continue
            counts[member] = 1
            shift = shift or self._shift.members.setdefault(set_id, Members())
            shift.add(member)
        return was_empty

    def _drop(self, set_id: CountedSet, members: Iterable[str]) -> bool:
        """Count members once less; say whether the set has none any more."""
        counts, shift = self._counts[set_id], None
        for member in members:
            counts[member] -= 1
            if counts[member]:
                continue
            del counts[member]
            shift = shift or self._shift.members.setdefault(set_id, Members())
            shift.remove(member)
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


def _without(places: Iterable[PodAddress], others: Iterable[PodAddress]) -> Sequence[PodAddress]:
    """Give those places that aren't among others."""
    known = set(others)
    return [each for each in places if each not in known]


def _alike(places: Iterable[PodAddress]) -> Iterable[tuple[PodAddress, Sequence[str]]]:
    """Group places that are in the same sets: gives one of each group, and the members of all of it."""
    found: dict[tuple[str, str, Family | None, str, bool], tuple[PodAddress, list[str]]] = {}
    for place in places:
        kind = (place.network, place.switch, place.family, place.node, place.is_locked)
        if kind in found:
            found[kind][1].append(place.member)
        else:
            found[kind] = (place, [place.member])
    return found.values()


def _outside(place: PodAddress) -> OutsideSet:
    return OutsideSet(place.network, place.switch, place.family)


def _set_of(selection: PodSelection, place: PodAddress) -> SetId | None:
    """Say which set a place of a selected pod belongs to; a sender of another zone belongs to none."""
    if selection.role is SelectionUse.PEER:
        return SetId(selection, place.network, "", place.family)
    return SetId(selection, place.network, place.switch, place.family) if place.switch else None
