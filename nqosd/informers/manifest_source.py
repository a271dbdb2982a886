"""The informer of a folder of manifests: looks at the files each second and tells exact differences.

In: paths. Out: changes and "synced" to a sink, as from an API server. Rule: what can't be read changes nothing. A file
that doesn't parse keeps its last good content, a path that is gone keeps all of it; only a file that vanishes from a
folder that is there takes its objects with it.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import attrs
import structlog

from nqosd.informers.changes import Change, Kind, Sink
from nqosd.informers.manifest_text import Manifest, ManifestProblem
from nqosd.informers.manifests import Manifests, combine, list_files, read_file, unreadable
from nqosd.informers.observer import InformerObserver, Unobserved
from nqosd.informers.told import ToldObjects

_log = structlog.get_logger()

Fingerprint: TypeAlias = tuple[int, int, int, int]
"""Inode, size, and the times of the last change of content and of anything: equal ones mean an unchanged file."""


@attrs.frozen
class ManifestOptions:
    """Times, in seconds."""

    interval: float = 1.0
    """Between two looks."""
    settling: float = 0.1
    """Between two looks while a file is being written: it is read when two looks see the same."""
    grace: float = 5.0
    """How long a file that has never parsed can hold up "synced": a restart must not delete what it will say again."""


@attrs.frozen
class Look:
    """What the files say now.

    `changed`: other than at the last look. `settled`: nothing is being written. `missing`: a path isn't there.
    `whole`: every file has parsed at least once.
    """

    manifests: Manifests
    changed: bool
    settled: bool
    missing: bool
    whole: bool


@attrs.frozen
class _File:
    fingerprint: Fingerprint
    manifest: Manifest
    good: Manifest | None


class ManifestFolder:
    """The files at some paths, each read once for each time that it changes. Blocks on the disk; knows no clock."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._paths = [Path(path) for path in paths]
        self._listed: dict[Path, list[Path]] = {}
        self._files: dict[Path, _File] = {}
        self._pending: dict[Path, Fingerprint] = {}
        self._contents: list[Manifest] | None = None
        self._manifests = Manifests({})

    def look(self) -> Look:
        """Read what has changed and has stood still since the last look; the first look reads everything."""
        missing = [lost for path in self._paths if (lost := self._list(path)) is not None]
        files = [file for path in self._paths for file in self._listed.get(path, ())]
        self._read(files)
        self._files = {file: self._files[file] for file in files if file in self._files}
        contents = [*(_shown(each) for each in self._files.values()), *missing]
        changed = contents != self._contents
        if changed:
            self._contents, self._manifests = contents, combine(contents)
        whole = all(each.good is not None for each in self._files.values())
        return Look(self._manifests, changed, not self._pending, bool(missing), whole)

    def _read(self, files: Sequence[Path]) -> None:
        last, self._pending = self._pending, {}
        for file in files:
            fingerprint = _fingerprint(file)
            known = self._files.get(file)
            if fingerprint is None or (known is not None and known.fingerprint == fingerprint):
                continue
            if self._contents is None or last.get(file) == fingerprint:
                self._take(file, fingerprint)
            else:
                self._pending[file] = fingerprint

    def _list(self, path: Path) -> Manifest | None:
        try:
            path.stat()
            self._listed[path] = list_files(path)
        except OSError as error:
            return unreadable(path, error)
        return None

    def _take(self, file: Path, fingerprint: Fingerprint) -> None:
        known = self._files.get(file)
        manifest = read_file(file)
        good = (known.good if known is not None else None) if manifest.broken else manifest
        self._files[file] = _File(fingerprint, manifest, good)


def _shown(file: _File) -> Manifest:
    """Give the last good objects with the present problems; of a file that was never good, what could be read."""
    if file.good is None or file.good is file.manifest:
        return file.manifest
    return attrs.evolve(file.manifest, objects=file.good.objects)


def _fingerprint(file: Path) -> Fingerprint | None:
    try:
        it = file.stat()
    except OSError:  # it went between listing and now, or its directory can't be searched: the next look tells
        return None
    return (it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns)


class ManifestSource:
    """Reads manifests for ever."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        options: ManifestOptions | None = None,
        observer: InformerObserver | None = None,
    ) -> None:
        self._options = options or ManifestOptions()
        self._observer = observer or Unobserved()
        self._folder = ManifestFolder(paths)
        self._told = {kind: ToldObjects(kind) for kind in Kind}
        self._said: frozenset[ManifestProblem] = frozenset()
        self._synced = False

    async def run(self, sink: Sink) -> None:
        """Tell the sink of everything, until cancelled."""
        began = time.monotonic()
        while True:
            look = await asyncio.to_thread(self._folder.look)
            now = time.monotonic()
            self._say(look.manifests)
            if look.changed:
                self._tell(look.manifests, sink, now)
            in_time = now - began < self._options.grace
            if not self._synced and not look.missing and ((look.whole and look.settled) or not in_time):
                self._synced = True
                for kind in Kind:
                    sink.synced(kind)
                    self._observer.listed(kind, len(self._told[kind]), now - began)
            await asyncio.sleep(self._options.interval if look.settled else self._options.settling)

    def _tell(self, manifests: Manifests, sink: Sink, now: float) -> None:
        keys: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        appeared: dict[Kind, list[Change]] = {kind: [] for kind in Kind}
        for (kind, key), value in manifests.objects.items():
            keys[kind].add(key)
            if change := self._told[kind].put(key, value, now):
                appeared[kind].append(change)
        for kind in Kind:
            changes = appeared[kind] + self._told[kind].retain(keys[kind], now)
            if changes:
                self._observer.events(kind, len(changes))
                sink.changed(changes)

    def _say(self, manifests: Manifests) -> None:
        """Write what is new among the problems; each is said once until it has gone."""
        for problem in manifests.problems:
            if problem not in self._said:
                _log.error("manifest problem", problem=str(problem))
        for warning in manifests.warnings:
            if warning not in self._said:
                _log.warning("manifest warning", warning=str(warning))
        self._said = frozenset((*manifests.problems, *manifests.warnings))
