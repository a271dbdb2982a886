"""What changed in the replica since somebody last looked.

Filled by the tables of the replica, emptied by the reconciler. The rule: it names everything that may now differ from
what is desired, and the members of a set one by one, so that looking at a change never costs more than the change.
"""

from collections.abc import Iterable

import msgspec

from nqosd.compiler.desired import RowKey


class Changes(msgspec.Struct):
    """Names of what changed.

    `sets`: for each address set or port group the members that came or went; None stands for any of them. `unused`:
    sets that a row of ours referred to, and now none does. `unreadable`: a row of ours came that doesn't say what it is
    for. `surroundings`: what isn't ours on some switch, until somebody asks for that. `cleared`: the whole replica was
    emptied and filled again. `renamed`: a port has another name, so a group that has it may have a port of somebody
    else.
    """

    rows: set[RowKey] = msgspec.field(default_factory=set)
    sets: dict[str, set[str] | None] = {}
    unused: set[str] = msgspec.field(default_factory=set)
    switches: set[str] = msgspec.field(default_factory=set)
    ports: set[str] = msgspec.field(default_factory=set)
    unreadable: bool = False
    globals_: bool = False
    surroundings: bool = False
    cleared: bool = False
    renamed: bool = False

    def touch_set(self, name: str, members: Iterable[str] | None = None) -> None:
        """Note that these members of a set came or went; None: any of them, or its other columns."""
        if members is None:
            self.sets[name] = None
        elif (touched := self.sets.setdefault(name, set())) is not None:
            touched.update(members)

    def __bool__(self) -> bool:
        return bool(
            self.rows
            or self.sets
            or self.unused
            or self.switches
            or self.ports
            or self.unreadable
            or self.globals_
            or self.cleared
        )
