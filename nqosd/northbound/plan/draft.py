"""A transaction in the making.

In: operations in whatever order they are thought of, and edits of switches one rule at a time. Out: all of them in the
order in which they must stand. The rule: first what is relied on, then sets, then rows, then which rows the switches
refer to, at last the sets that nothing refers to any more; one mutation for each switch.
"""

from collections.abc import Mapping

import attrs

from nqosd.northbound.ovsdb import schema
from nqosd.northbound.plan.operations import Kind, Operation, SwitchName, Target, mutate, wait_for


@attrs.define
class SwitchEdit:
    """What a switch comes to refer to (encoded uuids) and what no more."""

    name: str
    attached: list[object] = attrs.field(factory=list)
    detached: list[object] = attrs.field(factory=list)


@attrs.define
class Draft:
    """Operations by the place where they must stand."""

    waits: dict[str, Operation] = attrs.field(factory=dict)
    """By uuid of the row, since one guard is enough."""
    sets: list[Operation] = attrs.field(factory=list)
    rows: list[Operation] = attrs.field(factory=list)
    switches: dict[str, SwitchEdit] = attrs.field(factory=dict)
    deletions: list[Operation] = attrs.field(factory=list)

    @property
    def changes_structure(self) -> bool:
        """Whether a row or an attachment changes, so that northd will compute everything anew."""
        return bool(self.rows or self.switches)

    def guard(self, target: Target, columns: Mapping[str, object]) -> None:
        """Rely on a row being there with these values."""
        self.waits.setdefault(target.uuid, wait_for(target, columns))

    def edit_switch(self, uuid: str, name: str) -> SwitchEdit:
        """Return the edit of a switch, and rely on the switch being there under that name."""
        if uuid not in self.switches:
            self.guard(Target(schema.SWITCH, uuid, SwitchName(name)), {"name": name})
            self.switches[uuid] = SwitchEdit(name)
        return self.switches[uuid]

    def operations(self) -> tuple[Operation, ...]:
        """Return everything in its order."""
        edits = sorted(self.switches.items(), key=lambda item: (item[1].name, item[0]))
        mutations = [
            mutate(
                Kind.SWITCH_MUTATE,
                Target(schema.SWITCH, uuid, SwitchName(edit.name)),
                "qos_rules",
                edit.attached,
                edit.detached,
            )
            for uuid, edit in edits
        ]
        return (*self.waits.values(), *self.sets, *self.rows, *mutations, *self.deletions)
