"""A folder of manifests that is watched."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from nqosd.api.changes import ResourceKind
from nqosd.informers.manifests.folders import Look, ManifestFolder
from nqosd.informers.manifests.source import MOST_SAID, ManifestOptions, ManifestSource
from tests.informers.listening import Counter, Listener
from tests.informers.test_manifests import namespace, value

QUICK = ManifestOptions(interval=0.02, settling=0.01, still=0.1, confirm=0.2, grace=0.3, read_timeout=0.2)
BROKEN = "kind: ["


@asynccontextmanager
async def running(
    *paths: Path, counter: Counter | None = None, say: Callable[[str], None] = print, options: ManifestOptions = QUICK
) -> AsyncIterator[Listener]:
    """Run a source beside the test."""
    listener = Listener()
    task = asyncio.create_task(ManifestSource(paths, options=options, observer=counter, say=say).run(listener))
    try:
        yield listener
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def names(listener: Listener) -> list[str]:
    """Give the namespaces that are there."""
    return sorted(listener.tables[ResourceKind.NAMESPACE])


async def test_a_folder_is_told_and_then_every_difference(tmp_path: Path) -> None:
    """All kinds are synced after the first look; added, changed and removed objects are told one by one."""
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\n" + namespace("b"))
    counter = Counter()
    async with running(tmp_path, counter=counter) as listener:
        await listener.until_synced(*ResourceKind)
        assert names(listener) == ["a", "b"]
        assert counter.lists == [(kind, 2 if kind is ResourceKind.NAMESPACE else 0) for kind in ResourceKind]
        before = len(listener.changes)
        (tmp_path / "a.yaml").write_text(namespace("a", "red") + "---\n" + namespace("b"))
        await listener.until(lambda: len(listener.changes) > before, "changed")
        (tmp_path / "c.yaml").write_text(namespace("c"))
        await listener.until(lambda: "c" in names(listener), "added")
        (tmp_path / "a.yaml").unlink()
        await listener.until(lambda: names(listener) == ["c"], "removed")
    kind = ResourceKind.NAMESPACE
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
            await listener.until_synced(*ResourceKind)
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
            await listener.until_synced(*ResourceKind)
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
        await listener.until_synced(*ResourceKind)


async def test_a_file_that_is_broken_at_the_start_is_waited_for_a_little(tmp_path: Path) -> None:
    """It may be in the middle of being written; what could be read is told, "synced" comes after the grace."""
    (tmp_path / "a.yaml").write_text(namespace("a") + "---\n" + BROKEN)
    async with running(tmp_path) as listener:
        await listener.until(lambda: names(listener) == ["a"], "read as far as it parses")
        assert listener.synced_kinds == []
        assert await listener.until_synced(*ResourceKind) > QUICK.grace / 3


async def test_a_file_that_is_mended_in_time_is_synced_at_once(tmp_path: Path) -> None:
    """The grace ends with the last broken file."""
    (tmp_path / "a.yaml").write_text(BROKEN)
    async with running(tmp_path, options=replace(QUICK, grace=600.0)) as listener:
        await asyncio.sleep(QUICK.interval)
        (tmp_path / "a.yaml").write_text(namespace("a"))
        await listener.until_synced(*ResourceKind)
        assert names(listener) == ["a"]


async def test_a_doubled_object_is_warned_about_once(tmp_path: Path) -> None:
    """The warning comes again only if it had gone in between."""
    (tmp_path / "a.yaml").write_text(namespace("a"))
    with capture_logs() as lines:
        async with running(tmp_path) as listener:
            await listener.until_synced(*ResourceKind)
            (tmp_path / "b.yaml").write_text(namespace("a", "red"))
            await listener.until(lambda: listener.tables[ResourceKind.NAMESPACE]["a"] == value("a", "red"), "told")
            await asyncio.sleep(10 * QUICK.interval)
            (tmp_path / "b.yaml").unlink()
            await listener.until(lambda: listener.tables[ResourceKind.NAMESPACE]["a"] == value("a"), "told")
            (tmp_path / "b.yaml").write_text(namespace("a", "red"))
            await listener.until(lambda: len(lines) > 1, "warned again")
    assert [line["event"] for line in lines] == ["manifest warning"] * 2


def many(number: int) -> str:
    """Give a manifest of namespaces."""
    return "---\n".join(namespace(f"n{each}") for each in range(number))


async def test_what_takes_away_most_is_believed_after_some_seconds(tmp_path: Path) -> None:
    """Where more than half of the objects of a kind would go, and more than ten, nothing goes until that has lasted."""
    file, said = tmp_path / "a.yaml", list[str]()
    file.write_text(many(30))
    async with running(tmp_path, say=said.append) as listener:
        await listener.until_synced(*ResourceKind)
        file.write_text(many(14))
        await listener.until(
            lambda: any("Namespace: 16 of 30 objects that are known" in each for each in said), "doubted"
        )
        assert len(names(listener)) == 30
        await listener.until(lambda: len(names(listener)) == 14, "believed")
        await listener.until(lambda: said[-1] == "", "ready")


async def test_what_comes_back_in_time_was_never_away(tmp_path: Path) -> None:
    """A doubt ends without a change when the objects are there again."""
    file, said = tmp_path / "a.yaml", list[str]()
    file.write_text(many(30))
    async with running(tmp_path, say=said.append, options=replace(QUICK, confirm=60.0)) as listener:
        await listener.until_synced(*ResourceKind)
        file.unlink()
        await listener.until(lambda: "30 of 30" in said[-1], "doubted")
        file.write_text(many(31))
        await listener.until(lambda: len(names(listener)) == 31, "there again")
    assert [change for change in listener.changes if change.new is None] == []


async def test_what_is_wrong_is_said_until_it_is_mended(tmp_path: Path) -> None:
    """The sentence for /readyz names the first problem and the number of others; the log bounds their number."""
    said = list[str]()
    (tmp_path / "a.yaml").write_text(namespace("a"))
    for number in range(MOST_SAID + 5):
        (tmp_path / f"bad{number:02}.yaml").write_text(BROKEN)
    with capture_logs() as lines:
        async with running(tmp_path, say=said.append) as listener:
            await listener.until_synced(*ResourceKind)
            assert said[-1].startswith(f"{tmp_path}/bad00.yaml:1: document 1: not YAML")
            assert said[-1].endswith(f", and {MOST_SAID + 4} more")
            for number in range(MOST_SAID + 5):
                (tmp_path / f"bad{number:02}.yaml").unlink()
            await listener.until(lambda: said[-1] == "", "mended")
    assert names(listener) == ["a"]
    assert len(lines) == MOST_SAID + 1
    assert lines[-1]["more"] == 5


async def test_a_file_system_that_hangs_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks happen beside the event loop; one that doesn't end is said, and what was known stays."""
    hangs, goes_on, said = threading.Event(), threading.Event(), list[str]()
    look = ManifestFolder.look

    def slow(folder: ManifestFolder, now: float) -> Look:
        if hangs.is_set():
            goes_on.wait(60)
        return look(folder, now)

    monkeypatch.setattr(ManifestFolder, "look", slow)
    (tmp_path / "a.yaml").write_text(namespace("a"))
    async with running(tmp_path, say=said.append) as listener:
        try:
            await listener.until_synced(*ResourceKind)
            hangs.set()
            await listener.until(lambda: "a file system may hang" in said[-1], "said")
            assert names(listener) == ["a"]
        finally:
            hangs.clear()
            goes_on.set()
        await listener.until(lambda: said[-1] == "", "over")


async def test_everything_is_looked_at_again_on_request(tmp_path: Path) -> None:
    """It is over with a look that began a while after the request, and found everything standing still."""
    folder = tmp_path / "folder"
    folder.mkdir()
    listener = Listener()
    source = ManifestSource([folder], options=QUICK)
    task = asyncio.create_task(source.run(listener))
    await listener.until_synced(*ResourceKind)
    shutil.rmtree(folder)
    again = asyncio.create_task(source.list_again("why"))
    await asyncio.sleep(2 * QUICK.confirm)
    assert not again.done()
    folder.mkdir()
    (folder / "a.yaml").write_text(namespace("a"))
    await again
    assert names(listener) == ["a"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
