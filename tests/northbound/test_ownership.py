"""What becomes of rounds when others change the database, before them and under them. The server is real."""

import asyncio
import itertools
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from nqosd.compiler.desired import Desired, PortGroup, RowKey
from nqosd.northbound import commit as writer
from nqosd.northbound import refusals
from nqosd.northbound.plan.operations import SetName
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.real import add_switches, options_of, running
from tests.services.generation import OvnGeneration, every_generation
from tests.services.ovsdb import OvsdbServer

PODS = ("ns_pod1", "ns_pod2", "ns_pod3")


async def test_a_switch_that_vanishes_under_a_transaction(ovsdb_nb: OvsdbServer) -> None:
    """A plan that relies on a switch that is gone writes nothing; the next one waits for the switch."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        before = ovsdb_nb.dump("Address_Set", "QoS")
        ovsdb_nb.nbctl("ls-del", "node1")  # the event loop stands still meanwhile, so the replica doesn't know
        result = await daemon.round(BOTH)
        assert result.outcome is RoundOutcome.REFUSED
        assert "logical switch node1" in result.problem
        assert ovsdb_nb.dump("Address_Set", "QoS") == before
        await daemon.run_until(lambda: daemon.results[-1].settled)
        assert daemon.results[-1].waiting.keys() == {"node1"}


@pytest.mark.parametrize("table", ["QoS", "Address_Set"])
async def test_a_row_that_changes_hands_under_a_transaction(ovsdb_nb: OvsdbServer, table: str) -> None:
    """A row that became somebody else's since the plan was made is not touched."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.transact(
            {"op": "update", "table": table, "where": [], "row": {"external_ids": ["map", [["nqosd.io/owner", "z"]]]}}
        )
        before = ovsdb_nb.dump(table)
        result = await daemon.round(desired())
        assert result.outcome is RoundOutcome.REFUSED
        assert ovsdb_nb.dump(table) == before
        await daemon.run_until(lambda: daemon.results[-1].settled)
        assert ovsdb_nb.dump(table) == before


@every_generation
async def test_edits_by_hand_are_repaired(ovsdb_nb: OvsdbServer) -> None:
    """Rows that somebody changed, detached or attached elsewhere, and sets that somebody emptied, are put right."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.nbctl("set", "QoS", _uuid(ovsdb_nb, VIDEO.match), "priority=1", "bandwidth:rate=5")
        ovsdb_nb.nbctl("add", "Logical_Switch", "node1", "qos_rules", _uuid(ovsdb_nb, VOICE.match))
        ovsdb_nb.nbctl("clear", "Address_Set", "set_b", "addresses")
        await daemon.settle()
        repaired = {subject for result in daemon.results for subject in result.repaired}
        assert repaired == {VIDEO.key, VOICE.key, SetName("set_b")}
        ovsdb_nb.nbctl("clear", "Logical_Switch", "node2", "qos_rules")
        await daemon.settle()
        assert daemon.results[-1].repaired == {VOICE.key}
        assert ovsdb_nb.nbctl("qos-list", "node2").split()[1] == "10000"
        async with running(options_of(ovsdb_nb.unix, lock="another")) as judge:
            assert (await judge.round(BOTH)).outcome is RoundOutcome.UNCHANGED


@every_generation
async def test_pods_that_come_and_go_are_nobody_s_edits(ovsdb_nb: OvsdbServer) -> None:
    """While pods without addresses and their ports come and go nothing is repaired; what a hand takes out is."""
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        churn = asyncio.create_task(_replace_ports(ovsdb_nb))
        turns = itertools.count()
        while not churn.done():
            await daemon.round(_cameras(*PODS[: next(turns) % (len(PODS) + 1)]))
            await asyncio.sleep(0.002)
        await churn
        await daemon.round(_cameras(*PODS))
        await daemon.settle()
        assert [result.repaired for result in daemon.results if result.repaired] == []
        ovsdb_nb.nbctl("clear", "Port_Group", "cameras", "ports")
        await daemon.settle()
        assert daemon.results[-1].repaired == {SetName("cameras")}
        assert "inport == @cameras" in ovsdb_nb.nbctl("qos-list", "node1")


async def test_a_taken_name_is_reported(ovsdb_nb: OvsdbServer) -> None:
    """A set of our name that somebody else has keeps its members; its row waits, others don't, until it is gone."""
    add_switches(ovsdb_nb, "node1", "node2")
    ovsdb_nb.nbctl("create", "Address_Set", "name=set_a", 'addresses="10.9.9.9"')
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        assert (await daemon.round(BOTH)).outcome is RoundOutcome.COMMITTED
        await daemon.run_until(lambda: "set_a" in daemon.results[-1].conflicts)
        assert "wasn't made by nqosd" in daemon.northbound.lacking("games/video").obstacles[0]
        assert "10.9.9.9" in ovsdb_nb.dump("Address_Set")
        assert "$set_b" in ovsdb_nb.nbctl("qos-list", "node2")
        assert ovsdb_nb.nbctl("qos-list", "node1") == ""
        ovsdb_nb.nbctl("destroy", "Address_Set", "set_a")
        await daemon.run_until(lambda: not daemon.results[-1].conflicts)
        assert "$set_a" in ovsdb_nb.nbctl("qos-list", "node1")


@every_generation
async def test_a_row_that_the_server_refuses_delays_no_other(ovsdb_nb: OvsdbServer) -> None:
    """A row with a priority beyond what OVN takes is reported with the server's words; the round writes all others."""
    add_switches(ovsdb_nb, "node1", "node2")
    wrong = desired([replace(VIDEO, priority=40_000), VOICE], [SENDERS, TALKERS])
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        result = await daemon.round(wrong)
        assert (result.outcome, set(result.blocked)) == (RoundOutcome.COMMITTED, {VIDEO.key})
        assert "40000 is not in the valid range 0 to 32767" in daemon.northbound.lacking("games/video").obstacles[0]
        assert "$set_b" in ovsdb_nb.nbctl("qos-list", "node2")
        assert (await daemon.write(BOTH)).blocked == {}
        assert "$set_a" in ovsdb_nb.nbctl("qos-list", "node1")


@every_generation
async def test_text_that_no_database_holds_blocks_its_row(ovsdb_nb: OvsdbServer) -> None:
    """A NUL in the name of a network, on which the server would close the connection, blocks the row that has it."""
    add_switches(ovsdb_nb, "node1", "node2")
    strange = row(RowKey("games/strange", 0, "a\0b", "node1"))
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        result = await daemon.round(desired([VIDEO, VOICE, strange], [SENDERS, TALKERS]))
        assert (result.outcome, set(result.blocked)) == (RoundOutcome.COMMITTED, {strange.key})
        assert "NUL" in daemon.northbound.lacking("games/strange").obstacles[0]
        assert "$set_b" in ovsdb_nb.nbctl("qos-list", "node2")
        assert daemon.facts.synced


@every_generation
async def test_a_refusal_that_names_nobody(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found out only at the commit, such as a name that is taken, is found without reading its words."""
    monkeypatch.setattr(writer, "_named", lambda _text, _operations: None)
    add_switches(ovsdb_nb, "node1")
    ovsdb_nb.transact({"op": "insert", "table": "Address_Set", "row": {"name": "set_37"}})
    sets = [address_set(f"set_{number}", "10.0.0.1") for number in range(50)]
    rows = [row(key(f"games/p{number}"), source=f"set_{number}") for number in range(50)]
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        assert (await daemon.round(desired(rows, sets))).outcome is RoundOutcome.COMMITTED
        assert len(ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split()) == 49
        await daemon.run_until(lambda: "set_37" in daemon.results[-1].conflicts and not daemon.results[-1].blocked)
        assert "wasn't made by nqosd" in daemon.northbound.lacking("games/p37").obstacles[0]


@every_generation
async def test_a_wider_schema_ends_every_pause(
    ovn_generation: OvnGeneration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a schema refused is tried again as soon as there is a new connection, however long it should have waited."""
    monkeypatch.setattr(refusals, "FIRST_DELAY", refusals.LAST_DELAY)
    wide = ovn_generation.schema("nb")
    narrow = json.loads(wide.read_text())
    narrow["tables"]["QoS"]["columns"]["priority"]["type"]["key"]["maxInteger"] = VIDEO.priority
    del narrow["cksum"]
    schema = tmp_path / "narrow.ovsschema"
    schema.write_text(json.dumps(narrow))
    state = desired([VIDEO, replace(VOICE, priority=VIDEO.priority + 1)], [SENDERS, TALKERS])
    with OvsdbServer(ovn_generation, "nb") as server:
        add_switches(server, "node1", "node2")
        client = ovn_generation.program("ovsdb-client")
        server.run([client, "convert", server.unix, str(schema)])
        async with running(options_of(server.unix)) as daemon:
            assert set((await daemon.write(state)).blocked) == {VOICE.key}
            server.run([client, "convert", server.unix, str(wide)])
            await daemon.run_until(lambda: "$set_b" in server.nbctl("qos-list", "node2"))
            await daemon.run_until(lambda: not daemon.results[-1].blocked)


async def test_a_backup_blames_nobody(ovn_generation: OvnGeneration) -> None:
    """A server that only follows another one refuses everything, and no object is blocked; later it takes everything.

    That of OVN 23.03 refuses the lock already.
    """
    with OvsdbServer(ovn_generation, "nb", tcp=True, name="active") as active:
        add_switches(active, "node1", "node2")
        with OvsdbServer(ovn_generation, "nb", name="backup") as backup:
            backup.appctl("ovsdb-server/set-active-ovsdb-server", active.tcp)
            backup.appctl("ovsdb-server/connect-active-ovsdb-server")
            async with running(options_of(backup.unix)) as daemon:
                await daemon.run_until(lambda: "node2" in backup.nbctl("ls-list"))
                result = await daemon.round(BOTH)
                assert (result.outcome, result.blocked) == (RoundOutcome.REFUSED, {})
                assert "read only" in result.problem
                backup.appctl("ovsdb-server/disconnect-active-ovsdb-server")
                await daemon.run_until(lambda: daemon.results[-1].settled)
                assert [each.blocked for each in daemon.results if each.blocked] == []
                assert "$set_b" in backup.nbctl("qos-list", "node2")


def _cameras(*pods: str) -> Desired:
    """Return a rule whose senders are these pods; without pods there is no row."""
    cameras = row(key("games/cameras"), source="group_a")
    cameras = replace(cameras, match="inport == @cameras && ip", sets=("cameras",))
    return desired([cameras], groups=[PortGroup("cameras", "cameras", set(pods))]) if pods else desired()


async def _replace_ports(server: OvsdbServer) -> None:
    """Delete and make ports again and again, now in one transaction and now in two."""
    for number in range(40):
        port = PODS[number % len(PODS)]
        commands = ["--if-exists", "lsp-del", port], ["lsp-add", "node1", port]
        if number % 2:
            await asyncio.to_thread(server.nbctl, *commands[0], "--", *commands[1])
        else:
            for command in commands:
                await asyncio.to_thread(server.nbctl, *command)


def _uuid(server: OvsdbServer, match: str) -> str:
    """Return the uuid of the row with a match."""
    return server.nbctl("--bare", "--columns=_uuid", "find", "QoS", f'match="{match}"').strip()
