"""Membership: who is in which set, kept up to date pod by pod.

In: selections to fill or to count, and pods with their places. Out: the members of every set, and the size of every
selection. Rule: the cost of a pod is that of the selections which it is in, enters or leaves.
"""

from collections.abc import Iterable, Mapping, Sequence

from nqosd.api.objects import Namespace, Pod
from nqosd.cache.bitmaps import positions
from nqosd.cache.selections import PodSelection, SelectionIndex
from nqosd.compiler.known_pods import KnownPod, KnownPods, chosen
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.selection_sizes import SelectionSizes
from nqosd.compiler.set_counts import SetCounts


class Membership:
    """The watched selections, and the pods in them."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = namespaces
        self._filled = SelectionIndex(namespaces)
        self.pods = KnownPods()
        self.sizes = SelectionSizes(namespaces)
        self.sets = SetCounts()

    @property
    def requirements(self) -> int:
        """With how many requirements of selections a pod is compared at most; one without any counts as well."""
        return self._filled.weight + self.sizes.only_counted.weight

    def requirements_for(self, pod: Pod) -> int:
        """Say with how many a pod is compared, by its namespace and labels."""
        return self._filled.weigh(pod) + self.sizes.only_counted.weigh(pod)

    def count(self, selections: Iterable[PodSelection]) -> None:
        """Begin to count the pods of selections that aren't watched yet."""
        new = [each for each in selections if each not in self.sizes]
        self.sizes.watch(new, self.pods.meant_by(new), self._namespaces)

    def fill(self, selections: Iterable[PodSelection]) -> None:
        """Let the pods that are known enter selections that are only counted, and from now on those that come."""
        new = [each for each in selections if each not in self._filled]
        pods = self.pods.meant_by(new)
        every = [(known, place) for mine in pods.values() for known in mine for place in known.places]
        equal: dict[int, list[PodSelection]] = {}
        for selection, bits in chosen(new, pods, self._namespaces):
            equal.setdefault(bits, []).append(selection)
            self.sizes.only_counted.discard(selection)
            self._filled.add(selection)
        came: dict[int, tuple[KnownPod, list[PodSelection]]] = {}
        for bits, mine in equal.items():
            entering = [every[position] for position in positions(bits)]
            for known in {id(known): known for known, _place in entering}.values():
                came.setdefault(id(known), (known, []))[1].extend(mine)
            self.sets.fill(mine, [place for _known, place in entering])
        for known, mine in came.values():
            known.selections += tuple(mine)

    def empty(self, selections: Iterable[PodSelection]) -> None:
        """Let the pods of selections leave them, and only count them; no row may use a set of theirs any more."""
        gone = {each for each in selections if each in self._filled}
        for selection in gone:
            self._filled.discard(selection)
            self.sizes.only_counted.add(selection)
        for pods in self.pods.meant_by(gone).values():
            for known in pods:
                if not gone.isdisjoint(known.selections):
                    known.selections = tuple(each for each in known.selections if each not in gone)
        self.sets.empty(gone)

    def drop(self, selections: Iterable[PodSelection]) -> None:
        """Watch some selections no longer."""
        gone = list(selections)
        self.empty(gone)
        for selection in gone:
            self.sizes.forget(selection)

    def refresh(self, pods: Iterable[tuple[str, Pod | None, tuple[PodAddress, ...]]]) -> None:
        """Count pods as they are now, by key and with their places; None and no places for one that is gone.

        They come to their sets, and leave them, when those are drained.
        """
        before: list[KnownPod] = []
        now: list[KnownPod] = []
        for key, pod, places in pods:
            self._refresh(key, pod, places, before, now)
        if before:
            self.sizes.recount(before, -1)
        if now:
            self.sizes.recount(now, 1)

    def _refresh(
        self, key: str, pod: Pod | None, places: tuple[PodAddress, ...], out: list[KnownPod], now: list[KnownPod]
    ) -> None:
        """Count one pod; notes it as it was, and as it is, if selections are counted that may choose other places."""
        name = key.partition("/")[0]
        namespace, before = self._namespaces.get(name), self.pods.get(name, key)
        is_same = before is not None and before.pod is pod and before.namespace is namespace
        sending = len(places) if places and places[0].switch else 0
        known = None if pod is None or not places else KnownPod(pod, places, (), namespace, sending)
        if self.sizes.only_counted.anchors:
            is_as_many = before is not None and (len(before.places), before.sending) == (len(places), sending)
            if not (is_same and is_as_many):
                out.extend([before] if before is not None else [])
                now.extend([known] if known is not None else [])
        if known is not None:
            known.selections = before.selections if before is not None and is_same else self._filled.of(known.pod)
        if before is None or known is None or (before.places, before.selections) != (known.places, known.selections):
            self._move(before, known)
        self.pods.put(name, key, known)

    def _move(self, before: KnownPod | None, known: KnownPod | None) -> None:
        """Let a pod come to its sets, leave them, or both."""
        had, was = ((), ()) if before is None else (before.places, before.selections)
        places, selections = ((), ()) if known is None else (known.places, known.selections)
        left = _without(had, places) if places else had
        came = _without(places, had) if had else places
        self.sets.swap_outside(left, came)
        if not was or not selections or was is selections:
            if was:
                self.sets.leave(was, left if selections else had)
            if selections:
                self.sets.come(selections, came if was else places)
        else:
            stay = set(was).intersection(selections)
            self.sets.leave(stay, left)
            self.sets.leave([each for each in was if each not in stay], had)
            self.sets.come(stay, came)
            self.sets.come([each for each in selections if each not in stay], places)
        if before is not None and known is not None and was is selections:
            self.sizes.tally(was, len(places) - len(had), known.sending - before.sending)
            return
        for each, step in ((before, -1), (known, 1)):
            if each is not None:
                self.sizes.tally(each.selections, step * len(each.places), step * each.sending)


def _without(places: Iterable[PodAddress], others: Iterable[PodAddress]) -> Sequence[PodAddress]:
    """Give those places that aren't among others."""
    known = set(others)
    return [each for each in places if each not in known]
