"""The inbox: where changes of all informers wait for the next round, and how long they wait for each other.

In: changes, and which kinds have been told once. Out: everything since the last round. Rule: a change that comes alone
waits for nobody. Only when several have piled up behind a round does the next one wait a little for those that
surely follow, twice as long each time up to LONGEST, so that a burst ends in a few transactions. Changes of policies
wait as long as what their namespace asked for before is being written, and where those of a namespace take long, for
each other; all changes of such a namespace wait for a round with those of others, but never for two in a row. However
long they wait, of each object only the last one counts, so they take no more room than the objects.
"""

import asyncio
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from itertools import islice

from msgspec.structs import replace

from nqosd.api.changes import Change, ObjectKey, ResourceKind

SHORTEST = 0.002
"""Seconds; about what two rounds take."""
LONGEST = 0.016
"""Seconds; a burst that goes on is told to the database about 60 times a second."""


class Inbox:
    """The sink of all informers: keeps changes until the next round."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self._changes: dict[ObjectKey, Change] = {}
        self._policies: dict[str, dict[ObjectKey, Change]] = {}
        """Changes of policies that there was no room for, by namespace: they came before all others of theirs."""
        self._held = 0
        self._has_yielded = False
        self.held: frozenset[str] = frozenset()
        """Namespaces with changes of policies, or those `elsewhere`, that weren't handed over last."""
        self.elsewhere: frozenset[str] = frozenset()
        """Namespaces with changes of policies, or of first senders, that wait for something before they come here."""
        self.elsewhere_since: float | None = None
        """When the first of all changes that wait before they come here was seen; None if none does."""
        self.unsynced = set(ResourceKind)
        self.pause = 0.0
        """Seconds that the next round waits for more changes."""

    @property
    def oldest(self) -> float | None:
        """When the first of the changes that wait was seen, in monotonic seconds; None if none waits."""
        first = (next(iter(each.values())).seen for each in (self._changes, *self._policies.values()) if each)
        return min(first, default=None)

    @property
    def owed_since(self) -> float | None:
        """When the first change was seen that waits here or elsewhere, in monotonic seconds; None if none does."""
        return min((each for each in (self.oldest, self.elsewhere_since) if each is not None), default=None)

    def changed(self, changes: list[Change]) -> None:
        """Take changes; one of an object that waits already counts from when that one was seen."""
        for change in changes:
            place = change.kind, change.key
            is_policy = change.kind is ResourceKind.NETWORK_QOS
            waiting = self._policies.get(change.namespace, {}) if is_policy else {}
            where = waiting if place in waiting else self._changes
            before = where.get(place)
            where[place] = change if before is None else replace(change, old=before.old, seen=before.seen)
            if before is not None and before.old is None and change.new is None:  # it came and went
                del where[place]
                if is_policy and not waiting:
                    self._policies.pop(change.namespace, None)
        self._wake.set()

    def synced(self, kind: ResourceKind) -> None:
        """Take note that a kind has been told once."""
        self.unsynced.discard(kind)
        self._wake.set()

    def take(
        self,
        policies: Callable[[str], float] = lambda _namespace: math.inf,
        yields: Callable[[str], bool] = lambda _namespace: False,
    ) -> list[Change]:
        """Hand over everything since the last call, but of each namespace no more `policies` than it says.

        Nothing of a namespace that `yields`, as long as there is something of others, unless that was so last time.
        """
        late = self._late(yields) if self._policies or len(self._changes) > 1 else set[str]()
        room: dict[str, float] = {}
        taken: list[Change] = []
        for namespace in self._policies.keys() - late:
            room[namespace] = policies(namespace)
            taken += self._first_of(namespace, room)
        kept: dict[ObjectKey, Change] = {}
        for place, change in self._changes.items():
            if late and change.namespace in late:
                kept[place] = change
                continue
            if change.kind is ResourceKind.NETWORK_QOS:
                namespace = change.namespace
                if namespace not in room:
                    room[namespace] = policies(namespace)
                room[namespace] -= 1
                if room[namespace] < 0:
                    self._policies.setdefault(namespace, {})[place] = change
                    continue
            taken.append(change)
        self._changes, self._held = kept, len(kept)
        waiting = (change.namespace for change in kept.values() if change.kind is ResourceKind.NETWORK_QOS)
        self.held = self.elsewhere.union(waiting, self._policies) if kept or self._policies else self.elsewhere
        return taken

    def _first_of(self, namespace: str, room: dict[str, float]) -> list[Change]:
        """Take the first of a namespace's policies that wait, and what they take of its room."""
        waiting = self._policies[namespace]
        places = list(islice(waiting, int(min(len(waiting), room[namespace]))))
        room[namespace] -= len(places)
        taken = [waiting.pop(place) for place in places]
        if not waiting:
            del self._policies[namespace]
        return taken

    def _late(self, yields: Callable[[str], bool]) -> AbstractSet[str]:
        """Say of which namespaces everything waits for others this time."""
        namespaces = {change.namespace for change in self._changes.values()}.union(self._policies)
        late = set[str]() if self._has_yielded or len(namespaces) == 1 else set(filter(yields, namespaces))
        self._has_yielded = bool(late) and late < namespaces
        return late if self._has_yielded else set()

    def round_ended(self) -> None:
        """Look at what has piled up behind a round."""
        is_burst = len(self._changes) - self._held > 1
        self.pause = min(LONGEST, max(SHORTEST, 2 * self.pause)) if is_burst else 0.0
