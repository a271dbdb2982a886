"""Shares: what is too much for one transaction is written by and by, and small changes of others don't wait for it."""

import asyncio
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.compiler.desired import MARK_PART, RETURNED, AddressSet, Desired, PortGroup, QosRow, RowKey
from nqosd.northbound import shares
from nqosd.northbound.dirty import Cause, Dirty, is_there
from nqosd.northbound.plan.operations import SetName
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import SENDERS, VIDEO
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import PORTS, SWITCHES, address_set, desired, desired_states, key, row
from tests.northbound.real import Daemon, add_switches, driver_of, options_of, running
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents
from tests.services.ovsdb import OvsdbServer

LARGE = desired(
    [row(key("attacker/own", switch="node1", part=f"pod/{pod}"), rate=pod + 1) for pod in range(3 * shares.MOST)],
    [SENDERS],
)


def with_victim(state: Desired, *addresses: str) -> Desired:
    """Give a state in which a victim's policy has these senders."""
    rows = {**state.rows, VIDEO.key: replace(VIDEO, match="ip4.src == $set_b", sets=("set_b",))}
    return Desired(rows, {**state.address_sets, "set_b": address_set("set_b", *addresses)}, {})


def written(daemon: Daemon) -> int:
    """Count the rows in the database."""
    return len(driver_of(daemon).idl.replica.rows.known_keys())


async def test_a_small_change_does_not_wait_for_a_large_one(ovsdb_nb: OvsdbServer) -> None:
    """A pod of the victim's that comes while an attacker's change is being written is there before the rest of that."""
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(with_victim(desired(), "10.0.0.1"))
        first = await daemon.round(with_victim(LARGE, "10.0.0.1"))
        assert (first.outcome, first.left, first.settled) == (RoundOutcome.COMMITTED, {"attacker"}, False)
        assert 1 < written(daemon) < len(LARGE.rows)
        second = await daemon.round(with_victim(LARGE, "10.0.0.1", "10.0.0.2"))
        assert second.left == {"attacker"}
        (found,) = ovsdb_nb.transact({"op": "select", "table": "Address_Set", "where": [["name", "==", "set_b"]]})
        assert "10.0.0.2" in str(found)
        assert 1 < written(daemon) < len(LARGE.rows)
        results = await daemon.settle()
        assert [result.settled for result in results] == [False] * (len(results) - 1) + [True]
        assert written(daemon) == len(LARGE.rows) + 1
        assert all(sum(counts.values()) <= 3 * shares.MOST for _outcome, counts in daemon.watcher.transactions)
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED


async def test_the_first_comparison_is_written_in_shares_too(
    ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that finds very much to write after a start or a lost connection holds up neither server nor others."""
    monkeypatch.setattr(shares, "LARGEST", shares.MOST)
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        first = await daemon.round(with_victim(LARGE, "10.0.0.1"))
        assert (first.outcome, first.left) == (RoundOutcome.COMMITTED, {"attacker"})
        assert VIDEO.key in driver_of(daemon).idl.replica.rows.known_keys()
        await daemon.settle()
        assert written(daemon) == len(LARGE.rows) + 1
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
        assert all(sum(counts.values()) <= 3 * shares.MOST for _outcome, counts in daemon.watcher.transactions)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        cut = await daemon.round(desired())
        assert cut.left == {"attacker"}
        await daemon.settle()
        assert written(daemon) == 0


async def test_sets_that_nobody_wants_any_more_are_given_up_by_and_by(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy with many sets that goes holds up a small change of another namespace no longer than one that comes."""
    monkeypatch.setattr(shares, "MOST", 20)
    monkeypatch.setattr("tests.northbound.rounds.MOST_ROUNDS", 100)
    names = [f"set_of_peers{number:03}" for number in range(10 * shares.MOST)]
    large = desired(
        [row(key("attacker/own", switch="node1"), others=names)], [SENDERS, *(address_set(each) for each in names)]
    )
    rounds = Rounds(database)
    await rounds.round(with_victim(large, "10.0.0.1"))
    await rounds.settle()
    results = [
        await rounds.round(with_victim(desired(), "10.0.0.1")),
        await rounds.round(with_victim(desired(), "10.0.0.1", "10.0.0.2")),
    ]
    assert SetName("set_b") in results[1].written
    results += await rounds.settle()
    assert max(sum(result.operations.values()) for result in results) <= 2 * shares.MOST
    assert contents_of(database) == expected_contents(database, with_victim(desired(), "10.0.0.1", "10.0.0.2"))
    rounds.reconciler.close()


async def test_a_large_change_is_written_however_many_small_ones_come(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While something small comes in every round, every other one writes a share of what is large too."""
    monkeypatch.setattr(shares, "MOST", len(LARGE.rows) // 10)
    rounds = Rounds(database)
    await rounds.round(with_victim(desired(), "10.0.0.1"))
    results = [await rounds.round(with_victim(LARGE, f"10.0.0.{number}")) for number in range(2, 30)]
    assert all(SetName("set_b") in result.written for result in results)
    assert results[0].written == {SetName("set_b")}
    assert [result.settled for result in results] == sorted(result.settled for result in results)
    assert 10 < sum(not result.settled for result in results) < 25


def test_a_port_group_weighs_as_much_as_its_ports() -> None:
    """As an address set does; where it isn't there yet, all of them are looked for."""
    ports = frozenset(f"port{number}" for number in range(100 * shares.MOST))
    large = desired(groups=[PortGroup("group", "senders", ports)])
    members = desired(sets=[address_set("group", *ports)])
    assert shares.weight_of(0, {"group": None}, large) == shares.weight_of(0, {"group": None}, members) > shares.MOST
    assert shares.weight_of(0, {"group": None}, desired()) == 1


def test_a_set_that_may_be_lacking_is_looked_for_once(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows refer to it."""
    looked = Mock(wraps=is_there)
    monkeypatch.setattr(shares, "is_there", looked)
    dirty = Dirty(rows=dict.fromkeys(LARGE.rows, Cause.DESIRED))
    dirty.touch_set(SENDERS.name, None, Cause.DESIRED)
    share = shares.share_of(dirty, LARGE, database.replica, shares.MOST, is_due=False)
    assert share.sets == {SENDERS.name}
    assert share.rows
    assert looked.call_count == 1


def test_the_age_of_what_is_left_is_known() -> None:
    """It is younger than what was noted before, once all that was left then has been written."""
    backlog, (one, two, three) = shares.Backlog(), (key(rule=number) for number in range(3))
    steps = [({}, {one, two}), ({one}, {two, three}), ({two}, {three, one}), ({three}, {one})]
    ages = []
    for now, (rows, left) in enumerate(steps):
        backlog.left(
            shares.Share(set(rows), set(), frozenset({"games"})), Dirty(rows=dict.fromkeys(left, Cause.DESIRED)), now
        )
        ages.append(backlog.since)
    assert ages == [None, None, 0, 0]
    backlog.clear()
    assert (backlog.since, backlog.namespaces) == (None, frozenset())


async def test_rows_of_no_policy_wait_for_their_sets(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all of them is much too, they are written with their sets, although no policy needs them any more."""
    monkeypatch.setattr(shares, "MOST", 6)
    rows: list[QosRow] = []
    sets: list[AddressSet] = []
    for switch in (f"node{number}" for number in range(3, 20)):
        database.add("Logical_Switch", name=switch)
        own = f"own4_{switch}", f"own6_{switch}"
        rows += [row(key(switch=switch)), row(key("", switch=switch, part=RETURNED), source=own[0], others=own[1:])]
        sets += map(address_set, own)
    rounds, state = Rounds(database), desired(rows, [SENDERS, *sets])
    await rounds.round()
    await rounds.round(state)
    monkeypatch.setattr("tests.northbound.rounds.MOST_ROUNDS", 100)
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, state)
    rounds.reconciler.close()


@pytest.mark.parametrize("number", [8, 40])
async def test_what_makes_up_for_rows_comes_with_them(
    database: ModelDatabase, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """However much there is to write, no switch has rows of a policy without its rows of no policy, in any share."""
    monkeypatch.setattr(shares, "MOST", 12)
    monkeypatch.setattr("tests.northbound.rounds.MOST_ROUNDS", 100)
    rows, sets = list[QosRow](), list[AddressSet]()
    for switch in (f"switch{each:02}" for each in range(number)):
        database.add("Logical_Switch", name=switch)
        mine, own = f"mine_{switch}", f"own_{switch}"
        rows += [row(key(f"games-{switch}/video", rule, switch), source=mine) for rule in range(3)]
        rows += [row(key("", switch=switch, part=part), source=own) for part in (RETURNED, f"{MARK_PART}theirs")]
        sets += [address_set(mine), address_set(own)]
    rounds, state = Rounds(database), desired(rows, sets)
    await rounds.round()
    await rounds.round(state)
    assert rounds.woken.is_set()
    while rounds.woken.is_set():
        there = contents_of(database).rows.keys()
        for policy in filter(lambda each: each.policy, there):
            assert {each for each in state.rows if (each.policy, each.switch) == ("", policy.switch)} <= there
        await rounds.round()
    assert contents_of(database) == expected_contents(database, state)
    rounds.reconciler.close()


Rows = dict[RowKey, list[tuple[object, ...]]]


def group(rows: Rows, of: RowKey) -> Rows:
    """Give the rows of one policy on one switch."""
    return {each: found for each, found in rows.items() if (each.policy, each.switch) == (of.policy, of.switch)}


def consistent(state: Desired) -> Desired:
    """Leave out rows that name a set that isn't desired."""
    names = state.address_sets.keys() | state.port_groups.keys()
    return replace(state, rows={each: found for each, found in state.rows.items() if names.issuperset(found.sets)})


@given(
    before=desired_states().map(consistent),
    after=desired_states().map(consistent),
    most=st.integers(1, 4),
    compared=st.sampled_from((0, 5, shares.COMPARED)),
    compares_everything=st.booleans(),
)
def test_a_policy_on_a_switch_is_never_written_by_halves(
    *, before: Desired, after: Desired, most: int, compared: int, compares_everything: bool
) -> None:
    """After each share the rows of a policy on a switch are all as before or all as they should be.

    Whatever set they name is there, and one that is given up has its members until the rows that name it are gone.
    """

    async def scenario() -> None:
        database = ModelDatabase()
        for name in (*SWITCHES, *PORTS):
            database.add("Logical_Switch" if name in SWITCHES else "Logical_Switch_Port", name=name)
        rounds = Rounds(database)
        await rounds.round(before)
        await rounds.settle()
        old, new = contents_of(database), expected_contents(database, after)
        if compares_everything:
            rounds.reconciler.doubt()
        await rounds.round(after)
        while rounds.woken.is_set():
            now = contents_of(database)
            for each in old.rows.keys() | new.rows.keys():
                assert group(now.rows, each) in (group(old.rows, each), group(new.rows, each))
            for stored in (found for each in now.rows for found in database.replica.rows.get(each)):
                for name in stored.references - after.address_sets.keys() - after.port_groups.keys():
                    assert now.address_sets.get(name) == old.address_sets.get(name)
                    assert now.port_groups.get(name) == old.port_groups.get(name)
                assert stored.references <= now.address_sets.keys() | now.port_groups.keys()
            await rounds.round()
        assert contents_of(database) == new
        rounds.reconciler.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "MOST", most)
        patch.setattr(shares, "LARGEST", most)
        patch.setattr(shares, "COMPARED", compared)
        asyncio.run(scenario())


async def test_what_is_right_already_takes_no_shares(ovsdb_nb: OvsdbServer) -> None:
    """Rows that stay idle while their senders are away cost one round when these go, and one when they come again."""
    add_switches(ovsdb_nb, "node1")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.may_wait = lambda _key: True
        await daemon.write(with_victim(LARGE, "10.0.0.1"))
        assert written(daemon) == len(LARGE.rows) + 1
        for state in (desired(), LARGE, desired(), LARGE):
            result = await daemon.round(with_victim(state, "10.0.0.1"))
            assert (result.outcome, result.left, result.settled) == (RoundOutcome.COMMITTED, frozenset(), True)
            assert result.written == {SetName(SENDERS.name)}
            assert not any(each.operations for each in await daemon.settle())
        assert written(daemon) == len(LARGE.rows) + 1


async def test_of_much_that_is_dirty_shares_are_of_what_differs(ovsdb_nb: OvsdbServer) -> None:
    """Where many rows are looked at and some hundred differ, these are written by and by, and all others left alone."""
    add_switches(ovsdb_nb, "node1")
    changed = list(LARGE.rows.items())[: 2 * shares.MOST]
    other = replace(LARGE, rows={**LARGE.rows, **{key: replace(each, rate=77_777) for key, each in changed}})
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(with_victim(LARGE, "10.0.0.1"))
        first = await daemon.round(with_victim(other, "10.0.0.1", "10.0.0.2"))
        assert (first.left, SetName("set_b") in first.written) == ({"attacker"}, True)
        assert len(first.written) <= shares.MOST + 1
        await daemon.settle()
        rows = ovsdb_nb.transact({"op": "select", "table": "QoS", "where": []})[0]
        assert str(rows).count("77777") == len(changed)
