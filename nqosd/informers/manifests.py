"""Files and folders of manifests: which files there are, and what they say together.

In: paths, in an order that counts. Out: the objects of all files, problems and warnings (`read_manifests`). Rule: the
same files give the same result in the same order; an object that stands twice is the one of the later place.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from nqosd.informers.changes import Change, Kind, Object
from nqosd.informers.manifest_text import Manifest, ManifestObject, ManifestProblem, parse_manifest

SUFFIXES = (".yaml", ".yml", ".json")
"""What is read in a folder; a path that names a file is read whatever its name."""

Place: TypeAlias = tuple[Kind, str]
"""A kind and a key."""


@attrs.frozen
class Manifests:
    """What some files say together.

    `objects` are by kind and key. `problems` leave something out (a file, an object); `warnings` don't.
    """

    objects: Mapping[Place, Object]
    problems: tuple[ManifestProblem, ...] = ()
    warnings: tuple[ManifestProblem, ...] = ()

    def changes(self) -> list[Change]:
        """Give every object as one that has just appeared."""
        return [Change(kind, key, None, value) for (kind, key), value in self.objects.items()]


def read_manifests(paths: Iterable[str | Path]) -> Manifests:
    """Read files, and folders with what is below them; nothing is raised, a path that can't be read is a problem."""
    manifests: list[Manifest] = []
    for path in paths:
        try:
            manifests += [read_file(file) for file in list_files(path)]
        except OSError as error:
            manifests.append(unreadable(path, error))
    return combine(manifests)


def list_files(path: str | Path) -> list[Path]:
    """Give the manifests at or below a path, in alphabetical order; names that begin with a dot are left out.

    Raises:
        OSError: the path, or a folder below it, isn't there or can't be listed.
    """
    path = Path(path)
    return sorted(_walk(path)) if path.is_dir() else [path]


def _walk(folder: Path) -> Iterator[Path]:
    # a mounted ConfigMap holds its files twice, in a hidden folder and as links into that; the links count
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path))
            elif entry.name.endswith(SUFFIXES):
                yield Path(entry.path)


def read_file(path: Path) -> Manifest:
    """Read one manifest; a file that can't be read is a broken one."""
    try:
        text = path.read_bytes()
    except OSError as error:
        return unreadable(path, error)
    return parse_manifest(str(path), text)


def unreadable(path: str | Path, error: OSError) -> Manifest:
    """Say that a path can't be read."""
    return Manifest(problems=(ManifestProblem(str(path), f"can't be read: {error.strerror}"),), broken=True)


def combine(manifests: Sequence[Manifest]) -> Manifests:
    """Put files together, later ones over earlier ones."""
    found: dict[Place, ManifestObject] = {}
    warnings: list[ManifestProblem] = []
    for manifest in manifests:
        for each in manifest.objects:
            place = (each.kind, each.value.key)
            earlier = found.pop(place, None)
            found[place] = each
            if earlier is not None:
                there = f"{each.path}:{each.line}"
                warnings.append(earlier.problem(f"{each.kind} {each.value.key} stands again at {there}, which counts"))
    problems = tuple(problem for manifest in manifests for problem in manifest.problems)
    return Manifests({place: each.value for place, each in found.items()}, problems, tuple(warnings))
