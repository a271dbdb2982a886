"""Rows that only lost their senders. The server is a model."""

import pytest
from msgspec.structs import replace

from nqosd.compiler.desired import RETURNED, RowKey
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents

pytestmark = pytest.mark.usefixtures("impatience")


async def test_an_idle_row_stays_until_the_structure_changes(database: ModelDatabase) -> None:
    """A row without senders stays with an empty set, and goes with the next row that comes."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    result = await rounds.round(desired([VOICE], [TALKERS]))
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
    await rounds.round(desired([VOICE], [TALKERS]))
    result = await rounds.round(BOTH)
    assert result.operations == {"wait": 1, "set_mutate": 1}
    assert contents_of(database) == expected_contents(database, BOTH)


async def test_an_idle_row_goes_before_its_set_is_filled_for_another(database: ModelDatabase) -> None:
    """A row that lingers because its set is empty is removed in the transaction that fills the set again."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(desired([VOICE], [TALKERS]))
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
    await rounds.round(desired([VOICE], [TALKERS]))
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
    await rounds.round(desired([VOICE], [TALKERS]))
    if knows_it == "as idle":
        database.edit("QoS", uuid, match="ip4.src == $set_a || ip4")
    elif knows_it == "from before a restart":
        database.edit("QoS", uuid, match="ip4.src == $set_a || ip4")
        rounds = Rounds(database)
        rounds.may_wait = lambda _key: True
        await rounds.round(desired([VOICE], [TALKERS]))
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, desired([VOICE], [TALKERS]))


async def test_an_idle_row_goes_with_its_policy(database: ModelDatabase) -> None:
    """A row that lingers is removed as soon as its rule is gone too."""
    rounds = await converged(database)
    rounds.may_wait = lambda _key: True
    await rounds.round(desired([VOICE], [TALKERS]))
    rounds.may_wait = lambda _key: False
    await rounds.round(policies={"games/video"})
    assert contents_of(database) == expected_contents(database, desired([VOICE], [TALKERS]))


async def test_a_row_that_names_its_sender_itself_never_stays(database: ModelDatabase) -> None:
    """A row for one pod, with the address in its match, would go on working: it is removed at once."""
    alone = replace(VIDEO, match="ip4.src == 10.0.0.1", sets=())
    rounds = await converged(database, desired([alone], []))
    rounds.may_wait = lambda _key: True
    await rounds.round(desired())
    assert contents_of(database).rows == {}
