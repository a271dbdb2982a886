"""What other people do to a database, ours and theirs alike."""

from collections.abc import Callable, Mapping

import attrs
from hypothesis import strategies as st

from nqosd.compiler.desired import OWNER
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import ADDRESSES, PORTS, SETS, SWITCHES

NEW = ("Logical_Switch", "Logical_Switch_Port", "Address_Set")
REMOVED = ("Logical_Switch", "Logical_Switch_Port", "Address_Set", "Port_Group")
CHANGES: tuple[tuple[str, Callable[[str], Mapping[str, object]]], ...] = (
    ("Logical_Switch", lambda name: {"name": name}),
    ("Logical_Switch", lambda _name: {"qos_rules": frozenset()}),
    ("QoS", lambda _name: {"priority": 7}),
    ("QoS", lambda _name: {"external_ids": {OWNER: "nqosd"}}),
    ("Address_Set", lambda name: {"addresses": frozenset({name})}),
    ("Address_Set", lambda _name: {"external_ids": {OWNER: "other"}}),
    ("Address_Set", lambda _name: {"external_ids": {OWNER: "nqosd"}}),
    ("Port_Group", lambda _name: {"ports": frozenset()}),
)


@attrs.frozen
class Add:
    """A row that comes, if its name is free where names are unique."""

    table: str
    name: str

    def apply(self, database: ModelDatabase) -> None:
        """Make the change."""
        if self.table == "Logical_Switch" or not database.rows(self.table, name=self.name):
            owner = {"external_ids": {OWNER: "other"}} if self.table == "Address_Set" else {}
            database.add(self.table, name=self.name, **owner)


@attrs.frozen
class Remove:
    """A row that goes; `pick` chooses among what there is."""

    table: str
    pick: int

    def apply(self, database: ModelDatabase) -> None:
        """Make the change, if there is a row."""
        if (uuid := chosen(database, self.table, self.pick)) is not None:
            database.remove(self.table, uuid)


@attrs.frozen
class Change:
    """A row that changes; `change` is a place in `CHANGES`, `pick` chooses among what there is."""

    change: int
    pick: int
    name: str

    def apply(self, database: ModelDatabase) -> None:
        """Make the change, if there is a row."""
        table, columns = CHANGES[self.change]
        if (uuid := chosen(database, table, self.pick)) is not None:
            database.edit(table, uuid, **columns(self.name))


Edit = Add | Remove | Change


def chosen(database: ModelDatabase, table: str, pick: int) -> str | None:
    """Choose a row, if there is one."""
    uuids = sorted(database.tables[table])
    return uuids[pick % len(uuids)] if uuids else None


def edits() -> st.SearchStrategy[Edit]:
    """Draw an edit."""
    names = {"Logical_Switch": SWITCHES, "Logical_Switch_Port": PORTS, "Address_Set": SETS}
    picks = st.integers(0, 5)
    return st.one_of(
        st.sampled_from(NEW).flatmap(lambda table: st.builds(Add, st.just(table), st.sampled_from(names[table]))),
        st.builds(Remove, st.sampled_from(REMOVED), picks),
        st.integers(0, len(CHANGES) - 1).flatmap(
            lambda change: st.builds(
                Change,
                st.just(change),
                picks,
                st.sampled_from(SWITCHES if CHANGES[change][0] == "Logical_Switch" else ADDRESSES),
            )
        ),
    )
