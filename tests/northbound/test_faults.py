"""What becomes of rounds when the server fails, hangs or isn't the right one. All servers are real."""

import asyncio
import time
from pathlib import Path

from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired
from tests.northbound.real import Daemon, add_switches, dump_ours, options_of, running
from tests.services.generation import every_generation
from tests.services.ovsdb import OvsdbServer

OTHER = desired([VIDEO, VOICE], [address_set("set_a", "10.0.0.9"), TALKERS])
"""Like BOTH, but for the members of one set."""


@every_generation
async def test_a_killed_server_comes_back(ovsdb_nb: OvsdbServer) -> None:
    """What is desired while the server is away is written when it is back, in one transaction, and only that."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.kill()
        await daemon.run_until(lambda: not daemon.facts.connected)
        assert (await daemon.round(OTHER)).outcome is RoundOutcome.DISCONNECTED
        daemon.watcher.transactions.clear()
        ovsdb_nb.start()
        await daemon.run_until(lambda: daemon.results[-1].settled)
        assert daemon.watcher.transactions == [(RoundOutcome.COMMITTED, {"wait": 1, "set_mutate": 1})]
        assert await daemon.settle() == []
    assert "10.0.0.9" in dump_ours(ovsdb_nb)


async def test_a_server_comes_back_with_an_empty_database(ovsdb_nb: OvsdbServer) -> None:
    """After the database was lost everything is written anew, as soon as the switches are there, and is no repair."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.restart(keep_database=False)
        await daemon.run_until(lambda: daemon.results[-1].waiting.keys() == {"node1", "node2"})
        add_switches(ovsdb_nb, "node1", "node2")
        await daemon.run_until(lambda: not daemon.results[-1].waiting)
        assert await daemon.settle() == []
        assert not any(result.repaired for result in daemon.results)
    assert "$set_a" in ovsdb_nb.nbctl("qos-list", "node1")


async def test_a_server_killed_under_a_transaction(ovsdb_nb: OvsdbServer) -> None:
    """A transaction that the server takes to its grave ends at once, and its contents are written when it is back."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.pause()
        in_flight = asyncio.create_task(daemon.round(OTHER))
        await asyncio.sleep(0.1)
        ovsdb_nb.kill()
        assert (await asyncio.wait_for(in_flight, 2)).outcome is RoundOutcome.DISCONNECTED
        ovsdb_nb.start()
        await daemon.run_until(lambda: daemon.results[-1].settled)
    assert "10.0.0.9" in dump_ours(ovsdb_nb)


async def test_a_frozen_server_is_noticed(ovsdb_nb: OvsdbServer) -> None:
    """A server that hangs is given up after two probe intervals, on a unix socket too, and used when it goes on."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.pause()
        begun = time.monotonic()
        await daemon.wait_until(lambda: not daemon.facts.synced)
        assert time.monotonic() - begun < 3.5
        assert daemon.facts.problem == "no sign of life for 2 s"
        ovsdb_nb.resume()
        await daemon.wait_until(lambda: daemon.facts.lock_held)
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED


async def test_a_transaction_without_an_answer_is_given_up(ovsdb_nb: OvsdbServer) -> None:
    """A transaction has its time; if the server carries it out too late, it is neither lost nor done twice."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix, transaction_timeout=0.3, probe_interval=60.0)) as daemon:
        ovsdb_nb.pause()
        result = await daemon.round(BOTH)
        assert (result.outcome, result.problem) == (RoundOutcome.TIMED_OUT, "no answer to a transaction within 0.3 s")
        ovsdb_nb.resume()
        await daemon.run_until(lambda: daemon.results[-1].settled)
        await daemon.settle()
        assert len(ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split()) == 2


async def test_a_schema_without_a_column_is_named(ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """A server whose schema lacks a column is not used, and the problem names both; after an upgrade it is used."""
    schema = ovsdb_nb.generation.schema("nb").read_text()
    old = tmp_path / "old.ovsschema"
    old.write_text(schema.replace('"bandwidth": {', '"bandwith": {'))
    ovsdb_nb.stop()
    ovsdb_nb.file.unlink()
    ovsdb_nb.run([ovsdb_nb.generation.program("ovsdb-tool"), "create", str(ovsdb_nb.file), str(old)])
    ovsdb_nb.start()
    daemon = Daemon(options_of(ovsdb_nb.unix))
    await daemon.northbound.start()
    try:
        await daemon.wait_until(lambda: "QoS.bandwidth" in daemon.facts.problem)
        assert "version 7." in daemon.facts.problem
        assert (await daemon.round(BOTH)).outcome is RoundOutcome.DISCONNECTED
        client = ovsdb_nb.generation.program("ovsdb-client")
        ovsdb_nb.run([client, "convert", ovsdb_nb.unix, str(ovsdb_nb.generation.schema("nb"))])
        await daemon.wait_until(lambda: daemon.facts.lock_held)
    finally:
        await daemon.northbound.close()


async def test_a_server_of_another_database_is_named() -> None:
    """A server without a Northbound database is not used, and the problem says so."""
    with OvsdbServer(schema="sb") as server:
        daemon = Daemon(options_of(server.unix))
        await daemon.northbound.start()
        try:
            await daemon.wait_until(lambda: "OVN_Northbound" in daemon.facts.problem)
        finally:
            await daemon.northbound.close()
