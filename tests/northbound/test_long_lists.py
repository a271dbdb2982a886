"""Long lists of prefixes, and many rows at once, on a real database."""

import itertools
from collections.abc import Sequence

from msgspec.structs import replace

from nqosd.compiler.desired import AddressSet, Desired, Family
from nqosd.compiler.prefixes import Prefixes
from nqosd.northbound.commit import LIGHT
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import SENDERS, VIDEO
from tests.northbound.desires import desired, key, row
from tests.northbound.real import Daemon, add_switches, driver_of, dump_ours, options_of, running
from tests.services.ovsdb import OvsdbServer

HOLES = [0x01000000 + 800_011 * each for each in range(1, 1000)]
RANGES = [(low + 1, high - 1) for low, high in itertools.pairwise(HOLES)]
PREFIXES = Prefixes.of(Family.IP4, RANGES)
"""Some 19,000."""
LISTED = AddressSet("set_b", "prefixes", PREFIXES)
STATE = desired([row(VIDEO.key, others=["set_b"])], [SENDERS, LISTED])


def members(daemon: Daemon) -> object:
    """Give the members of the list as the daemon holds them in its replica."""
    stored = driver_of(daemon).idl.replica.address_sets.get("set_b")
    assert stored is not None
    return stored.members


def stored(server: OvsdbServer) -> set[str]:
    """Give the members in the database."""
    (found,) = server.transact(
        {"op": "select", "table": "Address_Set", "where": [["name", "==", "set_b"]], "columns": ["addresses"]}
    )
    rows = found["rows"]
    assert isinstance(rows, Sequence)
    return set(rows[0]["addresses"][1])


async def test_a_list_in_the_database_is_not_held_twice(ovsdb_nb: OvsdbServer) -> None:
    """Once the database has a list, written now or before the start, the replica keeps what is desired for it."""
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(STATE)
        assert members(daemon) is PREFIXES
    assert stored(ovsdb_nb) == set(PREFIXES)
    before = dump_ours(ovsdb_nb)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        assert (await daemon.round(STATE)).outcome is RoundOutcome.UNCHANGED
        assert members(daemon) is PREFIXES
    assert dump_ours(ovsdb_nb) == before


async def test_an_edit_of_a_list_is_repaired(ovsdb_nb: OvsdbServer) -> None:
    """A prefix that somebody takes out or puts in is noticed at once, and put right by one mutation."""
    add_switches(ovsdb_nb, "node1")
    first = min(PREFIXES)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(STATE)
        for number, (edit, member) in enumerate([("remove", first), ("add", "192.0.2.1")], 2):
            ovsdb_nb.nbctl(edit, "Address_Set", "set_b", "addresses", f'"{member}"')
            await daemon.run_until(lambda number=number: len(daemon.watcher.transactions) == number)  # type: ignore[misc]
            await daemon.run_until(lambda: members(daemon) is PREFIXES)
            assert stored(ovsdb_nb) == set(PREFIXES)
        written = [operations for _outcome, operations in daemon.watcher.transactions[1:]]
        assert written == [{"wait": 1, "set_mutate": 1}] * 2


async def test_a_list_goes_with_its_last_row(ovsdb_nb: OvsdbServer) -> None:
    """A list that no row needs any more is deleted in the same transaction as the row."""
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(STATE)
        await daemon.write(desired([VIDEO], [SENDERS]))
        assert driver_of(daemon).idl.replica.address_sets.get("set_b") is None
        assert [outcome for outcome, _ in daemon.watcher.transactions] == [RoundOutcome.COMMITTED] * 2


async def test_thousands_of_rows_are_one_transaction(ovsdb_nb: OvsdbServer) -> None:
    """More operations than are sent from the event loop are written, and found right, as a few are."""
    add_switches(ovsdb_nb, "node1")
    rows = [replace(VIDEO, key=key(part=f"pod/{number}")) for number in range(3 * LIGHT)]
    state = Desired({each.key: each for each in rows}, {"set_a": SENDERS}, {})
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        result = await daemon.write(state)
        assert result.operations["row_insert"] == 3 * LIGHT
        assert await daemon.settle() == []
        assert [outcome for outcome, _ in daemon.watcher.transactions] == [RoundOutcome.COMMITTED]
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
