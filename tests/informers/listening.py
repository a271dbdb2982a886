"""Who listens to informers in tests: keeps a table, and checks that every change follows from it."""

import asyncio
import time
from collections.abc import Callable

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.informers.observer import InformerObserver
from nqosd.informers.transitions import RequestOutcome

DEADLINE = 30.0
POLL = 0.01


async def until(holds: Callable[[], bool], what: str, deadline: float = DEADLINE) -> float:
    """Wait until something holds; give the seconds that it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > deadline:
            raise AssertionError(f"not {what} after {deadline:g} s")
        await asyncio.sleep(POLL)
    return time.monotonic() - began


class Listener:
    """A sink with a table of objects by kind and key, and all changes in order."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.batches: list[list[Change]] = []
        self.synced_kinds: list[ResourceKind] = []
        self.tables: dict[ResourceKind, dict[str, Object]] = {kind: {} for kind in ResourceKind}

    def changed(self, changes: list[Change]) -> None:
        """Apply changes."""
        self.batches.append(changes)
        for change in changes:
            table = self.tables[change.kind]
            assert change.old != change.new
            assert change.old == table.get(change.key)
            if change.new is None:
                del table[change.key]
            else:
                table[change.key] = change.new
        self.changes += changes

    def synced(self, kind: ResourceKind) -> None:
        """Take note."""
        assert kind not in self.synced_kinds
        self.synced_kinds.append(kind)

    async def until(self, holds: Callable[[], bool], what: str, deadline: float = DEADLINE) -> float:
        """Wait until something holds; give the seconds that it took."""
        return await until(holds, f"{what} (the last changes: {self.changes[-3:]})", deadline)

    async def until_synced(self, *kinds: ResourceKind) -> float:
        """Wait until kinds are synced."""
        return await self.until(lambda: set(kinds) <= set(self.synced_kinds), f"synced: {', '.join(kinds)}")


class Counter(InformerObserver):
    """An observer that keeps everything."""

    def __init__(self) -> None:
        self.lists: list[tuple[ResourceKind, int]] = []
        self.restarts: list[tuple[ResourceKind, RequestOutcome]] = []
        self.received: dict[ResourceKind, int] = dict.fromkeys(ResourceKind, 0)
        self.skipped: dict[ResourceKind, int] = dict.fromkeys(ResourceKind, 0)
        self.installations: list[tuple[ResourceKind, bool]] = []

    def listed(self, kind: ResourceKind, objects: int, seconds: float) -> None:
        """Keep it."""
        assert seconds >= 0.0
        self.lists.append((kind, objects))

    def watch_restarted(self, kind: ResourceKind, reason: RequestOutcome) -> None:
        """Keep it."""
        self.restarts.append((kind, reason))

    def events(self, kind: ResourceKind, number: int) -> None:
        """Keep it."""
        self.received[kind] += number

    def undecodable(self, kind: ResourceKind) -> None:
        """Keep it."""
        self.skipped[kind] += 1

    def installed(self, kind: ResourceKind, *, is_installed: bool) -> None:
        """Keep it."""
        self.installations.append((kind, is_installed))
