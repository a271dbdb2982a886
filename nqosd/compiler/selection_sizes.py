"""Sizes: how many places the pods of each watched selection have, whether its sets are filled or not.

In: selections that are watched, and pods that come and go. Out: the size of each, and which sizes changed. Rule: a
selection that is only counted takes no memory for its pods.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from nqosd.api.objects import Namespace
from nqosd.cache.selections import PodSelection, SelectionIndex, SelectionUse
from nqosd.compiler.known_pods import KnownPod, chosen, sending

FEW = 20
"""Pods that are compared with selections one by one."""


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


class SelectionSizes:
    """The sizes of all watched selections; of senders, those of places on switches of this database alone."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self.only_counted = SelectionIndex(namespaces)
        """Selections whose sets aren't filled."""
        self._sizes: dict[PodSelection, _Size] = {}
        self._moved: list[tuple[PodSelection, _Size]] = []

    def __contains__(self, selection: PodSelection) -> bool:
        """Say whether a selection is watched."""
        return selection in self._sizes

    def __len__(self) -> int:
        """Count the selections that are watched."""
        return len(self._sizes)

    def of(self, selection: PodSelection) -> int:
        """Say how many places the pods of a selection have."""
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

    def watch(
        self,
        selections: Collection[PodSelection],
        pods: Mapping[str, Collection[KnownPod]],
        namespaces: Mapping[str, Namespace],
    ) -> None:
        """Begin to count some selections, which choose among these pods."""
        counted = self._count(selections, pods, namespaces)
        for selection, (places, senders) in counted.items():
            self.only_counted.add(selection)
            self._sizes[selection] = _Size(places if selection.role is SelectionUse.PEER else senders)

    def forget(self, selection: PodSelection) -> None:
        """Count a selection no longer."""
        self.only_counted.discard(selection)
        self._sizes.pop(selection, None)

    def recount(self, pods: Sequence[KnownPod], step: int) -> None:
        """Count pods, as they were or are, in the selections that are only counted."""
        if len(pods) <= FEW:
            for each in pods:
                namespaces = {} if each.namespace is None else {each.namespace.name: each.namespace}
                selections = self.only_counted.of(each.pod, namespaces)
                self.tally(selections, step * len(each.places), step * each.sending)
            return
        by_namespace: defaultdict[str, list[KnownPod]] = defaultdict(list)
        for each in pods:
            by_namespace[each.pod.namespace].append(each)
        namespaces = {each.namespace.name: each.namespace for each in pods if each.namespace is not None}
        for selection, (places, senders) in self._count(list(self.only_counted), by_namespace, namespaces).items():
            self.tally([selection], step * places, step * senders)

    def tally(self, selections: Iterable[PodSelection], places: int, senders: int) -> None:
        """Note that places came to some selections, or left them, and how many of these are those of senders."""
        for selection in selections if places or senders else ():
            number = places if selection.role is SelectionUse.PEER else senders
            if not number:
                continue
            size = self._sizes[selection]
            if not size.moved:
                size.before = size.places
                self._moved.append((selection, size))
            size.places += number
            size.moved += abs(number)

    @staticmethod
    def _count(
        selections: Collection[PodSelection],
        pods: Mapping[str, Collection[KnownPod]],
        namespaces: Mapping[str, Namespace],
    ) -> Mapping[PodSelection, tuple[int, int]]:
        """Count for each selection the places of its pods, and how many of these are those of senders."""
        senders = sending([place for mine in pods.values() for known in mine for place in known.places])
        found = chosen(selections, pods, namespaces)
        return {selection: (bits.bit_count(), (bits & senders).bit_count()) for selection, bits in found}
