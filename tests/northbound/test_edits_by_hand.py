"""Edits by hand, after which something wrong could stay for ever, or nothing be written. The server is a model."""

import pytest

from nqosd.compiler.desired import OWNER, PART
from nqosd.northbound.claim import WriterClaim
from nqosd.northbound.plan.operations import SwitchName, describe
from nqosd.northbound.replica.writer_record import WriterRecord
from tests.northbound.cases import BOTH, TALKERS, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import add_row, contents_of, expected_contents

pytestmark = pytest.mark.usefixtures("impatience")

RECORD = WriterRecord("nqosd", "nqosd", "host", "1.a", {"Pod": "1"})


@pytest.mark.parametrize("named", [True, False])
async def test_a_row_that_says_nothing_on_a_refused_switch_goes_in_the_end(
    database: ModelDatabase, *, named: bool
) -> None:
    """A row whose external_ids somebody emptied leaves as soon as the server lets its switch change."""
    rounds = await converged(database)
    rounds.driver.refused, rounds.driver.names_what_it_refuses = {SwitchName("node1")}, named
    (switch,) = database.rows("Logical_Switch", name="node1")
    uuid = add_row(database, row(key("a/b")), "nqosd", frozenset({switch}))
    database.edit("QoS", uuid, external_ids={OWNER: "nqosd"})
    await rounds.settle()
    blocked = map(describe, rounds.results[-1].blocked)
    assert [*blocked] == ["logical switch node1" if named else "a row whose external_ids don't say what it is for"]
    assert database.replica.rows.unreadable()
    rounds.driver.refused = set()
    rounds.expire()
    await rounds.round()
    await rounds.settle()
    assert not database.replica.rows.unreadable()
    assert rounds.results[-1].blocked == {}


async def test_a_record_with_the_name_of_a_set_makes_room(database: ModelDatabase) -> None:
    """Where somebody gives the writer's record the name of a set that is to come, both are written all the same."""
    rounds = Rounds(database)
    rounds.claim = WriterClaim(RECORD)
    await rounds.round(desired([VOICE], [TALKERS]))
    (record,) = database.rows("Address_Set", name=RECORD.name)
    database.edit("Address_Set", record, name="set_a")
    await _check_both(rounds)


async def test_a_set_that_is_marked_as_a_record_is_made_anew(database: ModelDatabase) -> None:
    """Where somebody makes a set the writer's record, it goes, and the set comes back."""
    rounds = Rounds(database)
    rounds.claim = WriterClaim(RECORD)
    await rounds.round(BOTH)
    (uuid,) = database.rows("Address_Set", name="set_a")
    external_ids = dict(database.replica.address_sets.get("set_a").external_ids)  # type: ignore[union-attr] # it's there
    database.edit("Address_Set", uuid, external_ids={**external_ids, PART: "writer"})
    await _check_both(rounds)


async def _check_both(rounds: Rounds) -> None:
    """Assert that both policies and one record are written, by the next rounds and after another change."""
    database = rounds.database
    for state in (BOTH, desired(BOTH.rows.values(), [address_set("set_a", "10.0.0.9"), TALKERS])):
        await rounds.round(state)
        await rounds.settle()
        rounds.expire()
        await rounds.round()
        await rounds.settle()
        assert rounds.results[-1].blocked == {}
        assert contents_of(database) == expected_contents(database, state)
    assert [each.name for each in database.replica.records()] == [RECORD.name]
