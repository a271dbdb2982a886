"""Which files of a folder are read, whatever stands there."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from nqosd.api.changes import ResourceKind
from nqosd.informers.manifests.file_system import LARGEST, list_files
from nqosd.informers.manifests.paths import read_manifests
from tests.informers.test_manifests import namespace


def problems(folder: Path) -> dict[str, str]:
    """Give the problems by the name of the file, and see that a good one is read beside them."""
    (folder / "good.yaml").write_text(namespace("good"))
    found = read_manifests([folder])
    assert (ResourceKind.NAMESPACE, "good") in found.objects
    return {Path(problem.path).name: problem.message for problem in found.problems}


def test_what_is_no_regular_file_is_refused_by_name(tmp_path: Path) -> None:
    """A FIFO, a socket, devices, and links to them are named and never opened; the others are read."""
    (tmp_path / "a").mkdir()
    folder = tmp_path / "a"
    os.mkfifo(folder / "fifo.yaml")
    (folder / "to-fifo.yaml").symlink_to("fifo.yaml")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    os.mknod(folder / "device.yaml", 0o600 | 0o20000, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.yaml"))
        found = problems(folder)
    assert found.keys() == {"fifo.yaml", "to-fifo.yaml", "zero.yaml", "device.yaml", "socket.yaml"}
    for name, what in (("fifo", "a FIFO"), ("to-fifo", "a FIFO"), ("zero", "a device"), ("socket", "a socket")):
        assert f"it is {what}, and only regular files are read; move it out of the way" in found[f"{name}.yaml"]


def test_a_path_that_names_a_fifo_is_refused(tmp_path: Path) -> None:
    """What is named itself, as a shell names `<(…)`, is held to the same rule; standard input is the way out."""
    os.mkfifo(tmp_path / "fifo")
    (problem,) = read_manifests([tmp_path / "fifo"]).problems
    assert "it is a FIFO, and only regular files are read; name one, or - for standard input" in str(problem)
    (problem,) = read_manifests(["/dev/zero"]).problems
    assert "it is a device" in str(problem)


def test_a_file_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    """A sparse file of 10 GiB isn't read; the message names both sizes."""
    with (tmp_path / "sparse.yaml").open("wb") as file:
        file.truncate(10 << 30)
    assert problems(tmp_path) == {
        "sparse.yaml": f"can't be read: it has {10 << 30} bytes, and at most {LARGEST} are read; "
        "split it into several files"
    }


def test_links_out_of_a_folder_are_refused(tmp_path: Path) -> None:
    """Who may write to the folder can't make the daemon read what lies elsewhere, be it a file or a folder."""
    outside, folder = tmp_path / "folder-outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "a.yaml").write_text(namespace("a"))
    (folder / "file.yaml").symlink_to(outside / "a.yaml")
    (folder / "deep").symlink_to("../folder-outside")
    found = problems(folder)
    assert found == {
        "file.yaml": f"can't be read: it is a link out of the folder, to {outside}/a.yaml; "
        "name that in the configuration, or copy it",
        "deep": f"can't be read: it is a link out of the folder, to {outside}; "
        "name that in the configuration, or copy it",
    }
    assert list(read_manifests([folder, outside]).objects) == [
        (ResourceKind.NAMESPACE, "good"),
        (ResourceKind.NAMESPACE, "a"),
    ]


def test_a_path_may_be_a_link_itself(tmp_path: Path) -> None:
    """Whoever writes the configuration is trusted: the folder is where that path leads to, as with git-sync."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.yaml").write_text(namespace("a"))
    (tmp_path / "one" / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "current").symlink_to("one")
    found = read_manifests([tmp_path / "current"])
    assert (list(found.objects), found.problems) == ([(ResourceKind.NAMESPACE, "a")], ())


def test_loops_of_links_end(tmp_path: Path) -> None:
    """Each folder is looked at once, however many links lead to it; a link to itself is named."""
    (tmp_path / "a.yaml").write_text(namespace("a"))
    for number in range(30):
        (tmp_path / f"loop{number}").symlink_to(".")
        (tmp_path / f"deep{number}").mkdir()
        for way in "xyz":
            (tmp_path / f"deep{number}" / way).symlink_to(f"../deep{number + 1}" if number < 29 else "..")
    (tmp_path / "itself.yaml").symlink_to("itself.yaml")
    assert list_files(str(tmp_path)).files == (f"{tmp_path}/a.yaml", f"{tmp_path}/itself.yaml")
    assert problems(tmp_path) == {"itself.yaml": f"can't be read: {os.strerror(40)}"}


def test_folders_may_lie_deep(tmp_path: Path) -> None:
    """Depth isn't bounded by recursion."""
    folder = f"{tmp_path}/a{'/a' * 1200}"
    subprocess.run(["mkdir", "-p", folder], check=True)
    try:
        Path(folder, "a.yaml").write_text(namespace("a"))
        assert list_files(str(tmp_path)).files == (f"{folder}/a.yaml",)
    finally:  # Python's own removal of folders is recursive
        subprocess.run(["rm", "-r", f"{tmp_path}/a"], check=True)


@pytest.mark.parametrize("number", [0, 1, 25_001])
def test_names_are_in_alphabetical_order(tmp_path: Path, number: int) -> None:
    """However many there are, though they are sorted in parts."""
    for each in range(number):
        (tmp_path / f"{each * 7919 % 99991}.yaml").touch()
    files = list_files(str(tmp_path)).files
    assert list(files) == sorted(files)
    assert len(files) == number
