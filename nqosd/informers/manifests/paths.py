"""What the manifests at some paths say together.

In: paths, in an order that counts. Out: the objects of all files, problems and warnings (`read_manifests`). Rule: the
same files give the same result in the same order; an object that stands twice is the one of the later place.
"""

import errno
import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from nqosd.api.changes import Change, Object, ObjectKey
from nqosd.informers.manifests.file_system import list_files, read_text
from nqosd.informers.manifests.parsing import STANDARD_INPUT, Manifest, ManifestObject, ManifestProblem, parse_manifest


class Manifests(msgspec.Struct, frozen=True):
    """What some files say together.

    `origins` are the objects by kind and key, each with its place. `problems` leave something out (a file, an object);
    `warnings` don't.
    """

    origins: Mapping[ObjectKey, ManifestObject]
    problems: tuple[ManifestProblem, ...] = ()
    warnings: tuple[ManifestProblem, ...] = ()

    @property
    def objects(self) -> dict[ObjectKey, Object]:
        """The objects alone."""
        return {place: each.value for place, each in self.origins.items()}

    def changes(self) -> list[Change]:
        """Give every object as one that has just appeared."""
        return [Change(kind, key, None, value) for (kind, key), value in self.objects.items()]


def read_manifests(paths: Iterable[str | Path]) -> Manifests:
    """Read files, and folders with what is below them; nothing is raised, a path that can't be read is a problem.

    The path `-` is standard input.
    """
    return combine([manifest for path in paths for manifest in _read(str(path))])


@functools.cache
def standard_input() -> bytes:
    """Read standard input to its end, once.

    Raises:
        OSError: it is closed, or nothing that can be read.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()


def _read(path: str) -> Iterator[Manifest]:
    try:
        if path == STANDARD_INPUT:
            yield parse_manifest(path, standard_input())
            return
        listing = list_files(path)
    except OSError as error:
        yield unreadable(path, error)
        return
    for file in listing.files:
        try:
            text = read_text(file, listing.root)
        except OSError as error:
            yield unreadable(file, error)
        else:
            yield parse_manifest(file, text)
    yield from (unreadable(*each) for each in listing.unlisted.items())


def unreadable(path: str, error: OSError) -> Manifest:
    """Say that a path can't be read."""
    return Manifest(problems=(ManifestProblem(path, f"can't be read: {error.strerror}"),), broken=True)


def combine(manifests: Iterable[Manifest]) -> Manifests:
    """Put files together, later ones over earlier ones; what a file said before isn't warned about."""
    found: dict[ObjectKey, tuple[ManifestObject, bool]] = {}
    problems: list[ManifestProblem] = []
    warnings: list[ManifestProblem] = []
    for manifest in manifests:
        problems += manifest.problems
        warnings += manifest.warnings
        for each in manifest.objects:
            place = (each.kind, each.value.key)
            earlier, was_held = found.pop(place, (None, False))
            found[place] = (each, manifest.held)
            if earlier is not None and not (was_held or manifest.held):
                there = f"{each.path}:{each.line}"
                warnings.append(earlier.problem(f"{each.kind} {each.value.key} stands again at {there}, which counts"))
    return Manifests({place: each for place, (each, _) in found.items()}, tuple(problems), tuple(warnings))
