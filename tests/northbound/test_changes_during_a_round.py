"""What comes while a round that has much to look at looks a second time. The server is a model."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from nqosd.compiler.desired import OWNER, PortGroup
from nqosd.northbound import round_planner
from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation
from tests.northbound.cases import SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import add_row, contents_of, expected_contents

T = TypeVar("T")


pytestmark = pytest.mark.usefixtures("impatience")


@pytest.fixture(autouse=True)
def much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every round give way to others between its steps."""
    monkeypatch.setattr(round_planner, "_LIGHT", -1)


def right_after_the_second_plan(rounds: Rounds, event: Callable[[], object]) -> None:
    """Let something happen in the database as soon as the second plan of a round is made and others have their turn."""
    plain, plans = rounds.driver.aside, 0

    def happen() -> None:
        event()
        rounds.tell()

    async def aside(work: Callable[[], T]) -> T:
        nonlocal plans
        plans += 1
        result = await plain(work)
        if plans == 2:
            asyncio.get_running_loop().call_soon(happen)
        return result

    rounds.driver.aside = aside  # type: ignore[method-assign]


async def test_a_switch_that_comes(database: ModelDatabase) -> None:
    """Its rows are written."""
    rounds = Rounds(database)
    third = row(key("games/third", switch="node3"))
    right_after_the_second_plan(rounds, lambda: database.add("Logical_Switch", name="node3"))
    await rounds.round(desired([VIDEO, VOICE, third], [SENDERS, TALKERS]))
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, rounds.desired)


async def test_a_port_that_comes(database: ModelDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its group is written, with the row."""
    monkeypatch.setattr(Rounds, "_check", lambda _rounds, _result: None)  # the port comes before the result
    rounds = Rounds(database)
    cameras = row(key("games/cameras"), source="group_a")
    right_after_the_second_plan(rounds, lambda: database.add("Logical_Switch_Port", name="ns_pod1"))
    await rounds.round(desired([VOICE, cameras], [TALKERS], groups=[PortGroup("group_a", "cameras", {"ns_pod1"})]))
    await rounds.settle()
    assert contents_of(database) == expected_contents(database, rounds.desired)


@pytest.mark.parametrize("turns", range(9))
async def test_a_row_that_says_nothing_comes(database: ModelDatabase, turns: int) -> None:
    """However many turns of the event loop after a commit it comes, it goes, though a set was edited meanwhile too."""
    rounds = await converged(database)
    (switch,) = database.rows("Logical_Switch", name="node1")
    (set_b,) = database.rows("Address_Set", name="set_b")
    commit = rounds.driver.commit

    def come(left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(come, left - 1)
            return
        uuid = add_row(database, row(key("a/b")), "nqosd", frozenset({switch}))
        database.edit("QoS", uuid, external_ids={OWNER: "nqosd"})
        rounds.tell()

    def edited(operations: Sequence[Operation]) -> Commit:
        rounds.driver.commit = commit  # type: ignore[method-assign]
        answer = commit(operations)
        database.edit("Address_Set", set_b, addresses=frozenset({"10.0.0.79"}))
        come(turns)
        return answer

    rounds.driver.commit = edited  # type: ignore[method-assign]
    await rounds.round(desired([VIDEO, VOICE], [SENDERS, address_set("set_b", "10.0.0.7")]))
    await rounds.settle()
    assert not database.replica.rows.unreadable()
    assert contents_of(database) == expected_contents(database, rounds.desired)
