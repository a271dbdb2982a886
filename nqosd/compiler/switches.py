"""Logical switches as the database has them, as far as rows depend on what isn't ours there.

In: what the replica of the database holds. Out: a `Switch` by name. Rule: what leads out of a switch, and which rows of
others stand on it, is what the database says, never a name by convention.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import attrs
import msgspec

from nqosd.compiler.desired import Direction
from nqosd.compiler.precedence import HIGHEST

OVERRIDE_PRIORITY = 32765
"""Of the row above those of ovn-kubernetes' own controller; below the mirrors, which stand in the same direction."""


def _or_none(mark: int | None) -> int:
    return -1 if mark is None else mark


@attrs.frozen(order=True)
class OtherRow:
    """A row of others that one of ours may suppress.

    `egress_ip` is its `k8s.ovn.org/id` if EgressIP wrote it, else empty; `mark` None: it sets no packet mark.
    """

    egress_ip: str
    direction: str
    priority: int
    match: str
    mark: int | None = attrs.field(order=_or_none)

    def __str__(self) -> str:
        name = f" {self.egress_ip}" if self.egress_ip else ""
        mark = "" if self.mark is None else f"mark {self.mark}, "
        return f"row{name} of others ({self.direction}, priority {self.priority}, {mark}{self.match})"


class Switch(msgspec.Struct, frozen=True):
    """`uplinks` are the names of its ports of type router or localnet; `has_acls`: one of its own tracks connections.

    `theirs`: ovn-kubernetes' own NetworkQoS controller has a row on it. Of other rows, `others` are those that set a
    packet mark, and all to-lport ones. Both tuples are sorted.
    """

    uplinks: tuple[str, ...] = ()
    others: tuple[OtherRow, ...] = ()
    has_acls: bool = False
    theirs: bool = False

    def mirrored(self, direction: Direction) -> tuple[OtherRow, ...]:
        """Give the rows that our rows of a direction suppress and that can be written in the other one."""
        if direction is not Direction.FROM_LPORT:
            return ()
        marks = self._marks_below(direction)
        found = {each.egress_ip: each for each in reversed(marks) if each.egress_ip}
        return tuple(sorted(found.values()))

    def suppressed(self, direction: Direction) -> tuple[OtherRow, ...]:
        """Give the rows that our rows of a direction suppress, and nothing makes up for it."""
        mirrored = self.mirrored(direction)
        return tuple(each for each in self._marks_below(direction) if each not in mirrored)

    def has_override(self, direction: Direction) -> bool:
        """Say whether a row stands above those of ovn-kubernetes' controller, as our others don't in that direction."""
        return self.theirs and direction is Direction.FROM_LPORT

    def objection(self, direction: Direction) -> str:
        """Say what our rows of a direction do to others here that nothing makes up for; empty if it is nothing."""
        return "; ".join(self._objections(direction))

    def _objections(self, direction: Direction) -> Iterator[str]:
        if lost := self.suppressed(direction):
            yield (
                f"{lost[0]} doesn't act on packets that a rule of nqosd matches, as its priority is lower: "
                "limit the rules by networkSelectors or podSelector, or ask whoever wrote that row"
            )
        if (mirrored := self.mirrored(direction)) and not self.has_acls:
            yield (
                f"{mirrored[0]} acts on connections from outside only where an ACL of the switch tracks connections, "
                "and this one has no ACL of that kind: ovn-kubernetes writes one, so look why it is gone"
            )
        if self.has_override(direction) and (lost := tuple(each for each in self.others if _is_overridden(each))):
            yield (
                f"{lost[0]} doesn't act as long as ovn-kubernetes' own NetworkQoS controller has rows here, as nqosd's "
                f"row above those (priority {OVERRIDE_PRIORITY}) outranks it too: turn that controller off, then "
                "nqosd takeover --from ovn-kubernetes"
            )

    def _marks_below(self, direction: Direction) -> tuple[OtherRow, ...]:
        """Give the rows with a packet mark that our rows of a direction suppress."""
        marks = (each for each in self.others if each.mark is not None)
        return tuple(each for each in marks if each.direction == direction and each.priority <= HIGHEST)


Switches: TypeAlias = Mapping[str, Switch]

UNKNOWN = Switch()
"""A switch that isn't there, or of which nothing is known."""


def _is_overridden(row: OtherRow) -> bool:
    return row.direction == Direction.TO_LPORT and row.priority <= OVERRIDE_PRIORITY
