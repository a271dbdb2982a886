"""What counts of files that are written, renamed, removed and unmounted while they are looked at."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nqosd.api.changes import ResourceKind
from nqosd.informers.manifests.folders import Look, ManifestFolder
from tests.informers.test_manifests import namespace, value

STILL = 2.0


class Watched:
    """A folder with a clock that stands still between looks."""

    def __init__(self, *paths: Path) -> None:
        self.folder = ManifestFolder([str(path) for path in paths], STILL)
        self.now = 100.0
        self.last: Look = self.folder.look(self.now)

    def names(self) -> list[str]:
        """Give the namespaces that count, with their color."""
        objects = self.last.manifests.objects
        return sorted(f"{key} {getattr(each, 'labels', {}).get('color')}" for (_, key), each in objects.items())

    def look(self, seconds: float = 0.1) -> list[str]:
        """Look again after some seconds, and give what counts."""
        self.now += seconds
        self.last = self.folder.look(self.now)
        return self.names()

    def problems(self) -> list[str]:
        """Give what is wrong."""
        return [problem.message for problem in self.last.manifests.problems]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """Watch a folder with two namespaces in one file."""
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\n" + namespace("b"))
    return Watched(tmp_path)


BOTH = ["a blue", "b blue"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", []),
        ("# nothing", []),
        (namespace("a"), ["a blue"]),
        (namespace("a") + "---\n", ["a blue"]),
        (namespace("a") + "---\n{apiVersion: v1, kind: Names", ["a blue", "b red"]),
    ],
)
def test_a_file_that_is_being_written_takes_nothing_away(
    watched: Watched, tmp_path: Path, written: str, meant: list[str]
) -> None:
    """Empty, or cut anywhere, it counts for nothing until it has stood still; then it counts as it is, if it parses."""
    (tmp_path / "a.yaml").write_text(written)
    assert watched.look() == BOTH
    assert not watched.last.settled
    assert watched.look() == BOTH
    assert watched.look(STILL - 0.2) == BOTH
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\n" + namespace("b", "red"))
    assert watched.look() == BOTH
    assert watched.look(STILL) == ["a blue", "b red"]
    (tmp_path / "a.yaml").write_text(written)
    watched.look()
    assert watched.look(STILL) == meant


def test_half_a_document_that_parses_takes_nothing_away(watched: Watched, tmp_path: Path) -> None:
    """An object that lacks what comes later counts as changed only when the file has stood still."""
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: b\n")
    watched.look()
    assert watched.look() == BOTH
    assert watched.look(STILL) == ["a blue", "b None"]


def test_what_a_file_says_in_addition_counts_at_once(watched: Watched, tmp_path: Path) -> None:
    """Two looks that see the same are enough."""
    with (tmp_path / "a.yaml").open("a") as file:
        file.write("---\n" + namespace("c"))
    (tmp_path / "d.yaml").write_text(namespace("d"))
    assert watched.look() == BOTH
    assert watched.look() == [*BOTH, "c blue", "d blue"]


def test_a_change_that_the_times_of_the_file_hide_is_found(watched: Watched, tmp_path: Path) -> None:
    """Where a file system's clock is coarse, the same times and size can be another content: it is read once more."""
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a") + "---\n" + namespace("b", "gray"))
    watched.look()
    assert watched.look() == BOTH
    before = file.stat()
    with Unchanging(file):
        file.write_text(namespace("a") + "---\n" + namespace("b", "pink"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert watched.look(STILL) == BOTH
        assert watched.look(STILL) == ["a blue", "b pink"]


class Unchanging:
    """Lets the time of the last change of anything, which nobody can set, look as it was."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)
        self._before = file.stat()
        self._stat: Callable[..., os.stat_result] = os.stat

    def __enter__(self) -> None:
        def stat(path: str, **options: bool) -> os.stat_result:
            return self._before if path == self._file else self._stat(path, **options)

        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(os, "stat", stat)

    def __exit__(self, *error: object) -> None:
        self._patch.undo()


def test_a_file_that_is_renamed_takes_nothing_away(watched: Watched, tmp_path: Path) -> None:
    """What it said stays until the file of the other name has been read, and no object stands twice meanwhile."""
    (tmp_path / "a.yaml").rename(tmp_path / "z.yaml")
    for seconds in (0.1, 0.1, STILL, STILL):
        assert watched.look(seconds) == BOTH
        assert watched.last.manifests.warnings == watched.last.manifests.problems == ()
    (tmp_path / "z.yaml").unlink()
    assert watched.look() == BOTH
    assert watched.look(STILL) == []


def test_an_editor_that_renames_takes_nothing_away(watched: Watched, tmp_path: Path) -> None:
    """The file is away for a moment, and another one comes in its place."""
    (tmp_path / "a.yaml").rename(tmp_path / "a.yaml~")
    assert watched.look() == BOTH
    (tmp_path / "new").write_text(namespace("a", "red"))
    (tmp_path / "new").rename(tmp_path / "a.yaml")
    assert watched.look() == BOTH
    assert watched.look() == BOTH
    assert watched.look(STILL) == ["a red"]


def test_a_file_that_was_away_for_a_moment_counts_as_before(watched: Watched, tmp_path: Path) -> None:
    """The same file at the same path is read again."""
    (tmp_path / "a.yaml").rename(tmp_path / "away")
    watched.look()
    (tmp_path / "away").rename(tmp_path / "a.yaml")
    for seconds in (0.1, 0.1, STILL, STILL):
        assert watched.look(seconds) == BOTH
    (tmp_path / "b.yaml").write_text(namespace("a"))
    watched.look()
    watched.look()
    assert len(watched.last.manifests.warnings) == 1


def test_a_mounted_config_map_is_swapped(tmp_path: Path) -> None:
    """The kubelet puts new content into another hidden folder, and turns one link: objects change once, none goes."""
    for version, color in (("..1", "blue"), ("..2", "red")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(namespace("a", color))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    watched = Watched(tmp_path)
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..1")
    assert watched.look() == ["a blue"]
    assert watched.look(STILL) == ["a red"]
    assert watched.problems() == []


@pytest.mark.parametrize("content", [b"", b"kind: [", b"\xff", b"a: &a [*a]", None])
def test_what_can_not_be_read_takes_nothing_away(watched: Watched, tmp_path: Path, content: bytes | None) -> None:
    """However long it lasts: a file that doesn't parse, a FIFO in its place, or a link to nowhere."""
    file = tmp_path / "a.yaml"
    file.unlink()
    if content is None:
        file.symlink_to("nowhere")
    elif content:
        file.write_bytes(content)
    else:
        os.mkfifo(file)
    for _ in range(3):
        assert watched.look(STILL) == BOTH
    assert len(watched.problems()) == 1
    file.unlink()
    file.write_text(namespace("a"))
    watched.look()
    watched.look()
    assert watched.look(STILL) == ["a blue"]
    assert watched.problems() == []


def test_an_object_that_can_not_be_understood_any_more_stays(watched: Watched, tmp_path: Path) -> None:
    """A mistake in one object leaves it as it was; what is right in the same file counts."""
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a", "red") + "---\n" + namespace("b").replace("name: b", "nmae: b"))
    watched.look()
    assert watched.look(STILL) == ["a red", "b blue"]
    assert len(watched.problems()) == 1
    file.write_text(namespace("a", "red"))
    watched.look()
    assert watched.look(STILL) == ["a red"]


def test_a_read_that_fails_is_tried_again(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk says nothing about the file, whose times don't change when it is over."""
    (tmp_path / "a.yaml").write_text(namespace("a", "red"))
    watched.look()

    def fail(*_arguments: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert watched.look(STILL) == BOTH
        assert watched.problems() == ["can't be read: Input/output error"]
    assert watched.look(STILL) == ["a red"]
    assert watched.problems() == []


def test_a_folder_that_can_not_be_listed_keeps_what_was_below_it(tmp_path: Path) -> None:
    """It is named; what is beside it goes on."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yaml").write_text(namespace("a"))
    watched = Watched(tmp_path)
    (tmp_path / "deep" / "a.yaml").rename(tmp_path / "away")
    (tmp_path / "deep").rmdir()
    (tmp_path / "deep").symlink_to("/proc")
    (tmp_path / "b.yaml").write_text(namespace("b"))
    watched.look()
    assert watched.look(STILL) == BOTH
    assert watched.look(STILL) == BOTH
    (problem,) = watched.problems()
    assert problem.startswith("can't be read: it is a link out of the folder")


def test_a_folder_that_is_gone_keeps_everything(tmp_path: Path) -> None:
    """Removed or renamed, it says nothing of its objects; an empty one in its place does."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.yaml").write_text(namespace("a"))
    watched = Watched(folder)
    folder.rename(tmp_path / "away")
    for _ in range(3):
        assert watched.look(STILL) == ["a blue"]
        assert watched.last.missing
    folder.mkdir()
    assert watched.look() == ["a blue"]
    assert watched.look(STILL) == []


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system."""
    folder = tmp_path / "root" / "mounted"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    yield folder
    while folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("depth", [0, 1])
def test_a_file_system_that_is_unmounted_keeps_everything(mounted: Path, depth: int) -> None:
    """The empty folder below it isn't taken for what the mounted one says, be it the path itself or a part of it."""
    (mounted / "a.yaml").write_text(namespace("a"))
    watched = Watched(mounted.parents[depth - 1] if depth else mounted)
    subprocess.run(["umount", str(mounted)], check=True)
    for _ in range(3):
        assert watched.look(STILL) == ["a blue"]
        (problem,) = watched.problems()
        assert problem.startswith("can't be read: another file system than before")
    subprocess.run(["mount", "-t", "tmpfs", "none", str(mounted)], check=True)
    (mounted / "b.yaml").write_text(namespace("b"))
    watched.look()
    assert watched.look() == BOTH
    assert watched.look(STILL) == ["b blue"]
    assert watched.problems() == []


def test_a_look_at_an_unchanged_folder_gives_the_same(watched: Watched) -> None:
    """Nothing is put together anew."""
    first = watched.last
    watched.look(STILL)
    assert first.changed
    assert not watched.last.changed
    assert watched.last.manifests is first.manifests
    assert first.manifests.objects[ResourceKind.NAMESPACE, "a"] == value("a")
