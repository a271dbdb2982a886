"""Membership: who is in which set, kept up to date pod by pod.

In: selections to fill or to count, and pods with their places. Out: the members of every set, how many places the pods
of a selection have, and a `Shift`, exactly what changed. Rule: a member counts as long as any pod brings it, so a pod
that ends never takes an address from its successor; the cost of a pod is that of the selections which it is in, enters
or leaves; a selection that is only counted takes no memory for its pods.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping, Sequence
from itertools import chain

import msgspec

from nqosd.api.objects import Namespace, Pod
from nqosd.cache.bitmaps import BitmapIndex, bits_at, positions
from nqosd.cache.selections import PodSelection, SelectionIndex, SelectionUse
from nqosd.compiler.desired import Family, Members
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.set_ids import CountedSet, OutsideSet, SetId

FEW = 20
"""Pods that are compared with selections one by one."""
SiteKey = tuple[PodSelection, str, str]
"""Senders, their network, their switch."""


class Shift(msgspec.Struct):
    """What changed.

    `members` by set; `sites` whose kinds of senders changed; `touched`, sites with any change of senders;
    `without_ports`, peers that got their first logical port or lost their last one; `spread`, senders that came to a
    node or left one.
    """

    members: dict[CountedSet, Members] = {}
    sites: set[SiteKey] = msgspec.field(default_factory=set)
    touched: set[SiteKey] = msgspec.field(default_factory=set)
    without_ports: set[PodSelection] = msgspec.field(default_factory=set)
    spread: set[PodSelection] = msgspec.field(default_factory=set)


class Moved(msgspec.Struct, frozen=True):
    """At most how many places came to a selection or left it, and whether it was empty before or is now."""

    selection: PodSelection
    places: int
    turned: bool


class _Size(msgspec.Struct):
    """How many places count for a selection; how many did when that was last asked, and how many came or left since."""

    places: int
    before: int = 0
    moved: int = 0


class _Known(msgspec.Struct):
    """A pod as it was counted, in its namespace as that was then, in selections that are filled.

    `sending` of its places are on a switch: all of them, or none.
    """

    pod: Pod
    places: tuple[PodAddress, ...]
    selections: tuple[PodSelection, ...]
    namespace: Namespace | None
    sending: int


_Kind = tuple[str, str, Family | None, str, bool]
"""What places have in common that are in the same sets."""
_Moves = dict[_Kind, tuple[PodAddress, defaultdict[PodSelection, list[Sequence[str]]]]]
"""Places that come to selections or leave them: one of each kind, and by selection the members of each pod."""


class Membership:
    """The members of all sets of the watched selections."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._index = SelectionIndex(namespaces)
        self._counted = SelectionIndex(namespaces)
        self._sizes: dict[PodSelection, _Size] = {}
        self._namespaces = namespaces
        self._moved: list[tuple[PodSelection, _Size]] = []
        self._known: dict[str, dict[str, _Known]] = {}
        self._counts: dict[CountedSet, dict[str, int]] = {}
        self._sites: dict[PodSelection, dict[tuple[str, str], set[Family | None]]] = {}
        """Where a selection has sets with members: by network and switch, which is empty for those of peers."""
        self._nodes: dict[PodSelection, dict[tuple[str, str], int]] = {}
        self._left: _Moves = {}
        self._came: _Moves = {}
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
        """Say how many places the pods of a selection have; of senders, on switches of this database alone."""
        return self._sizes[selection].places

    def moved(self) -> Iterable[Moved]:
        """Say for which selections the size may be another one than at the last call."""
        if not self._moved:
            return ()
        moved, self._moved = self._moved, []
        found = []
        for selection, size in moved:
            found.append(Moved(selection, size.moved, bool(size.before) != bool(size.places)))
            size.moved = 0
        return found

    def drain(self) -> Shift:
        """Let places come to their sets or leave them, of all pods together, and give what has changed.

        Those of selections that have been emptied since they were refreshed don't: there may be millions.
        """
        if self._left:
            left, self._left = self._left, {}
            self._leave(left)
        if self._came:
            came, self._came = self._came, {}
            self._enter(came)
        shift, self._shift = self._shift, Shift()
        return shift

    def count(self, selections: Iterable[PodSelection]) -> None:
        """Begin to count the pods of selections that aren't watched yet."""
        every, chosen = self._choose([each for each in selections if each not in self._sizes])
        sending = _sending([place for _known, place in every])
        for selection, bits in chosen:
            self._counted.add(selection)
            counting = bits if selection.role is SelectionUse.PEER else bits & sending
            self._sizes[selection] = _Size(counting.bit_count())

    def fill(self, selections: Iterable[PodSelection]) -> None:
        """Let the pods that are known enter selections that are only counted, and from now on those that come."""
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
        by_namespace = {name: self._known[name].values() for name in scopes}
        every = [(known, place) for mine in by_namespace.values() for known in mine for place in known.places]
        return every, _chosen(selections, by_namespace, self._namespaces)

    def drop(self, selections: Iterable[PodSelection]) -> None:
        """Watch some selections no longer."""
        gone = list(selections)
        self.empty(gone)
        for selection in gone:
            self._counted.discard(selection)
            self._sizes.pop(selection, None)

    def empty(self, selections: Iterable[PodSelection]) -> None:
        """Let the pods of selections leave them, and only count them; no row may use a set of theirs any more."""
        gone = {each for each in selections if each in self._index}
        for _place, by_selection in (*self._left.values(), *self._came.values()) if gone else ():
            for selection in gone:
                by_selection.pop(selection, None)
        for selection in gone:
            self._index.discard(selection)
            self._counted.add(selection)
        for name in self._scopes(gone):
            for known in self._known[name].values():
                if not gone.isdisjoint(known.selections):
                    known.selections = tuple(each for each in known.selections if each not in gone)
        for selection in gone:
            for (network, switch), families in self._sites.pop(selection, {}).items():
                for family in families:
                    self._counts.pop(SetId(selection, network, switch, family), None)
            self._nodes.pop(selection, None)

    def _fill(self, selections: Iterable[PodSelection], places: Sequence[PodAddress]) -> None:
        """Let places enter all of some selections; those of peers had no sets, so nobody is told member by member."""
        members: defaultdict[tuple[str, Family | None], Counter[str]] = defaultdict(Counter)
        _move(self._came, [each for each in selections if each.role is not SelectionUse.PEER], places)
        peers = [each for each in selections if each.role is SelectionUse.PEER]
        for place in places if peers else ():
            members[place.network, place.family][place.member] += 1
        for selection in peers:
            for (network, family), counts in members.items():
                self._counts[SetId(selection, network, "", family)] = dict(counts)
                self._sites.setdefault(selection, {}).setdefault((network, ""), set()).add(family)

    def refresh(self, pods: Iterable[tuple[str, Pod | None, tuple[PodAddress, ...]]]) -> None:
        """Count pods as they are now, by key and with their places; None and no places for one that is gone.

        They come to their sets, and leave them, when that is drained.
        """
        before: list[_Known] = []
        now: list[_Known] = []
        for key, pod, places in pods:
            self._refresh(key, pod, places, before, now)
        if before:
            self._recount(before, -1)
        if now:
            self._recount(now, 1)

    def _refresh(
        self, key: str, pod: Pod | None, places: tuple[PodAddress, ...], out: list[_Known], now: list[_Known]
    ) -> None:
        """Count one pod; notes it as it was, and as it is, if selections are counted that may choose other places."""
        name = key.partition("/")[0]
        namespace, before = self._namespaces.get(name), self._known.get(name, {}).get(key)
        is_same = before is not None and before.pod is pod and before.namespace is namespace
        sending = len(places) if places and places[0].switch else 0
        known = None if pod is None or not places else _Known(pod, places, (), namespace, sending)
        had, was = ((), ()) if before is None else (before.places, before.selections)
        if self._counted.anchors:
            is_as_many = before is not None and (len(had), before.sending) == (len(places), sending)
            if not (is_same and is_as_many):
                out.extend([before] if before is not None else [])
                now.extend([known] if known is not None else [])
        if known is not None:
            known.selections = was if is_same else self._index.of(known.pod)
            if before is not None and (had, was) == (places, known.selections):
                self._known[name][key] = known
                return
        selections = () if known is None else known.selections
        left = _without(had, places) if places else had
        came = _without(places, had) if had else places
        for set_id, members in _outside(left) if left else ():
            self._drop(set_id, members)
        for set_id, members in _outside(came) if came else ():
            self._add(set_id, members)
        if not was or not selections or was is selections:
            if was:
                _move(self._left, was, left if selections else had)
            if selections:
                _move(self._came, selections, came if was else places)
        else:
            stay = set(was).intersection(selections)
            _move(self._left, stay, left)
            _move(self._left, [each for each in was if each not in stay], had)
            _move(self._came, stay, came)
            _move(self._came, [each for each in selections if each not in stay], places)
        self._remember(name, key, before, known)

    def in_namespace(self, namespace: str) -> list[str]:
        """List the keys of the counted pods of a namespace."""
        return list(self._known.get(namespace, ()))

    def forget_empty(self, set_id: CountedSet) -> None:
        """Free the memory of a set that nobody uses any more, if it has no members."""
        if not self._counts.get(set_id):
            self._counts.pop(set_id, None)

    def _remember(self, namespace: str, key: str, before: _Known | None, known: _Known | None) -> None:
        if before is not None and known is not None and before.selections is known.selections:
            places, sending = len(known.places) - len(before.places), known.sending - before.sending
            self._tally(known.selections, places, sending)
        else:
            for each, step in ((before, -1), (known, 1)):
                if each is not None:
                    self._tally(each.selections, step * len(each.places), step * each.sending)
        if known is not None:
            self._known.setdefault(namespace, {})[key] = known
        elif namespace in self._known:
            self._known[namespace].pop(key, None)
            if not self._known[namespace]:
                del self._known[namespace]

    def _recount(self, pods: Sequence[_Known], step: int) -> None:
        """Count pods, as they were or are, in the selections that are only counted."""
        if len(pods) <= FEW:
            for each in pods:
                namespaces = {} if each.namespace is None else {each.namespace.name: each.namespace}
                self._tally(self._counted.of(each.pod, namespaces), step * len(each.places), step * each.sending)
            return
        by_namespace: defaultdict[str, list[_Known]] = defaultdict(list)
        for each in pods:
            by_namespace[each.pod.namespace].append(each)
        namespaces = {each.namespace.name: each.namespace for each in pods if each.namespace is not None}
        every = [place for mine in by_namespace.values() for known in mine for place in known.places]
        sending = _sending(every)
        for selection, bits in _chosen(list(self._counted), by_namespace, namespaces):
            self._tally([selection], step * bits.bit_count(), step * (bits & sending).bit_count())

    def _tally(self, selections: Iterable[PodSelection], places: int, sending: int) -> None:
        """Note that places came to some selections, or left them, and how many of these are those of senders."""
        for selection in selections if places or sending else ():
            number = places if selection.role is SelectionUse.PEER else sending
            if not number:
                continue
            size = self._sizes[selection]
            if not size.moved:
                size.before = size.places
                self._moved.append((selection, size))
            size.places += number
            size.moved += abs(number)

    def _scopes(self, selections: Iterable[PodSelection]) -> Collection[str]:
        """List the namespaces in which any of some selections may mean some pods."""
        scopes = {each.namespaces if isinstance(each.namespaces, str) else None for each in selections}
        return self._known if None in scopes else [name for name in self._known if name in scopes]

    def _enter(self, moves: _Moves) -> None:
        for place, by_selection in moves.values():
            for selection, members in by_selection.items():
                if place.is_locked and not place.is_of(selection):
                    continue
                self._spread(selection, place, sum(map(len, members)))
                set_id = _set_of(selection, place)
                if set_id is not None and self._add(set_id, chain.from_iterable(members)):
                    self._turn(set_id, filled=True)

    def _leave(self, moves: _Moves) -> None:
        for place, by_selection in moves.values():
            for selection, members in by_selection.items():
                if place.is_locked and not place.is_of(selection):
                    continue
                self._spread(selection, place, -sum(map(len, members)))
                set_id = _set_of(selection, place)
                if set_id is not None and self._drop(set_id, chain.from_iterable(members)):
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
        else:
            self._shift.sites.add((selection, set_id.network, set_id.switch))
        sites = self._sites.setdefault(selection, {})
        kinds = sites.setdefault((set_id.network, set_id.switch), set())
        (kinds.add if filled else kinds.discard)(set_id.family)
        if not kinds:
            del sites[set_id.network, set_id.switch]
            if not sites:
                del self._sites[selection]


def _sending(places: Sequence[PodAddress]) -> int:
    """Say which of some places are those of senders; the ones of the number are."""
    return bits_at((position for position, place in enumerate(places) if place.switch), len(places))


def _without(places: Iterable[PodAddress], others: Iterable[PodAddress]) -> Sequence[PodAddress]:
    """Give those places that aren't among others."""
    known = set(others)
    return [each for each in places if each not in known]


def _move(moves: _Moves, selections: Collection[PodSelection], places: Iterable[PodAddress]) -> None:
    """Note that places come to some selections, or leave them."""
    kinds: dict[_Kind, list[str]] = {}
    for place in places if selections else ():
        kind = (place.network, place.switch, place.family, place.node, place.is_locked)
        if kind not in kinds:
            kinds[kind] = []
            if kind not in moves:
                moves[kind] = (place, defaultdict(list))
        kinds[kind] += [place.member]
    for kind, members in kinds.items():
        by_selection = moves[kind][1]
        for selection in selections:
            by_selection[selection].append(members)


def _chosen(
    selections: Collection[PodSelection],
    pods: Mapping[str, Collection[_Known]],
    namespaces: Mapping[str, Namespace],
) -> Iterator[tuple[PodSelection, int]]:
    """Say for each selection which places of some pods, by namespace, are those of its pods; the numbers are bits."""
    labels = ((name, ((known.pod.labels, len(known.places)) for known in mine)) for name, mine in pods.items())
    index = BitmapIndex(labels, selections, namespaces)
    return ((selection, index.chosen(selection)) for selection in selections)


def _outside(places: Iterable[PodAddress]) -> Iterable[tuple[OutsideSet, Sequence[str]]]:
    """Give those addresses of a pod that are outside of their switches' ranges, by the set that they are in."""
    found: dict[tuple[str, str, Family | None], list[str]] = {}
    for place in places:
        if place.is_outside:
            kind = (place.network, place.switch, place.family)
            if kind in found:
                found[kind] += [place.member]
            else:
                found[kind] = [place.member]
    return [(OutsideSet(*kind), members) for kind, members in found.items()] if found else ()


def _set_of(selection: PodSelection, place: PodAddress) -> SetId | None:
    """Say which set a place of a selected pod belongs to; a sender of another zone belongs to none."""
    if selection.role is SelectionUse.PEER:
        return SetId(selection, place.network, "", place.family)
    return SetId(selection, place.network, place.switch, place.family) if place.switch else None
