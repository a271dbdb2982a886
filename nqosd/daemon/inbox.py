"""The inbox: where changes of all informers wait for the next round, and how long they wait for each other.

In: changes, and which kinds have been told once. Out: everything since the last round. Rule: a change that comes alone
waits for nobody. Only when several have piled up behind a round does the next one wait a little for those that
surely follow, twice as long each time up to LONGEST, so that a burst ends in a few transactions.
"""

import asyncio

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

    def take(self) -> list[Change]:
        """Hand over everything since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def round_ended(self) -> None:
        """Look at what has piled up behind a round."""
        is_burst = len(self._changes) > 1
        self.pause = min(LONGEST, max(SHORTEST, 2 * self.pause)) if is_burst else 0.0
