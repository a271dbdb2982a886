"""Bitmap indexes: which of very many things with labels, or of very many pods, do very many selectors choose.

In: labels at places, or pods by namespace, each with how many bits it takes; the selectors or selections that will be
asked for. Out: for each of these a number whose bits are what is chosen. Rule: the answer is that of
`LabelSelector.matches` and `PodSelection.matches`, at the cost of a few operations on whole numbers for each
requirement, however many pods there are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from nqosd.api.labels import Labels, LabelSelector, Operator, Requirement
from nqosd.api.objects import Namespace
from nqosd.cache.selections import PodSelection, covers

COMMON = 500
"""Places with one value of a label of which the bits are kept; those of fewer are found as fast as they are kept."""


class LabelBitmaps:
    """The labels of some things at places, as of when it was made, as far as selectors ask for them."""

    def __init__(
        self, things: Iterable[tuple[Labels, Iterable[int]]], end: int, asked: Iterable[LabelSelector]
    ) -> None:
        wanted = {each.key for selector in asked for each in selector.requirements}
        places: dict[str, defaultdict[str, list[int]]] = {key: defaultdict(list) for key in wanted}
        for labels, mine in things:
            for key in labels.keys() & wanted:  # goes through the shorter of the two
                places[key][labels[key]].extend(mine)
        self._end = end
        self._places = places
        self._common = {
            key: {value: bits_at(found, end) for value, found in by.items() if len(found) >= COMMON}
            for key, by in places.items()
        }
        self._with_key = {
            key: bits_at(chain.from_iterable(by.values()), end) if by else 0 for key, by in places.items()
        }

    def meeting(self, selector: LabelSelector, among: int) -> int:
        """Give those of some things that a selector matches; both are bits."""
        for requirement in selector.requirements:
            among = self._meeting(requirement, among)
        return among

    def _meeting(self, requirement: Requirement, among: int) -> int:
        """Give those of some things that meet a requirement."""
        key, operator = requirement.key, requirement.operator
        if operator is Operator.EXISTS:
            return among & self._with_key.get(key, 0)
        if operator is Operator.DOES_NOT_EXIST:
            return among & ~self._with_key.get(key, 0)
        holding = self._holding(requirement)
        return among & (holding if operator is Operator.IN else ~holding)

    def _holding(self, requirement: Requirement) -> int:
        """Give the things whose label has one of the values that a requirement lists."""
        places, common = self._places[requirement.key], self._common[requirement.key]
        values: Iterable[str] = requirement.values
        if len(requirement.values) > len(places):
            values = filter(requirement.lists, places)
        here = [value for value in values if value in places]
        seldom = bits_at(chain.from_iterable(places[value] for value in here if value not in common), self._end)
        return _joined([seldom, *(common[value] for value in here if value in common)])


class BitmapIndex:
    """Some pods, as of when it was made; a pod's bits stand in a row, and so do those of a namespace."""

    def __init__(
        self,
        pods: Iterable[tuple[str, Iterable[tuple[Labels, int]]]],
        asked: Collection[PodSelection],
        namespaces: Mapping[str, Namespace],
    ) -> None:
        self._scopes: dict[str, int] = {}
        things: list[tuple[Labels, range]] = []
        end = 0
        for namespace, every in pods:
            begin = end
            for labels, number in every:
                things.append((labels, range(end, end + number)))
                end += number
            self._scopes[namespace] = _ones(end) ^ _ones(begin)
        self._labels = LabelBitmaps(things, end, (each.pods for each in asked))
        self._namespaces = namespaces
        self._covered = {LabelSelector(): _ones(end)}

    def chosen(self, selection: PodSelection) -> int:
        """Give the bits of the pods that a selection chooses."""
        return self._labels.meeting(selection.pods, self._scope(selection.namespaces))

    def _scope(self, scope: str | LabelSelector) -> int:
        if isinstance(scope, str):
            return self._scopes.get(scope, 0)
        known = self._covered.get(scope)
        if known is None:
            mine = (bits for name, bits in self._scopes.items() if covers(scope, name, self._namespaces))
            known = self._covered[scope] = _joined(mine)
        return known


def bits_at(places: Iterable[int], end: int) -> int:
    """Give the number whose ones are at some places, all of them before `end`."""
    found = bytearray(end // 8 + 1)
    for place in places:
        found[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(found, "little")


def positions(bits: int) -> Iterator[int]:
    """Give the places of the ones of a number, the lowest first."""
    text = bin(bits)[:1:-1]
    place = text.find("1")
    while place >= 0:
        yield place
        place = text.find("1", place + 1)


def _ones(number: int) -> int:
    return (1 << number) - 1


def _joined(every: Iterable[int]) -> int:
    found = 0
    for each in every:
        found |= each
    return found
