"""Pods as they were counted last: each with its places, and the selections whose sets it is in.

In: pods as they come and go. Out: those that some selections may mean, and of these the ones that each chooses.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from nqosd.api.objects import Namespace, Pod
from nqosd.cache.bitmaps import BitmapIndex, bits_at
from nqosd.cache.selections import PodSelection
from nqosd.compiler.pod_addresses import PodAddress

SiteKey = tuple[PodSelection, str, str]
"""Senders, their network, their switch."""


class KnownPod(msgspec.Struct):
    """A pod as it was counted, in its namespace as that was then, in selections that are filled.

    `sending` of its places are on a switch: all of them, or none.
    """

    pod: Pod
    places: tuple[PodAddress, ...]
    selections: tuple[PodSelection, ...]
    namespace: Namespace | None
    sending: int


class KnownPods:
    """All of them, by namespace and key."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, KnownPod]] = {}

    def get(self, namespace: str, key: str) -> KnownPod | None:
        """Give a pod as it is known."""
        return self._known.get(namespace, {}).get(key)

    def put(self, namespace: str, key: str, known: KnownPod | None) -> None:
        """Take a pod as it is now; None for one that has no places any more."""
        if known is not None:
            self._known.setdefault(namespace, {})[key] = known
        elif namespace in self._known:
            self._known[namespace].pop(key, None)
            if not self._known[namespace]:
                del self._known[namespace]

    def in_namespace(self, namespace: str) -> list[str]:
        """List the keys of the pods of a namespace."""
        return list(self._known.get(namespace, ()))

    def meant_by(self, selections: Iterable[PodSelection]) -> Mapping[str, Collection[KnownPod]]:
        """Give the pods of all namespaces in which any of some selections may mean some, by namespace."""
        names = {each.namespaces if isinstance(each.namespaces, str) else None for each in selections}
        if not names:
            return {}
        return {name: pods.values() for name, pods in self._known.items() if None in names or name in names}

    def senders(self, site: SiteKey) -> Mapping[str, tuple[PodAddress, ...]]:
        """Give the places of the senders at one site, by pod name. Goes through the pods of the namespace."""
        selection, network, switch = site
        found = {}
        for pods in self.meant_by([selection]).values():
            for known in pods:
                if selection in known.selections:
                    here = (each for each in known.places if (each.network, each.switch) == (network, switch))
                    mine = tuple(each for each in here if each.is_of(selection))
                    if mine:
                        found[known.pod.name] = mine
        return found


def chosen(
    selections: Collection[PodSelection],
    pods: Mapping[str, Collection[KnownPod]],
    namespaces: Mapping[str, Namespace],
) -> Iterator[tuple[PodSelection, int]]:
    """Say for each selection which places of some pods, by namespace, are those of its pods; the numbers are bits."""
    labels = ((name, ((known.pod.labels, len(known.places)) for known in mine)) for name, mine in pods.items())
    index = BitmapIndex(labels, selections, namespaces)
    return ((selection, index.chosen(selection)) for selection in selections)


def sending(places: Sequence[PodAddress]) -> int:
    """Say which of some places are those of senders; the ones of the number are."""
    return bits_at((position for position, place in enumerate(places) if place.switch), len(places))
