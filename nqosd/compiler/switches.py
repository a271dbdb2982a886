"""Logical switches as the database has them, as far as rows depend on what isn't ours there.

In: what the replica of the database holds. Out: a `Switch` by name. Rule: what leads out of a switch, and which rows of
others stand on it, is what the database says, never a name by convention.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from nqosd.compiler.desired import Direction
from nqosd.compiler.precedence import HIGHEST


@attrs.frozen(order=True)
class MarkRow:
    """A row of others that sets a packet mark. `egress_ip` is its `k8s.ovn.org/id` if EgressIP wrote it, else empty."""

    egress_ip: str
    direction: str
    priority: int
    match: str
    mark: int

    def __str__(self) -> str:
        name = f" {self.egress_ip}" if self.egress_ip else ""
        return f"row{name} of others ({self.direction}, priority {self.priority}, mark {self.mark}, {self.match})"


@attrs.frozen
class Switch:
    """`uplinks` are the names of its ports of type router or localnet; `has_acls`: an ACL stands on the switch itself.

    Both tuples are sorted. `theirs`: ovn-kubernetes' own NetworkQoS controller has a row on it.
    """

    uplinks: tuple[str, ...] = ()
    marks: tuple[MarkRow, ...] = ()
    has_acls: bool = False
    theirs: bool = False

    def mirrored(self, direction: Direction) -> tuple[MarkRow, ...]:
        """Give the rows that our rows of a direction suppress and that can be written in the other one."""
        if direction is not Direction.FROM_LPORT:
            return ()
        found = {each.egress_ip: each for each in reversed(self.marks) if each.egress_ip and _is_below(each, direction)}
        return tuple(sorted(found.values()))

    def suppressed(self, direction: Direction) -> tuple[MarkRow, ...]:
        """Give the rows that our rows of a direction suppress, and nothing makes up for it."""
        mirrored = self.mirrored(direction)
        return tuple(each for each in self.marks if _is_below(each, direction) and each not in mirrored)

    def objection(self, direction: Direction) -> str:
        """Say what our rows of a direction do to others here that nothing makes up for; empty if it is nothing."""
        if lost := self.suppressed(direction):
            return (
                f"{lost[0]} doesn't act on packets that a rule of nqosd matches, as its priority is lower: "
                "limit the rules by networkSelectors or podSelector, or ask whoever wrote that row"
            )
        if (mirrored := self.mirrored(direction)) and not self.has_acls:
            return (
                f"{mirrored[0]} acts on connections from outside only where an ACL of the switch tracks connections, "
                "and this one has no ACL: ovn-kubernetes writes one, so look why it is gone"
            )
        return ""


Switches: TypeAlias = Mapping[str, Switch]

UNKNOWN = Switch()
"""A switch that isn't there, or of which nothing is known."""


def _is_below(row: MarkRow, direction: Direction) -> bool:
    return row.direction == direction and row.priority <= HIGHEST
