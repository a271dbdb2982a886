"""The inbox: where changes of all informers wait for the next round, and how long they wait for each other.

In: changes, and which kinds have been told once. Out: everything since the last round. Rule: a change that comes alone
waits for nobody. Only when several have piled up behind a round does the next one wait a little for those that
surely follow, twice as long each time up to LONGEST, so that a burst ends in a few transactions. Changes of policies
wait as long as what their namespace asked for before is being written, and where those of a namespace take long, for
each other.
"""

import asyncio
import functools
import math
from collections import defaultdict
from collections.abc import Callable

from nqosd.api.changes import Change, ResourceKind

SHORTEST = 0.002
"""Seconds; about what two rounds take."""
LONGEST = 0.016
"""Seconds; a burst that goes on is told to the database about 60 times a second."""


class Inbox:
    """The sink of all informers: keeps changes until the next round."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self._changes: list[Change] = []
        self._held = 0
        self.unsynced = set(ResourceKind)
        self.pause = 0.0
        """Seconds that the next round waits for more changes."""

    @property
    def oldest(self) -> float | None:
        """When the first of the changes that wait was seen, in monotonic seconds; None if none waits."""
        return self._changes[0].seen if self._changes else None

    def changed(self, changes: list[Change]) -> None:
        """Take changes."""
        self._changes += changes
        self._wake.set()

    def synced(self, kind: ResourceKind) -> None:
        """Take note that a kind has been told once."""
        self.unsynced.discard(kind)
        self._wake.set()

    def take(self, policies: Callable[[str], float] = lambda _namespace: math.inf) -> list[Change]:
        """Hand over everything since the last call, but of each namespace no more `policies` than it says."""
        most = functools.cache(policies)
        found: defaultdict[str, set[str]] = defaultdict(set)
        taken: list[Change] = []
        kept: list[Change] = []
        for change in self._changes:
            if change.kind is ResourceKind.NETWORK_QOS:
                mine = found[change.namespace]
                if change.key not in mine and len(mine) >= most(change.namespace):
                    kept.append(change)
                    continue
                mine.add(change.key)
            taken.append(change)
        self._changes, self._held = kept, len(kept)
        return taken

    def round_ended(self) -> None:
        """Look at what has piled up behind a round."""
        is_burst = len(self._changes) - self._held > 1
        self.pause = min(LONGEST, max(SHORTEST, 2 * self.pause)) if is_burst else 0.0
