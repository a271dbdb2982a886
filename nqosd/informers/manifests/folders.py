"""Folders of manifests that are looked at again and again: which files there are, and what all of them say.

In: paths, and the time of a look. Out: a `Look`. Rules: a file that has gone says what it said for a while longer, so
that one that is renamed takes nothing away; a path or a folder that can't be looked at, or in whose place there is
suddenly an empty file system, keeps everything. Blocks on the disk.
"""

import errno
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from nqosd.informers.manifests.file_system import PathListing, list_files
from nqosd.informers.manifests.parsing import Manifest
from nqosd.informers.manifests.paths import Manifests, combine, unreadable
from nqosd.informers.manifests.watched_file import ManifestFile

_OTHER = (
    "another file system than before is there, without a manifest: what was there counts until it is back; if it is "
    "meant to go, restart nqosd"
)


class Look(msgspec.Struct, frozen=True):
    """What the files say now.

    `changed`: other than at the last look. `settled`: nothing is being written. `missing`: a path can't be looked at.
    `whole`: every file has been read to its end at least once.
    """

    manifests: Manifests
    changed: bool
    settled: bool
    missing: bool
    whole: bool


class ManifestFolder:
    """The files at some paths; `still` is how many seconds they must stand still before they take anything away."""

    def __init__(self, paths: Sequence[str], still: float) -> None:
        self._paths = paths
        self._still = still
        self._listings: dict[str, PathListing] = {}
        self._files: dict[str, ManifestFile] = {}
        self._contents: list[Manifest] | None = None
        self._manifests = Manifests({})

    def look(self, now: float) -> Look:
        """Read what has changed and stands still; the first look reads everything."""
        missing = {path: error for path in self._paths if (error := self._list(path)) is not None}
        unlisted = dict(each for listing in self._listings.values() for each in listing.unlisted.items())
        files, going = self._look_at_files(now, (*missing, *unlisted))
        wrong = [unreadable(*each) for each in (missing | unlisted).items()]
        contents = [*(each.says for each in going), *(each.says for each in files), *wrong]
        changed = contents != self._contents
        if changed:
            self._contents, self._manifests = contents, combine(contents)
        self._files = {each.path: each for each in (*going, *files)}
        settled = all(each.is_settled for each in files)
        return Look(self._manifests, changed, settled, bool(missing), all(each.is_whole for each in files))

    def _look_at_files(self, now: float, hidden: Sequence[str]) -> tuple[list[ManifestFile], list[ManifestFile]]:
        """Look at all files that aren't below `hidden`; give those that are there, and those that have just gone."""
        is_first = self._contents is None
        listed = {file: listing.root for listing in self._listings.values() for file in listing.files}
        below = tuple(f"{folder}/" for folder in hidden)
        files, going = [], []
        for path in listed | self._files:
            file = self._files.get(path) or ManifestFile(path, self._still)
            is_hidden = path in hidden or path.startswith(below)
            if is_hidden or (path in listed and file.look(now, listed[path], at_once=is_first)):
                files.append(file)
            elif not file.miss(now):
                going.append(file)
        return files, going

    def _list(self, path: str) -> OSError | None:
        """List the files at a path; the error if that fails, and then those that were there count as being there."""
        try:
            listing = list_files(path)
        except OSError as error:
            return error
        self._listings[path] = _kept(self._listings.get(path, listing), listing)
        return None


def _kept(known: PathListing, listing: PathListing) -> PathListing:
    """Keep what is known of folders that can't be looked at, or in whose place there is another file system."""
    for folder, device in known.devices.items():
        is_other = listing.devices.get(folder, device) != device
        if is_other and known.below(folder) and not listing.below(folder):
            listing.unlisted[folder] = OSError(errno.ENODEV, _OTHER)
    below = tuple(f"{folder}/" for folder in listing.unlisted)
    files = (*listing.files, *(file for file in known.files if file.startswith(below)))
    hidden = {each: device for each, device in known.devices.items() if f"{each}/".startswith(below)}
    return replace(listing, files=files, devices=listing.devices | hidden)
