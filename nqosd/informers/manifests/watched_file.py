"""One manifest that is watched: what of its contents counts, while it may be in the middle of being written.

In: looks at the file, and the time. Out: a `Manifest`. Rules: what a file says in addition counts as soon as two looks
see the same; what it changes or takes away counts when it has stood still for a while, and was then read once more,
since a file that was written twice within the grain of its file system's clock looks the same. What can't be read or
understood takes nothing away, however long that lasts.
"""

import hashlib
import os
from typing import TypeAlias

import msgspec

from nqosd.informers.manifests.file_system import read_text
from nqosd.informers.manifests.parsing import Manifest, ManifestObject, parse_manifest
from nqosd.informers.manifests.paths import unreadable

Fingerprint: TypeAlias = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of the last change of content and of anything."""


class ManifestFile(msgspec.Struct):
    """The file at a path; with a root, one that must lie in it. `says` is what counts."""

    path: str
    still: float
    """Seconds for which it must have stood still before it changes or takes away anything."""
    says: Manifest = msgspec.field(default_factory=Manifest)
    is_settled: bool = False
    """Two looks have seen the same."""
    is_whole: bool = False
    """It has been read to its end once, and wasn't empty."""
    _fingerprint: Fingerprint | None = None
    _since: float = 0.0
    _digest: bytes = b""
    _is_read: bool = False
    _is_final: bool = False
    _read: Manifest = msgspec.field(default_factory=Manifest)
    _good: tuple[ManifestObject, ...] | None = None
    _gone: float | None = None

    def look(self, now: float, root: str | None, *, at_once: bool) -> bool:
        """Look at the file, and read it if it is time to; return whether it is there."""
        if self._gone is not None:
            self._gone, self._is_read = None, False
        try:
            fingerprint = _fingerprint(self.path)
        except FileNotFoundError as error:
            if not os.path.lexists(self.path):
                return False
            self._fail(error)
            return True
        except OSError as error:
            self._fail(error)
            return True
        self.is_settled = at_once or fingerprint == self._fingerprint
        if fingerprint != self._fingerprint:
            self._fingerprint, self._since, self._is_read, self._is_final = fingerprint, now, False, False
        if self.is_settled and (not self._is_read or (not self._is_final and now - self._since >= self.still)):
            self._take(now, root)
        return True

    def miss(self, now: float) -> bool:
        """Take note that it isn't there; return whether it has been gone for so long that it counts as removed."""
        if self._gone is None:
            self._gone = now
            self.is_settled = True
            self.says = Manifest(self.says.objects, held=True)
        return now - self._gone >= self.still

    def _fail(self, error: OSError) -> None:
        """Take note that it can't be read, until the next look."""
        self.is_settled, self._is_read = True, False
        self._show(unreadable(self.path, error))

    def _take(self, now: float, root: str | None) -> None:
        try:
            text = read_text(self.path, root)
        except OSError as error:
            self._fail(error)
            return
        digest = hashlib.sha256(text).digest()
        if digest != self._digest or not self._is_read:
            if self._is_read:  # it has changed, and the times by which one sees that haven't
                self._since = now
            manifest = parse_manifest(self.path, text)
            self._digest, self._is_read = digest, True
            self.is_whole |= not manifest.broken and not text.isspace() and text != b""
        else:
            manifest = self._read
        self._is_final = now - self._since >= self.still
        self._show(manifest)

    def _show(self, manifest: Manifest) -> None:
        self._read = manifest
        if not manifest.broken and (self._good is None or self._is_final or _only_adds(self._good, manifest.objects)):
            self._good = manifest.objects if not manifest.problems else _kept(self._good or (), manifest.objects)
        objects = manifest.objects if self._good is None else self._good
        self.says = Manifest(
            objects, manifest.problems, manifest.warnings, manifest.broken, held=objects is not manifest.objects
        )


def _only_adds(before: tuple[ManifestObject, ...], now: tuple[ManifestObject, ...]) -> bool:
    """Say whether everything that was said is still said, unchanged."""
    values = {(each.kind, each.value.key): each.value for each in now}
    return all(values.get((each.kind, each.value.key)) == each.value for each in before)


def _kept(before: tuple[ManifestObject, ...], now: tuple[ManifestObject, ...]) -> tuple[ManifestObject, ...]:
    """Keep what a file no longer says, or no longer in a way that can be understood, beside what it says now."""
    places = {(each.kind, each.value.key) for each in now}
    kept = [each for each in before if (each.kind, each.value.key) not in places]
    return (*kept, *now) if kept else now


def _fingerprint(path: str) -> Fingerprint:
    it = os.stat(path)
    return (it.st_dev, it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns)
