"""A folder of manifests that is watched."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nqosd.informers.changes import Kind
from nqosd.informers.manifest_source import ManifestFolder, ManifestOptions, ManifestSource
from tests.informers.listening import Counter, Listener
from tests.informers.test_manifests import namespace, value

QUICK = ManifestOptions(interval=0.02, settling=0.01, grace=0.3)
BROKEN = "kind: ["


@asynccontextmanager
async def running(*paths: Path, counter: Counter | None = None) -> AsyncIterator[Listener]:
    """Run a source beside the test."""
    listener = Listener()
    task = asyncio.create_task(ManifestSource(paths, options=QUICK, observer=counter).run(listener))
    try:
        yield listener
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def names(listener: Listener) -> list[str]:
    """Give the namespaces that are there."""
    return sorted(listener.tables[Kind.NAMESPACE])


async def test_a_folder_is_told_and_then_every_difference(tmp_path: Path) -> None:
    """All kinds are synced after the first look; added, changed and removed objects are told one by one."""
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\n" + namespace("b"))
    counter = Counter()
    async with running(tmp_path, counter=counter) as listener:
        await listener.until_synced(*Kind)
        assert names(listener) == ["a", "b"]
        assert counter.lists == [(kind, 2 if kind is Kind.NAMESPACE else 0) for kind in Kind]
        before = len(listener.changes)
        (tmp_path / "a.yaml").write_text(namespace("a", "red") + "---\n" + namespace("b"))
        await listener.until(lambda: len(listener.changes) > before, "changed")
        (tmp_path / "c.yaml").write_text(namespace("c"))
        await listener.until(lambda: "c" in names(listener), "added")
        (tmp_path / "a.yaml").unlink()
        await listener.until(lambda: names(listener) == ["c"], "removed")
    kind = Kind.NAMESPACE
    assert [(change.old, change.new) for change in listener.changes[before:]] == [
        (value("a"), value("a", "red")),
        (None, value("c")),
        (value("a", "red"), None),
        (value("b"), None),
    ]
    assert {change.kind for change in listener.changes} == {kind}
    assert all(change.seen > 0 for change in listener.changes)
    assert counter.received[kind] == len(listener.changes)


async def test_a_broken_file_keeps_its_last_good_content(tmp_path: Path) -> None:
    """Nothing is deleted while a file doesn't parse; it is reported once, and read again when it changes."""
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a"))
    with capture_logs() as lines:
        async with running(tmp_path) as listener:
            await listener.until_synced(*Kind)
            file.write_text(namespace("b") + "---\n" + BROKEN)
            await listener.until(lambda: len(lines) > 0, "reported")
            await asyncio.sleep(10 * QUICK.interval)
            assert names(listener) == ["a"]
            file.write_text(namespace("b"))
            await listener.until(lambda: names(listener) == ["b"], "mended")
    assert [(line["log_level"], line["event"]) for line in lines] == [("error", "manifest problem")]
    assert f"{file}:3: document 2: not YAML" in lines[0]["problem"]


async def test_a_path_that_is_gone_keeps_everything(tmp_path: Path) -> None:
    """A folder that is unmounted or replaced deletes nothing; when it is back, its differences are told."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.yaml").write_text(namespace("a"))
    with capture_logs() as lines:
        async with running(folder) as listener:
            await listener.until_synced(*Kind)
            shutil.rmtree(folder)
            await listener.until(lambda: len(lines) > 0, "reported")
            await asyncio.sleep(10 * QUICK.interval)
            assert names(listener) == ["a"]
            folder.mkdir()
            await listener.until(lambda: names(listener) == [], "empty")
    assert [line["problem"] for line in lines] == [f"{folder}: can't be read: No such file or directory"]


async def test_a_missing_path_is_waited_for(tmp_path: Path) -> None:
    """A path that was never there doesn't count as empty, however long it takes."""
    folder = tmp_path / "folder"
    async with running(folder) as listener:
        await asyncio.sleep(2 * QUICK.grace)
        assert listener.synced_kinds == []
        folder.mkdir()
        await listener.until_synced(*Kind)


async def test_a_file_that_is_broken_at_the_start_is_waited_for_a_little(tmp_path: Path) -> None:
    """It may be in the middle of being written; what could be read is told, "synced" comes after the grace."""
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\n" + BROKEN)
    async with running(tmp_path) as listener:
        await listener.until(lambda: names(listener) == ["a"], "read as far as it parses")
        assert listener.synced_kinds == []
        assert await listener.until_synced(*Kind) > QUICK.grace / 3


async def test_a_file_that_is_mended_in_time_is_synced_at_once(tmp_path: Path) -> None:
    """The grace ends with the last broken file."""
    (tmp_path / "a.yaml").write_text(BROKEN)
    async with running(tmp_path) as listener:
        await asyncio.sleep(QUICK.interval)
        (tmp_path / "a.yaml").write_text(namespace("a"))
        await listener.until_synced(*Kind)
        assert names(listener) == ["a"]


async def test_a_doubled_object_is_warned_about_once(tmp_path: Path) -> None:
    """The warning comes again only if it had gone in between."""
    (tmp_path / "a.yaml").write_text(namespace("a"))
    with capture_logs() as lines:
        async with running(tmp_path) as listener:
            await listener.until_synced(*Kind)
            (tmp_path / "b.yaml").write_text(namespace("a", "red"))
            await listener.until(lambda: listener.tables[Kind.NAMESPACE]["a"] == value("a", "red"), "told")
            await asyncio.sleep(10 * QUICK.interval)
            (tmp_path / "b.yaml").unlink()
            await listener.until(lambda: listener.tables[Kind.NAMESPACE]["a"] == value("a"), "told")
            (tmp_path / "b.yaml").write_text(namespace("a", "red"))
            await listener.until(lambda: len(lines) > 1, "warned again")
    assert [line["event"] for line in lines] == ["manifest warning"] * 2


def test_a_file_is_read_when_it_stands_still(tmp_path: Path) -> None:
    """A file that an editor has emptied, and is about to write, deletes nothing."""
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a"))
    folder = ManifestFolder([tmp_path])
    assert folder.look().settled
    file.write_text("")
    look = folder.look()
    assert not look.settled
    assert not look.changed
    file.write_text(namespace("a", "red"))
    assert folder.look().manifests.objects == {(Kind.NAMESPACE, "a"): value("a")}
    look = folder.look()
    assert (look.settled, look.changed) == (True, True)
    assert look.manifests.objects == {(Kind.NAMESPACE, "a"): value("a", "red")}


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path) -> None:
    """A look at a folder that stands still says so, and gives the same result."""
    (tmp_path / "a.yaml").write_text(namespace("a"))
    folder = ManifestFolder([tmp_path])
    first, second = folder.look(), folder.look()
    assert (first.changed, second.changed) == (True, False)
    assert first.manifests is second.manifests
