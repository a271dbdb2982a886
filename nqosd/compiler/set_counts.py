"""Sets with their members, each of which is counted.

In: places of pods that come to selections or leave them. Out: the members of every set, where there are senders, and a
`Shift`, exactly what changed. Rules: a member counts as long as any pod brings it, so a pod that ends never takes an
address from its successor; places move of all pods together, when what changed is asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, KeysView, Mapping, Sequence
from itertools import chain

import msgspec

from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.desired import Family, Members
from nqosd.compiler.known_pods import SiteKey
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.set_ids import CountedSet, OutsideSet, SetId


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


_Kind = tuple[str, str, Family | None, str, bool]
"""What places have in common that are in the same sets."""
_Moves = dict[_Kind, tuple[PodAddress, defaultdict[PodSelection, list[Sequence[str]]]]]
"""Places that come to selections or leave them: one of each kind, and by selection the members of each pod."""


class SetCounts:
    """The members of all sets, and where senders are."""

    def __init__(self) -> None:
        self._counts: dict[CountedSet, dict[str, int]] = {}
        self._sites: dict[PodSelection, dict[tuple[str, str], set[Family | None]]] = {}
        """Where a selection has sets with members: by network and switch, which is empty for those of peers."""
        self._nodes: dict[PodSelection, dict[tuple[str, str], int]] = {}
        self._left: _Moves = {}
        self._came: _Moves = {}
        self._shift = Shift()

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

    def come(self, selections: Collection[PodSelection], places: Iterable[PodAddress]) -> None:
        """Let places come to some selections."""
        _move(self._came, selections, places)

    def leave(self, selections: Collection[PodSelection], places: Iterable[PodAddress]) -> None:
        """Let places leave some selections."""
        _move(self._left, selections, places)

    def swap_outside(self, left: Sequence[PodAddress], came: Sequence[PodAddress]) -> None:
        """Count those of a pod's places that are outside of their switches' ranges, at once."""
        for set_id, members in _outside(left) if left else ():
            self._drop(set_id, members)
        for set_id, members in _outside(came) if came else ():
            self._add(set_id, members)

    def fill(self, selections: Iterable[PodSelection], places: Sequence[PodAddress]) -> None:
        """Let places enter all of some selections; those of peers had no sets, so nobody is told member by member."""
        members: defaultdict[tuple[str, Family | None], Counter[str]] = defaultdict(Counter)
        self.come([each for each in selections if each.role is not SelectionUse.PEER], places)
        peers = [each for each in selections if each.role is SelectionUse.PEER]
        for place in places if peers else ():
            members[place.network, place.family][place.member] += 1
        for selection in peers:
            for (network, family), counts in members.items():
                self._counts[SetId(selection, network, "", family)] = dict(counts)
                self._sites.setdefault(selection, {}).setdefault((network, ""), set()).add(family)

    def empty(self, selections: Collection[PodSelection]) -> None:
        """Forget the sets of some selections, whatever is to come to them, and tell nobody."""
        for _place, by_selection in (*self._left.values(), *self._came.values()):
            for selection in selections:
                by_selection.pop(selection, None)
        for selection in selections:
            for (network, switch), families in self._sites.pop(selection, {}).items():
                for family in families:
                    self._counts.pop(SetId(selection, network, switch, family), None)
            self._nodes.pop(selection, None)

    def forget_empty(self, set_id: CountedSet) -> None:
        """Free the memory of a set that nobody uses any more, if it has no members."""
        if not self._counts.get(set_id):
            self._counts.pop(set_id, None)

    def drain(self) -> Shift:
        """Let places come to their sets or leave them, of all pods together, and give what has changed.

        Those of selections that have been emptied since don't: there may be millions.
        """
        if self._left:
            left, self._left = self._left, {}
            for set_id, members in self._spread(left, -1):
                if self._drop(set_id, members):
                    self._turn(set_id, filled=False)
        if self._came:
            came, self._came = self._came, {}
            for set_id, members in self._spread(came, 1):
                if self._add(set_id, members):
                    self._turn(set_id, filled=True)
        shift, self._shift = self._shift, Shift()
        return shift

    def _spread(self, moves: _Moves, step: int) -> Iterable[tuple[SetId, Iterable[str]]]:
        """Count where places come or leave; gives the sets that they belong to, with their members."""
        for place, by_selection in moves.values():
            for selection, members in by_selection.items():
                if place.is_locked and not place.is_of(selection):
                    continue
                if selection.role is not SelectionUse.PEER:
                    self._note_senders(selection, place, step * sum(map(len, members)))
                set_id = _set_of(selection, place)
                if set_id is not None:
                    yield set_id, chain.from_iterable(members)

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

    def _note_senders(self, selection: PodSelection, place: PodAddress, step: int) -> None:
        """Note that places of senders came or went, and count them where they are."""
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
