"""The informer of manifests: looks at the files each second and tells exact differences.

In: paths. Out: changes and "synced" to a sink, as from an API server, and what is wrong as a sentence for /readyz.
Rules: everything that takes time happens in a thread; what can't be read changes nothing; where more than half of the
objects of a kind would go, and more than a few, they go when that is so for some seconds.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from nqosd.api.changes import Change, ResourceKind, Sink
from nqosd.informers.manifests.folders import Look, ManifestFolder
from nqosd.informers.manifests.parsing import ManifestProblem
from nqosd.informers.manifests.paths import Manifests
from nqosd.informers.observer import InformerObserver
from nqosd.informers.pacing import CONFIRM
from nqosd.informers.pulse import Pulse
from nqosd.informers.store import FEW, Store

MOST_SAID = 20
"""Problems that one look writes to the log."""
SHARE = 10.0
"""How many times longer than a look took the next one is waited for, at least."""
LONGEST = 10.0
"""Seconds that the next look waits for that at most."""

_log = structlog.get_logger()


class ManifestOptions(msgspec.Struct, frozen=True):
    """Times, in seconds."""

    interval: float = 1.0
    """Between two looks."""
    settling: float = 0.1
    """Between two looks while a file is being written: it is read when two looks see the same."""
    still: float = 2.0
    """How long a file must stand still, or have gone, before anything is changed or removed because of it."""
    confirm: float = CONFIRM
    """How long most objects of a kind must have gone before that is believed."""
    grace: float = 5.0
    """How long a file that has never parsed can hold up "synced": a restart must not delete what it will say again."""
    read_timeout: float = 10.0
    """How long a look may take before it counts as one that hangs."""


class _News(msgspec.Struct, frozen=True):
    """What a look has brought."""

    look: Look
    changes: list[list[Change]]
    problems: list[ManifestProblem]
    warnings: list[ManifestProblem]


def _nobody(_reason: str) -> None:
    """Tell nobody."""


class ManifestSource:
    """Reads manifests for ever; `say` is called with what is wrong, in a sentence, or with nothing."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        options: ManifestOptions | None = None,
        observer: InformerObserver | None = None,
        say: Callable[[str], None] = _nobody,
    ) -> None:
        self._options = options or ManifestOptions()
        self._observer = observer or InformerObserver()
        self._say = say
        self._folder = ManifestFolder([str(path) for path in paths], self._options.still)
        self._stores = {kind: Store(kind) for kind in ResourceKind}
        self._doubts: dict[ResourceKind, tuple[str, float]] = {}
        self._said: frozenset[ManifestProblem] = frozenset()
        self._synced = False
        self._seen_at = float("-inf")
        self._seen = Pulse()

    async def run(self, sink: Sink) -> None:
        """Tell the sink of everything, until cancelled."""
        options, began = self._options, time.monotonic()
        while True:
            started = time.monotonic()
            news = await self._look()
            now = time.monotonic()
            self._report(news)
            for changes in news.changes:
                self._observer.events(changes[0].kind, len(changes))
                sink.changed(changes)
            look = news.look
            is_complete = (look.whole and look.settled) or now - began >= options.grace
            if is_complete and not (self._synced or look.missing):
                self._synced = True
                for kind in ResourceKind:
                    sink.synced(kind)
                    self._observer.listed(kind, len(self._stores[kind]), now - began)
            if look.settled and not look.missing:
                self._seen_at = started
                self._seen.beat()
            pause = options.interval if look.settled else options.settling
            await asyncio.sleep(max(pause, min(LONGEST, SHARE * (now - started))))

    async def list_again(self, _why: str) -> None:
        """Return when everything has been looked at again, some seconds from now."""
        await asyncio.sleep(self._options.confirm)
        asked = time.monotonic()
        while self._seen_at < asked:
            await self._seen.wait()

    async def _look(self) -> _News:
        """Look at the files, in a thread; say so if that takes very long."""
        looking = asyncio.ensure_future(asyncio.to_thread(self._news))
        try:
            await asyncio.wait({looking}, timeout=self._options.read_timeout)
            if not looking.done():
                self._say(
                    f"the files haven't been read within {self._options.read_timeout:g} s; a file system may hang"
                )
            return await looking
        finally:
            looking.cancel()

    def _news(self) -> _News:
        """Look at the files, and compare with what was told; not on the event loop."""
        now = time.monotonic()
        look = self._folder.look(now)
        changes = self._differences(look.manifests, now) if look.changed or self._doubts else []
        manifests, said = look.manifests, self._said
        if look.changed:
            self._said = frozenset((*manifests.problems, *manifests.warnings))
        problems = [each for each in manifests.problems if each not in said]
        warnings = [each for each in manifests.warnings if each not in said]
        return _News(look, changes, problems, warnings)

    def _differences(self, manifests: Manifests, now: float) -> list[list[Change]]:
        keys: dict[ResourceKind, set[str]] = {kind: set() for kind in ResourceKind}
        changes: dict[ResourceKind, list[Change]] = {kind: [] for kind in ResourceKind}
        for (kind, key), value in manifests.objects.items():
            keys[kind].add(key)
            if change := self._stores[kind].put(key, value, now):
                changes[kind].append(change)
        for kind in ResourceKind:
            if self._believes(kind, keys[kind], now):
                changes[kind] += self._stores[kind].retain(keys[kind], now)
        return [each for each in changes.values() if each]

    def _believes(self, kind: ResourceKind, keys: set[str], now: float) -> bool:
        """Say whether it is believed that no other objects than these are there."""
        _, until = self._doubts.get(kind, ("", now))
        if now < until:
            return False
        if doubt := self._stores[kind].doubt(keys, few=FEW):
            self._doubts[kind] = (f"{kind}: {doubt}", now + self._options.confirm)
            return False
        self._doubts.pop(kind, None)
        return True

    def _report(self, news: _News) -> None:
        """Write what is new among the problems, each once until it has gone, and say what is wrong now."""
        for problem in news.problems[:MOST_SAID]:
            _log.error("manifest problem", problem=str(problem))
        for warning in news.warnings[:MOST_SAID]:
            _log.warning("manifest warning", warning=str(warning))
        if more := max(0, len(news.problems) - MOST_SAID) + max(0, len(news.warnings) - MOST_SAID):
            _log.warning("more about manifests; nqosd compile says all of it", more=more)
        problems = news.look.manifests.problems
        wrong = [f"{problems[0]}{f', and {len(problems) - 1} more' if len(problems) > 1 else ''}"] if problems else []
        wrong += [f"{doubt}: nothing is removed until a second look" for doubt, _ in self._doubts.values()]
        self._say("; ".join(wrong))
