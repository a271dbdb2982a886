"""Which files a path leads to, and what is in one: whatever stands there, nothing waits and nothing grows.

In: paths. Out: a `PathListing`, or bytes. Rules: only regular files of a bounded size are read, anything else is
refused without being opened; in a folder, links count as what they lead to, as long as that lies within the folder too,
and each folder is looked at once, so that loops of links end.
"""

import errno
import heapq
import os
import stat
from collections.abc import Iterator

import msgspec

SUFFIXES = (".yaml", ".yml", ".json")
"""What is read in a folder; a path that names a file is read whatever its name."""
LARGEST = 8 << 20
"""Bytes of a file: the YAML parser holds up all threads for one text in it, 50 ms for so much."""
AT_ONCE = 10_000
"""Names that are sorted in one go: that holds up all threads."""

_TYPES = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class PathListing(msgspec.Struct, frozen=True):
    """What is at or below a path: `root` is the folder that links mustn't leave, None if the path is a file.

    `devices` are the file systems of all folders, `unlisted` the folders that can't be looked at, with the reason.
    """

    files: tuple[str, ...]
    root: str | None = None
    devices: dict[str, int] = {}
    unlisted: dict[str, OSError] = {}

    def below(self, folder: str) -> bool:
        """Say whether there is a file below a folder."""
        return any(file.startswith(f"{folder}/") for file in self.files)


def list_files(path: str) -> PathListing:
    """Give the manifests at or below a path, in alphabetical order; names that begin with a dot are left out.

    Raises:
        OSError: the path isn't there or can't be listed.
    """
    if not stat.S_ISDIR(os.stat(path).st_mode):
        return PathListing((path,))
    walk = _Walk(path)
    files = tuple(walk.files())
    if path in walk.unlisted:
        raise walk.unlisted[path]
    return PathListing(files, path, walk.devices, walk.unlisted)


class _Walk:
    """One walk through a folder."""

    def __init__(self, root: str) -> None:
        self.devices: dict[str, int] = {}
        self.unlisted: dict[str, OSError] = {}
        self._root = root
        self._seen: set[tuple[int, int]] = set()

    def files(self) -> Iterator[str]:
        """Give the files, without recursion, so that they may lie as deep as they like."""
        left = [iter([(self._root, True)])]
        while left:
            path, is_folder = next(left[-1], ("", False))
            if not path:
                left.pop()
            elif is_folder:
                left.append(self._entries(path))
            else:
                yield path

    def _entries(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Give what is in a folder, and whether it is one; a mounted ConfigMap has its files twice, and links count."""
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in self._seen:
                return iter(())
            self._seen.add((status.st_dev, status.st_ino))
            if os.path.islink(folder) and folder != self._root:
                see_within(os.path.realpath(folder), self._root)
            with os.scandir(folder) as entries:
                found = [
                    (each.path, is_folder)
                    for each in entries
                    if not each.name.startswith(".")
                    and ((is_folder := _is_folder(each)) or each.name.endswith(SUFFIXES))
                ]
        except OSError as error:
            self.unlisted[folder] = error
            return iter(())
        self.devices[folder] = status.st_dev
        return heapq.merge(*(sorted(found[at : at + AT_ONCE]) for at in range(0, len(found), AT_ONCE)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links, for one: what reads it will say so
        return False


def see_within(real: str, root: str) -> None:
    """See that a path without links lies in a folder.

    Raises:
        OSError: it doesn't.
    """
    if not real.startswith(f"{os.path.realpath(root).rstrip('/')}/"):
        raise OSError(
            errno.EXDEV, f"it is a link out of the folder, to {real}; name that in the configuration, or copy it"
        )


def read_text(path: str, root: str | None) -> bytes:
    """Read a file; with a root, only one that lies in it.

    Raises:
        OSError: it can't be read, or is refused; `strerror` says why.
    """
    _see_regular(os.stat(path), root)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        _see_regular(os.fstat(descriptor), root)  # another one may have taken its place
        if root is not None:
            see_within(os.readlink(f"/proc/self/fd/{descriptor}"), root)
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise _too_large(len(text))
    return text


def _see_regular(status: os.stat_result, root: str | None) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        what = _TYPES.get(kind, "no regular file")
        way_out = "name one, or - for standard input" if root is None else "move it out of the way"
        raise OSError(errno.EINVAL, f"it is {what}, and only regular files are read; {way_out}")
    if status.st_size > LARGEST:
        raise _too_large(status.st_size)


def _too_large(size: int) -> OSError:
    return OSError(errno.EFBIG, f"it has {size} bytes, and at most {LARGEST} are read; split it into several files")
