"""A bitmap index of pods: which of very many pods do very many selectors choose.

In: pods by namespace, each with how many bits it takes, and the selections that will be asked for. Out: for each of
these a number whose bits are the pods that are chosen. Rule: the answer is that of `PodSelection.matches`, at the cost
of a few operations on whole numbers for each requirement, however many pods there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from nqosd.api.labels import Labels, LabelSelector, Operator, Requirement
from nqosd.api.objects import Namespace
from nqosd.cache.selections import PodSelection, covers

COMMON = 500
"""Pods with one value of a label of which the bits are kept; those of fewer are found as fast as they are kept."""


class BitmapIndex:
    """The labels of some pods, as of when it was made; a pod's bits stand in a row, and so do those of a namespace."""

    def __init__(
        self,
        pods: Iterable[tuple[str, Iterable[tuple[Labels, int]]]],
        asked: Iterable[PodSelection],
        namespaces: Mapping[str, Namespace],
    ) -> None:
        wanted = {each.key for selection in asked for each in selection.pods.requirements}
        places: dict[str, defaultdict[str, list[int]]] = {key: defaultdict(list) for key in wanted}
        self._scopes: dict[str, int] = {}
        end = 0
        for namespace, every in pods:
            begin = end
            for labels, number in every:
                for key, value in labels.items():
                    if key in wanted:
                        places[key][value].extend(range(end, end + number))
                end += number
            self._scopes[namespace] = _ones(end) ^ _ones(begin)
        self._end = end
        self._places = places
        self._common = {
            key: {value: self._bits(found) for value, found in by.items() if len(found) >= COMMON}
            for key, by in places.items()
        }
        self._with_key = {key: self._bits(chain.from_iterable(by.values())) if by else 0 for key, by in places.items()}
        self._namespaces = namespaces
        self._covered = {LabelSelector(): _ones(end)}

    def chosen(self, selection: PodSelection) -> int:
        """Give the bits of the pods that a selection chooses."""
        found = self._scope(selection.namespaces)
        for requirement in selection.pods.requirements:
            found = self._meeting(requirement, found)
        return found

    def _scope(self, scope: str | LabelSelector) -> int:
        if isinstance(scope, str):
            return self._scopes.get(scope, 0)
        known = self._covered.get(scope)
        if known is None:
            mine = (bits for name, bits in self._scopes.items() if covers(scope, name, self._namespaces))
            known = self._covered[scope] = _joined(mine)
        return known

    def _meeting(self, requirement: Requirement, among: int) -> int:
        """Give those of some pods that meet a requirement."""
        key, operator = requirement.key, requirement.operator
        if operator is Operator.EXISTS:
            return among & self._with_key[key]
        if operator is Operator.DOES_NOT_EXIST:
            return among & ~self._with_key[key]
        holding = self._holding(requirement)
        return among & (holding if operator is Operator.IN else ~holding)

    def _holding(self, requirement: Requirement) -> int:
        """Give the pods whose label has one of the values that a requirement lists."""
        places, common = self._places[requirement.key], self._common[requirement.key]
        values: Iterable[str] = requirement.values
        if len(requirement.values) > len(places):
            values = filter(requirement.lists, places)
        here = [value for value in values if value in places]
        seldom = self._bits(chain.from_iterable(places[value] for value in here if value not in common))
        return _joined([seldom, *(common[value] for value in here if value in common)])

    def _bits(self, places: Iterable[int]) -> int:
        found = bytearray(self._end // 8 + 1)
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
