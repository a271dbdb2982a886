"""What a standby makes of what its looks find: each row and each member of a set has an age of its own."""

from collections.abc import Sequence

import pytest

from nqosd.compiler.desired import RowKey
from nqosd.northbound.dirty import Dirty
from nqosd.northbound.plan.operations import (
    Operation,
    OperationKind,
    RowTarget,
    SetName,
    SwitchName,
    insert,
    mutate,
    update,
)
from nqosd.northbound.replica.updates import Changes
from nqosd.northbound.standby import LATE, PAUSE, StandbyView
from tests.northbound.desires import key

VICTIM = key("games/victim")
LOOKS = 8


class Looks:
    """A standby whose clock stands still between two looks."""

    def __init__(self) -> None:
        self.view = StandbyView("nqosd")
        self.now = 0.0

    def find(self, *operations: Operation, written: Changes | None = None) -> None:
        """Look once, after something was written."""
        self.now += PAUSE
        self.view.wrote(written or Changes())
        self.view.found(operations, Dirty(), self.now)

    @property
    def age(self) -> float:
        """The age of the oldest thing that isn't written."""
        return 0.0 if self.view.since is None else self.now - self.view.since


def test_what_is_not_written_is_late_whatever_else_is() -> None:
    """Each look finds that something else is written, and that something new is to be."""
    looks = Looks()
    for number in range(LOOKS):
        looks.find(
            _row(VICTIM, 1), _row(key(f"games/p{number}"), 1), written=Changes(rows={key(f"games/p{number - 1}")})
        )
        assert (str(VICTIM) in looks.view.words) == (looks.age >= LATE)
    assert looks.age == (LOOKS - 1) * PAUSE
    assert "games/p" not in looks.view.words


def test_a_row_that_nobody_writes_is_late_however_often_it_is_to_be_another() -> None:
    """What it is to be changes from look to look; what it is doesn't."""
    looks = Looks()
    for number in range(LOOKS):
        looks.find(_row(VICTIM, number))
    assert looks.age == (LOOKS - 1) * PAUSE


def test_a_row_that_is_written_and_is_to_be_another_again_is_on_its_way() -> None:
    """A policy may be changed more often than the standby looks."""
    looks = Looks()
    for number in range(LOOKS):
        looks.find(_row(VICTIM, number), written=Changes(rows={VICTIM}))
        assert (looks.age, looks.view.words) == (0.0, "")


def test_a_row_that_is_written_and_still_is_to_be_the_same_is_late() -> None:
    """Somebody writes it, but not as it is to be."""
    looks = Looks()
    for _ in range(LOOKS):
        looks.find(_row(VICTIM, 1), written=Changes(rows={VICTIM}))
    assert str(VICTIM) in looks.view.words


def test_a_member_is_late_whatever_comes_and_goes_beside_it() -> None:
    """A set changes with every pod, and ovsdb-server itself takes ports out."""
    looks = Looks()
    for number in range(LOOKS):
        looks.find(
            _members("10.0.0.1", f"10.0.1.{number}"), written=Changes(sets={"senders": {f"10.0.1.{number - 1}"}})
        )
    assert "set senders" in looks.view.words


@pytest.mark.parametrize("is_named", [False, True])
def test_members_that_come_in_time_are_not_late(*, is_named: bool) -> None:
    """Each look finds other ones, also where a new row of a switch is called what another one was before."""
    looks = Looks()
    for number in range(LOOKS):
        target = RowTarget("Logical_Switch", "u1", SwitchName("node1"))
        attach = mutate(OperationKind.SWITCH_MUTATE, target, "qos_rules", [["named-uuid", "row0"]], [])
        new = insert(OperationKind.ROW_INSERT, "QoS", key(f"games/p{number}"), {"priority": 1}, "row0")
        looks.find(*((attach, new) if is_named else (_members(f"10.0.1.{number}"),)))
        assert (looks.age, looks.view.words) == (0.0, "")


def test_a_member_may_be_an_empty_text() -> None:
    """The database takes one into a set of addresses; whoever put it there, it is one to be taken out."""
    looks = Looks()
    target = RowTarget("Address_Set", "u1", SetName("senders"))
    for _ in range(LOOKS):
        looks.find(mutate(OperationKind.SET_MUTATE, target, "addresses", [], [""]))
    assert "set senders" in looks.view.words


def test_what_is_read_anew_has_no_age() -> None:
    """Nobody looked while the connection was lost."""
    looks = Looks()
    for _ in range(LOOKS):
        looks.find(_row(VICTIM, 1))
    looks.find(_row(VICTIM, 1), written=Changes(cleared=True))
    assert (looks.age, looks.view.words) == (0.0, "")


def _row(row: RowKey, dscp: int) -> Operation:
    return update(OperationKind.ROW_UPDATE, RowTarget("QoS", "u1", row), {"priority": dscp})


def _members(*members: str) -> Operation:
    added: Sequence[object] = members
    return mutate(OperationKind.SET_MUTATE, RowTarget("Address_Set", "u1", SetName("senders")), "addresses", added, [])
