"""What rounds write to a real database, and that they write no more."""

import asyncio
import time

import pytest

from nqosd.compiler.desired import AddressSet, Delta, Desired, Members, PortGroup
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.real import add_switches, dump_ours, options_of, running
from tests.services.generation import every_generation, every_installed_generation
from tests.services.ovsdb import OvsdbServer


@every_generation
async def test_rows_appear_as_desired(ovsdb_nb: OvsdbServer) -> None:
    """Rows, sets and attachments are in the database as ovn-nbctl shows them, after one transaction."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        assert [outcome for outcome, _ in daemon.watcher.transactions] == [RoundOutcome.COMMITTED]
    assert ovsdb_nb.nbctl("qos-list", "node1").split("\n")[0].split() == [
        "to-lport", "10000", "(ip4.src", "==", "$set_a)", "rate=20000", "dscp=20",
    ]  # fmt: skip
    (found,) = ovsdb_nb.transact(
        {"op": "select", "table": "Address_Set", "where": [["name", "==", "set_a"]], "columns": ["addresses"]}
    )
    assert found == {"rows": [{"addresses": ["set", ["10.0.0.1", "10.0.0.2"]]}]}


@every_generation
async def test_a_restart_writes_nothing(ovsdb_nb: OvsdbServer) -> None:
    """A daemon that starts on a database that is right sends no transaction, and neither does a further round."""
    add_switches(ovsdb_nb, "node1", "node2")
    ovsdb_nb.transact({"op": "insert", "table": "Logical_Switch_Port", "row": {"name": "x"}})
    group = PortGroup("group_a", "ports", set())
    state = desired([VIDEO, VOICE], [SENDERS, TALKERS], [group])
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(state)
    before = dump_ours(ovsdb_nb)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        assert (await daemon.round(state)).outcome is RoundOutcome.UNCHANGED
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
        assert await daemon.settle() == []
        assert daemon.watcher.transactions == []
    assert dump_ours(ovsdb_nb) == before


async def test_one_address_is_one_mutation(ovsdb_nb: OvsdbServer) -> None:
    """An address more in a set of 10,000 is one transaction with one guard and one mutation."""
    add_switches(ovsdb_nb, "node1")
    many = {f"10.{i >> 8}.{i & 255}.1" for i in range(10_000)}
    state = Desired({VIDEO.key: VIDEO}, {"set_a": AddressSet("set_a", "many", many)}, {})
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(state)
        daemon.watcher.transactions.clear()
        many.add("10.255.0.1")
        await daemon.northbound.reconcile(state, Delta(sets={"set_a": Members(added={"10.255.0.1"})}))
        assert await daemon.settle() == []
        assert daemon.watcher.transactions == [(RoundOutcome.COMMITTED, {"wait": 1, "set_mutate": 1})]
    assert "10.255.0.1" in ovsdb_nb.dump("Address_Set")


async def test_a_thousand_rows_are_one_transaction(ovsdb_nb: OvsdbServer) -> None:
    """1,000 rows with their sets on ten switches go in one transaction, and a second round has nothing to do."""
    add_switches(ovsdb_nb, *(f"node{i}" for i in range(10)))
    sets = [address_set(f"set_{i}", f"10.0.{i >> 8}.{i & 255}") for i in range(1000)]
    rows = [row(key(f"games/p{i}", switch=f"node{i % 10}"), source=f"set_{i}") for i in range(1000)]
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(desired(rows, sets))
        assert daemon.watcher.transactions == [
            (RoundOutcome.COMMITTED, {"wait": 10, "set_insert": 1000, "row_insert": 1000, "switch_mutate": 10})
        ]
        assert await daemon.settle() == []
    assert len(ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split()) == 1000


async def test_everything_goes_when_nothing_is_desired(ovsdb_nb: OvsdbServer) -> None:
    """Taking everything back leaves no row, no set and no reference of ours."""
    add_switches(ovsdb_nb, "node1", "node2")
    empty = dump_ours(ovsdb_nb)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        await daemon.write(desired())
    assert dump_ours(ovsdb_nb) == empty


async def test_rows_of_others_stay_byte_for_byte(ovsdb_nb: OvsdbServer) -> None:
    """Rows of others on the same switches, one with our keys and another owner among them, are the same afterwards."""
    ovsdb_nb.nbctl("ls-add", "node1", "--", "ls-add", "node2")
    ovsdb_nb.nbctl("qos-add", "node1", "to-lport", "10000", "ip4.src == $set_a", "dscp=20", "rate=20000")
    ids = [["nqosd.io/owner", "other"], ["nqosd.io/policy", "games/video"], ["nqosd.io/rule", "0"],
           ["nqosd.io/network", "default"], ["nqosd.io/switch", "node1"]]  # fmt: skip
    columns = {"direction": "to-lport", "priority": 10000, "match": "ip4", "external_ids": ["map", ids]}
    ovsdb_nb.transact(
        {"op": "insert", "table": "QoS", "uuid-name": "theirs", "row": columns},
        {"op": "mutate", "table": "Logical_Switch", "where": [["name", "==", "node1"]],
         "mutations": [["qos_rules", "insert", ["named-uuid", "theirs"]]]},
        {"op": "insert", "table": "Address_Set", "row": {"name": "foreign", "addresses": ["set", ["10.9.9.9"]]}},
    )  # fmt: skip
    before = dump_ours(ovsdb_nb)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        assert dump_ours(ovsdb_nb) != before
        await daemon.write(desired([VIDEO], [address_set("set_a", "10.0.0.9")]))
        await daemon.write(desired())
    assert dump_ours(ovsdb_nb) == before


@every_installed_generation
async def test_a_policy_goes_while_its_row_lingers(ovsdb_nb: OvsdbServer) -> None:
    """A pod goes, so its row lingers; then its policy goes: one transaction removes the row and its set."""
    add_switches(ovsdb_nb, "node1", "node2")
    empty = dump_ours(ovsdb_nb)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(desired([VIDEO], [SENDERS]))
        daemon.may_wait = lambda _key: True
        await daemon.write(desired())
        daemon.watcher.transactions.clear()
        daemon.may_wait = lambda _key: False
        result = await daemon.round(policies={"games/video"})
        assert (result.outcome, result.problem) == (RoundOutcome.COMMITTED, "")
        assert [outcome for outcome, _ in daemon.watcher.transactions] == [RoundOutcome.COMMITTED]
    assert dump_ours(ovsdb_nb) == empty


@every_installed_generation
@pytest.mark.parametrize("how", [["ls-del", "node1"], ["qos-del", "node1"]], ids=["switch", "row"])
async def test_a_set_goes_after_its_last_row(ovsdb_nb: OvsdbServer, how: list[str]) -> None:
    """A row lingers and goes with its switch, or by somebody's hand: its set is removed at once, and is no repair."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(desired([VIDEO, VOICE], [SENDERS, TALKERS]))
        daemon.may_wait = lambda _key: True
        await daemon.write(desired([VOICE], [TALKERS]))
        assert "set_a" in ovsdb_nb.dump("Address_Set")
        ovsdb_nb.nbctl(*how)
        await daemon.run_until(lambda: daemon.results[-1].operations.get("set_delete") == 1)
        assert not any(result.repaired for result in daemon.results)
        assert await daemon.settle() == []
    assert "set_a" not in ovsdb_nb.dump("Address_Set")


async def test_a_row_waits_for_its_switch(ovsdb_nb: OvsdbServer) -> None:
    """A row whose switch isn't there yet is written as soon as the switch is."""
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        result = await daemon.write(BOTH)
        assert result.waiting.keys() == {"node1", "node2"}
        begun = time.monotonic()
        add_switches(ovsdb_nb, "node1")
        await daemon.run_until(lambda: daemon.northbound.lacking("games/video").switches == ())
        assert time.monotonic() - begun < 2.0
        assert "$set_a" in ovsdb_nb.nbctl("qos-list", "node1")


async def test_ports_join_their_group(ovsdb_nb: OvsdbServer) -> None:
    """A port group gets the uuid of a logical port when the port comes, and of its successor when it is made anew."""
    ovsdb_nb.nbctl("ls-add", "node1", "--", "lsp-add", "node1", "ns_pod1")
    group = PortGroup("group_a", "pods", {"ns_pod1", "ns_pod2"})
    state = desired([row(key(), source="group_a")], groups=[group])

    def members() -> set[str]:
        return set(ovsdb_nb.nbctl("--bare", "--columns=ports", "list", "Port_Group").split())

    def uuids(*ports: str) -> set[str]:
        return {ovsdb_nb.nbctl("get", "Logical_Switch_Port", port, "_uuid").strip() for port in ports}

    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(state)
        assert members() == uuids("ns_pod1")
        ovsdb_nb.nbctl("lsp-add", "node1", "ns_pod2")
        await daemon.settle()
        assert members() == uuids("ns_pod1", "ns_pod2")
        ovsdb_nb.nbctl("lsp-del", "ns_pod1", "--", "lsp-add", "node1", "ns_pod1")
        await daemon.settle()
        assert members() == uuids("ns_pod1", "ns_pod2")
        assert all(not result.repaired for result in daemon.results)


async def test_the_zone_and_northds_version_are_known(ovsdb_nb: OvsdbServer) -> None:
    """NB_Global's name and northd's version are facts, and a change of either wakes the daemon."""
    ovsdb_nb.nbctl("set", "NB_Global", ".", "name=node1", "options:northd_internal_version=23.03.1-20.27.0-70.6")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        assert (daemon.facts.zone, daemon.facts.northd_version) == ("node1", "23.03.1-20.27.0-70.6")
        await daemon.settle()
        ovsdb_nb.nbctl("set", "NB_Global", ".", "options:northd_internal_version=25.03.0-20.41.0-77.6")
        await asyncio.wait_for(daemon.northbound.wake.wait(), 5)
        assert daemon.facts.northd_version == "25.03.0-20.41.0-77.6"


@pytest.mark.parametrize("prune", [False, True])
async def test_pruning_waits_for_the_caller(ovsdb_nb: OvsdbServer, prune: bool) -> None:  # noqa: FBT001
    """Rows that aren't desired go only when the caller says that all is known."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.northbound.reconcile(desired(), Delta(), prune=prune)
    assert ("$set_a" in ovsdb_nb.nbctl("qos-list", "node1")) is not prune
