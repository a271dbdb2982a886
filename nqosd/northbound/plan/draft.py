"""A transaction in the making.

In: operations in whatever order they are thought of, and edits of switches one rule at a time. Out: all of them in the
order in which they must stand. The rules: first what is relied on, then sets, then rows, then which rows the switches
refer to, at last the sets that nothing refers to any more; one mutation for each switch, which names each row once.
"""

from collections.abc import Callable, Mapping
from typing import ParamSpec

import msgspec

from nqosd.northbound.plan.operations import (
    Operation,
    OperationKind,
    RowTarget,
    Subject,
    SwitchName,
    mutate,
    named,
    wait_for,
)
from nqosd.ovsdb import schema, wire

Arguments = ParamSpec("Arguments")


class SwitchEdit(msgspec.Struct):
    """What a switch comes to refer to and what no more: uuids, and names of rows that are inserted (`inserted`).

    They are sets, since the server refuses a mutation that names a row twice.
    """

    name: str
    inserted: set[str] = msgspec.field(default_factory=set)
    attached: set[str] = msgspec.field(default_factory=set)
    detached: set[str] = msgspec.field(default_factory=set)

    def mutation(self, uuid: str) -> Operation:
        """Return the one operation that changes what the switch with that uuid refers to."""
        came = [*map(named, sorted(self.inserted)), *map(wire.uuid, sorted(self.attached))]
        went = list(map(wire.uuid, sorted(self.detached)))
        return mutate(
            OperationKind.SWITCH_MUTATE, RowTarget(schema.SWITCH, uuid, SwitchName(self.name)), "qos_rules", came, went
        )


class Draft(msgspec.Struct):
    """Operations by the place where they must stand."""

    waits: dict[str, Operation] = {}
    """By uuid of the row, since one guard is enough."""
    sets: list[Operation] = []
    rows: list[Operation] = []
    switches: dict[str, SwitchEdit] = {}
    deletions: list[Operation] = []
    failed: dict[Subject, Exception] = {}

    def attempt(
        self, subject: Subject, work: Callable[Arguments, None], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> None:
        """Do a part of the work; if that raises, the whole draft is of no use, and `failed` says for whose sake."""
        try:
            work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one object must not keep others waiting)
            self.failed[subject] = error

    @property
    def changes_structure(self) -> bool:
        """Whether a row or an attachment changes, so that northd will compute everything anew."""
        return bool(self.rows or self.switches)

    def guard(self, target: RowTarget, columns: Mapping[str, object]) -> None:
        """Rely on a row being there with these values."""
        self.waits.setdefault(target.uuid, wait_for(target, columns))

    def edit_switch(self, uuid: str, name: str) -> SwitchEdit:
        """Return the edit of a switch, and rely on the switch being there under that name."""
        if uuid not in self.switches:
            self.guard(RowTarget(schema.SWITCH, uuid, SwitchName(name)), {"name": name})
            self.switches[uuid] = SwitchEdit(name)
        return self.switches[uuid]

    def operations(self) -> tuple[Operation, ...]:
        """Return everything in its order."""
        edits = sorted(self.switches.items(), key=lambda item: (item[1].name, item[0]))
        mutations = [edit.mutation(uuid) for uuid, edit in edits]
        return (*self.waits.values(), *self.sets, *self.rows, *mutations, *self.deletions)
