"""How the cache of installed programs behaves."""

import threading
from pathlib import Path

import pytest

from tests.services.install import cache, debian, golang
from tests.services.install.cache import Entry, InstallError
from tests.services.install.command import run


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a cache of its own."""
    monkeypatch.setenv("TESTS_CACHE", str(tmp_path))


def test_an_entry_is_made_once() -> None:
    """A second installation finds the first and does nothing."""
    made: list[Path] = []
    entry = Entry("part", "thing", "key", "Thing", lambda partial, _final: made.append(partial))
    entry.install()
    entry.install()
    assert len(made) == 1
    assert entry.require() == entry.directory


def test_two_installations_at_once_make_one_entry() -> None:
    """The second of two runs at the same time waits for the first and takes its result."""
    made: list[Path] = []
    entered, go_on = threading.Event(), threading.Event()

    def make(partial: Path, _final: Path) -> None:
        entered.set()
        assert go_on.wait(10)
        made.append(partial)

    entry = Entry("part", "thing", "key", "Thing", make)
    runs = [threading.Thread(target=entry.install) for _ in range(2)]
    for thread in runs:
        thread.start()
    assert entered.wait(10)
    go_on.set()
    for thread in runs:
        thread.join(10)
    assert len(made) == 1


def test_a_failed_installation_leaves_nothing(tmp_path: Path) -> None:
    """An entry that could not be made isn't there, not even in part."""

    def make(partial: Path, _final: Path) -> None:
        (partial / "half").touch()
        raise InstallError("no more disk")

    entry = Entry("part", "thing", "key", "Thing", make)
    with pytest.raises(InstallError, match="no more disk"):
        entry.install()
    assert [found.name for found in tmp_path.iterdir() if found.is_dir()] == []


def test_what_is_missing_names_the_command_that_installs_it() -> None:
    """Asking for a program that isn't installed says how to install it."""
    with pytest.raises(InstallError, match=r"python3 -m tests\.services\.install ovn-new$"):
        debian.entry("25.03").require()
    with pytest.raises(InstallError, match=r"python3 -m tests\.services\.install kubernetes$"):
        golang.etcd().require()


def test_a_key_depends_on_every_input_and_on_where_it_ends() -> None:
    """Two lists of inputs have the same key only if they are equal."""
    keys = {cache.key_of(inputs) for inputs in ([b"a", b"b"], [b"ab"], [b"a"], [b"b", b"a"], [b"ab", b""])}
    assert len(keys) == 5


def test_a_command_that_fails_is_explained() -> None:
    """The error of a failed step carries the command, its exit code and what it said."""
    with pytest.raises(InstallError, match=r"(?s)exited with 7 and said:\nout of luck"):
        run(["sh", "-c", "echo out of luck >&2; exit 7"])
    with pytest.raises(InstallError, match="'no-such-program' is needed and is not on PATH"):
        run(["no-such-program"])
