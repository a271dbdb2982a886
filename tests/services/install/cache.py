"""The cache of installed programs, outside the repository.

In: an entry (a name, the inputs that it is made from, the directions to make it). Out: `CACHE/<name>-<key>/`, complete.
The rule: an entry is made in a directory of its own and renamed at the end, so whatever has the final name is whole.
"""

import dataclasses
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

KEY_LENGTH = 12


class InstallError(Exception):
    """Something that the tests need could not be installed; the message says what and how to go on."""


def root() -> Path:
    """Return the cache: `$TESTS_CACHE`, or `nqosd` in the user's cache directory."""
    if chosen := os.environ.get("TESTS_CACHE"):
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nqosd"


def key_of(inputs: Iterable[bytes]) -> str:
    """Return the part of an entry's name that changes with any of its inputs."""
    digest = hashlib.sha256()
    for part in inputs:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:KEY_LENGTH]


def say(message: str) -> None:
    """Tell the person who waits what is going on."""
    print(f"[services] {message}", file=sys.stderr, flush=True)  # noqa: T201 (this is a command's own output)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One directory of the cache.

    `part` is the argument of the install command that makes it, `name` and `key` its directory, `title` what a person
    calls it, and `make(directory, final)` fills the empty `directory`, which will be renamed to `final`.
    """

    part: str
    name: str
    key: str
    title: str
    make: Callable[[Path, Path], None]

    @property
    def directory(self) -> Path:
        """The final place, whether it is installed or not."""
        return root() / f"{self.name}-{self.key}"

    def require(self) -> Path:
        """Return the directory.

        Raises:
            InstallError: it isn't installed; names the command that installs it.
        """
        if not self.directory.is_dir():
            raise InstallError(
                f"{self.title} is not installed: {self.directory} is missing. "
                f"Run: python3 -m tests.services.install {self.part}"
            )
        return self.directory

    def install(self) -> None:
        """Make the entry, unless it is there; a second run at the same time waits for the first.

        Raises:
            InstallError: a step failed.
        """
        if self.directory.is_dir():
            say(f"{self.title}: there ({self.directory})")
            return
        root().mkdir(parents=True, exist_ok=True)
        with (root() / f"{self.directory.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"{self.title}: another run is installing it; waiting for that one")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.directory.is_dir():
                self._make()

    def _make(self) -> None:
        partial = root() / f"{self.directory.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
        partial.mkdir()
        started = time.monotonic()
        try:
            self.make(partial, self.directory)
            partial.rename(self.directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        say(f"{self.title}: installed in {time.monotonic() - started:.1f} s ({self.directory})")
