"""A table is followed as it is in a real database, over changes and restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from nqosd.ovsdb import wire
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.remotes import Remote
from nqosd.statistics.mirror import Mirror, MonitorRequest
from nqosd.statistics.table_rows import Row
from tests.services.ovsdb import OvsdbServer
from tests.services.tls import Authority

OURS = ["external_ids", "includes", wire.string_map({"owner": "us"})]
QUESTION = MonitorRequest("OVN_Northbound", "Address_Set", ("external_ids",), ("name",), (OURS,))


@contextlib.asynccontextmanager
async def following(mirror: Mirror) -> AsyncIterator[None]:
    """Let a mirror run."""
    task = asyncio.create_task(mirror.run())
    try:
        async with asyncio.timeout(20):
            await mirror.filled.wait()
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; the context of `following` sets the time."""
    while not condition():  # noqa: ASYNC110 - a test looks, nothing tells it
        await asyncio.sleep(0.02)


def add(server: OvsdbServer, name: str, owner: str = "us") -> None:
    """Add a row."""
    server.nbctl("create", "Address_Set", f"name={name}", f"external_ids:owner={owner}", "external_ids:n=1")


async def test_rows_are_those_of_the_database(ovsdb_nb: OvsdbServer) -> None:
    """Rows come, change in both kinds of columns and go; rows that no condition picks are never there."""
    add(ovsdb_nb, "first")
    add(ovsdb_nb, "other", owner="them")
    mirror = Mirror([Remote(ovsdb_nb.unix)], QUESTION)
    async with following(mirror):
        assert list(mirror.rows.values()) == [Row({"external_ids": {"owner": "us", "n": "1"}}, {"name": "first"})]
        add(ovsdb_nb, "second")
        await until(lambda: len(mirror.rows) == 2)
        ovsdb_nb.nbctl("set", "Address_Set", "first", "external_ids:n=2", "external_ids:more=x", "name=renamed")
        await until(lambda: "renamed" in {row.values["name"] for row in mirror.rows.values()})
        changed = next(row for row in mirror.rows.values() if row.values["name"] == "renamed")
        assert changed.maps["external_ids"] == {"owner": "us", "n": "2", "more": "x"}
        ovsdb_nb.nbctl("destroy", "Address_Set", "second")
        await until(lambda: len(mirror.rows) == 1)


async def test_a_database_that_is_away_takes_nothing(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server is down the rows stay, with a word why; then they are what it holds by now."""
    monkeypatch.setattr("nqosd.statistics.mirror.RETRY", 0.1)
    add(ovsdb_nb, "first")
    said: list[str] = []
    mirror = Mirror([Remote("unix:/nonexistent/nb.sock"), Remote(ovsdb_nb.unix)], QUESTION, changed=said.append)
    async with following(mirror):
        assert said[0].startswith("unix:/nonexistent/nb.sock: ")
        assert said[1:] == [""]
        ovsdb_nb.stop()
        await until(lambda: "closed the connection" in said[-1] or "No such file" in said[-1])
        assert [row.values["name"] for row in mirror.rows.values()] == ["first"]
        ovsdb_nb.start()
        ovsdb_nb.nbctl("destroy", "Address_Set", "first")
        add(ovsdb_nb, "second")
        await until(lambda: [row.values["name"] for row in mirror.rows.values()] == ["second"])


async def test_a_silent_server_is_given_up(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stands still is asked for a sign of life, and then left."""
    monkeypatch.setattr("nqosd.statistics.mirror.SILENCE", 0.3)
    said: list[str] = []
    mirror = Mirror([Remote(ovsdb_nb.unix)], QUESTION, changed=said.append)
    async with following(mirror):
        await asyncio.sleep(1)
        assert said == [""]  # it answers, so nothing is given up
        ovsdb_nb.pause()
        try:
            await until(lambda: "silent for 0.6 s" in said[-1])
        finally:
            ovsdb_nb.resume()


async def test_tls(tmp_path: Path) -> None:
    """Over TLS, with a certificate of the database's authority."""
    authority = Authority(tmp_path)
    mine = authority.issue("client")
    tls = TlsFiles(mine.key, mine.certificate, mine.authority)
    with OvsdbServer(credentials=authority.issue("server")) as server:
        add(server, "first")
        mirror = Mirror([Remote(server.ssl)], QUESTION, tls)
        async with following(mirror):
            assert len(mirror.rows) == 1
