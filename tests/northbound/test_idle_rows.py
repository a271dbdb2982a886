"""Rows that only lost their senders. The server is a model."""

import pytest
from msgspec.structs import replace

from nqosd.compiler.desired import RETURNED, RowKey
from nqosd.northbound import contested
from nqosd.northbound.plan.operations import SetName, SwitchName
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents

pytestmark = pytest.mark.usefixtures("impatience")

REST = desired([VOICE], [TALKERS])
"""What is desired without the senders of the other policy."""


async def test_an_idle_row_stays_until_the_structure_changes(database: ModelDatabase) -> None:
    """A row without senders stays with an empty set, and goes with the next row that comes."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    result = await rounds.round(REST)
    assert result.operations == {"wait": 1, "set_mutate": 1}
    assert VIDEO.key in contents_of(database).rows
    assert contents_of(database).address_sets["set_a"][0] == frozenset()
    assert await rounds.settle() == []
    other = row(key("games/other"), source="set_b")
    result = await rounds.round(desired([VOICE, other], [TALKERS]))
    assert result.operations["set_delete"] == 1
    assert contents_of(database).rows.keys() == {VOICE.key, other.key}


async def test_an_idle_row_whose_senders_come_back_costs_a_member(database: ModelDatabase) -> None:
    """When a pod comes back before its row has gone, only its address is written."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    result = await rounds.round(BOTH)
    assert result.operations == {"wait": 1, "set_mutate": 1}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_an_idle_row_goes_before_its_set_is_filled_for_another(database: ModelDatabase) -> None:
    """A row that lingers because its set is empty is removed in the transaction that fills the set again."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    voice_too = replace(VOICE, match="ip4.src == $set_b || ip4.src == $set_a", sets=("set_a", "set_b"))
    await rounds.round(desired([voice_too], [SENDERS, TALKERS]))
    assert contents_of(database).rows.keys() == {VOICE.key}
    result = await rounds.round(desired([], [SENDERS, TALKERS]))
    assert result.outcome is RoundOutcome.COMMITTED
    result = await rounds.round(desired([], [SENDERS]))
    assert contents_of(database).rows == {}


async def test_an_idle_row_goes_after_its_time(database: ModelDatabase) -> None:
    """When `detach_after` is over the daemon wakes by itself, and the row and its set go."""
    rounds = await converged(database, detach_after=0.0)
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    (result,) = await rounds.settle()
    assert result.operations == {"wait": 3, "switch_mutate": 1, "set_delete": 1}
    assert contents_of(database).rows.keys() == {VOICE.key}
    assert result.repaired == frozenset()


@pytest.mark.parametrize("name", ["set_a", "set_b"])
@pytest.mark.parametrize("new_name", [None, "by_hand"])
async def test_an_idle_row_goes_with_a_set_that_it_names(
    database: ModelDatabase, name: str, new_name: str | None
) -> None:
    """When somebody deletes or renames a set, the sender's or a peer's, no row stays that no chassis can parse."""
    both = row(key(), others=["set_b"])
    rounds = await converged(database, desired([both], [SENDERS, TALKERS]))
    rounds.may_wait = lambda _key: True
    await rounds.round(desired())
    assert contents_of(database).rows.keys() == {both.key}
    for uuid in database.rows("Address_Set", name=name):
        if new_name is None:
            database.remove("Address_Set", uuid)
        else:
            database.edit("Address_Set", uuid, name=new_name)
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, desired())
    assert rounds.reconciler._idle_rows.oldest is None


async def test_an_idle_row_of_no_policy_goes_with_a_set_that_it_names(database: ModelDatabase) -> None:
    """The row for what comes back to a switch names sets of ours too."""
    returned = row(RowKey("", 0, "default", "node1", RETURNED), source="set_b")
    rounds = await converged(database, desired([VIDEO, returned], [SENDERS, TALKERS]))
    rounds.may_wait = lambda _key: True
    await rounds.round(desired())
    assert contents_of(database).rows.keys() == {VIDEO.key, returned.key}
    for uuid in database.rows("Address_Set", name="set_b"):
        database.remove("Address_Set", uuid)
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, desired())


@pytest.mark.parametrize("knows_it", ["as idle", "as desired", "from before a restart"])
async def test_an_idle_row_that_is_edited_to_match_others_goes(database: ModelDatabase, knows_it: str) -> None:
    """A row that somebody edits while it waits, or just as its senders go, stays only if it needs them still."""
    rounds = await converged(database)
    (uuid,) = (row.uuid for row in database.replica.rows.get(VIDEO.key))
    if knows_it == "as desired":
        database.edit("QoS", uuid, match="ip4.src == $set_a || ip4")
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    if knows_it == "as idle":
        database.edit("QoS", uuid, match="ip4.src == $set_a || ip4")
    elif knows_it == "from before a restart":
        database.edit("QoS", uuid, match="ip4.src == $set_a || ip4")
        rounds = Rounds(database)
        rounds.may_wait = lambda _key: True
        await rounds.round(REST)
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, REST)


@pytest.mark.parametrize("stays", [True, False])
async def test_an_idle_row_that_is_moved_to_another_switch_goes(database: ModelDatabase, *, stays: bool) -> None:
    """A row that somebody attaches to another switch leaves both, whether it stays on its own too or not."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    (uuid,) = (row.uuid for row in database.replica.rows.get(VIDEO.key))
    (one,), (two,) = (database.rows("Logical_Switch", name=name) for name in ("node1", "node2"))
    (voice,) = (row.uuid for row in database.replica.rows.get(VOICE.key))
    database.edit("Logical_Switch", two, qos_rules=frozenset({voice, uuid}))
    if not stays:
        database.edit("Logical_Switch", one, qos_rules=frozenset())
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, REST)


async def test_an_idle_row_goes_when_its_set_cannot_be_emptied(database: ModelDatabase) -> None:
    """A row whose senders have gone is removed at once where the server refuses to take them out of its set."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    rounds.driver.refused = {SetName("set_a")}
    await rounds.round(REST)
    await rounds.settle()
    assert contents_of(database).rows.keys() == {VOICE.key}


async def test_an_idle_row_goes_when_somebody_keeps_filling_its_set(database: ModelDatabase) -> None:
    """As soon as the set is no longer emptied at once, because somebody fills it again each time, the row leaves."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    for _ in range(contested.AT_ONCE):
        _fill(database)
        await rounds.settle()
        assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key}
        assert contents_of(database).address_sets["set_a"][0] == frozenset()
    _fill(database)
    await rounds.settle()
    assert contents_of(database).rows.keys() == {VOICE.key}


def _fill(database: ModelDatabase) -> None:
    (uuid,) = database.rows("Address_Set", name="set_a")
    database.edit("Address_Set", uuid, addresses=frozenset({"10.0.0.77"}))


@pytest.mark.parametrize("reason", ["time", "another row"])
async def test_an_idle_row_that_could_not_leave_goes_before_its_set_is_filled(
    database: ModelDatabase, reason: str
) -> None:
    """A row that was to leave, from a switch that the server refused to change, leaves when that is possible again."""
    rounds = await converged(database, detach_after=0.0 if reason == "time" else 3600.0)
    rounds.may_wait = lambda _key: True
    rounds.driver.refused = {SwitchName("node1")}
    await rounds.round(REST)
    if reason == "another row":
        await rounds.round(desired([VOICE, row(key("games/new", switch="node2"), source="set_b")], [TALKERS]))
    await rounds.settle()
    assert rounds.results[-1].blocked
    assert VIDEO.key in contents_of(database).rows
    rounds.driver.refused = set()
    rounds.expire()
    other = row(key("games/other", switch="node2"), source="set_a")
    await rounds.round(desired([VOICE, other], [TALKERS, SENDERS]))
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, rounds.desired)


async def test_an_idle_row_goes_with_its_policy(database: ModelDatabase) -> None:
    """A row that lingers is removed as soon as its rule is gone too."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(REST)
    rounds.may_wait = lambda _key: False
    await rounds.round(policies={"games/video"})
    assert contents_of(database) == expected_contents(database, REST)


async def test_a_row_that_names_its_sender_itself_never_stays(database: ModelDatabase) -> None:
    """A row for one pod, with the address in its match, would go on working: it is removed at once."""
    alone = replace(VIDEO, match="ip4.src == 10.0.0.1", sets=())
    rounds = await converged(database, desired([alone], []))
    rounds.may_wait = lambda _key: True
    await rounds.round(desired())
    assert contents_of(database).rows == {}
