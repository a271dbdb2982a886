"""A model of an OVN Northbound database: executes RFC 7047 operations and tells a replica what changed.

It stands in for ovsdb-server where a test wants thousands of databases. The rule: it refuses what the real one refuses,
with the same error at the same operation; `tools/replay.py` holds the two against each other. Two things are
simpler: it has only the columns that nqosd uses, and ports that never belonged to a switch stay.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import cast

from nqosd.compiler.desired import OWNER
from nqosd.northbound.plan.operations import Operation
from nqosd.northbound.replica.replica import Replica
from nqosd.ovsdb.schema import OWNED
from tests.northbound.execution import Execution
from tests.northbound.ovsdb_types import RefusedError, check_text
from tests.northbound.tables import DEFAULTS, Row, Tables, check_names, check_references, collect, copied, encode
from tests.services.generation import GENERATIONS, OvnGeneration


class ModelDatabase:
    """The tables, and the replica of one instance that is kept up to date."""

    def __init__(self, owner: str = "nqosd", generation: OvnGeneration = GENERATIONS[-1]) -> None:
        self.owner = owner
        self.tables: Tables = {table: {} for table in DEFAULTS}
        self.replica = Replica(owner)
        self.watched: set[str] = set()
        self._generation = generation
        self._serial = itertools.count(1)

    def execute(self, operations: Iterable[Operation]) -> None:
        """Execute planned operations in one transaction."""
        self.transact(*(operation.body for operation in operations))

    def transact(self, *bodies: Mapping[str, object]) -> list[object]:
        """Execute operations in one transaction; return for each a uuid, a number of rows, or None for a `wait`.

        Raises:
            RefusedError: one of them failed, or a rule of the schema would be broken.
        """
        before = self.tables
        self.tables = copied(before)
        execution = Execution(self.tables, self._generation, self._new_uuid)
        place: int | None = None
        answers: list[object] = []
        try:
            check_text(bodies)
            for number, body in enumerate(bodies):
                place = number
                answers.append(execution.do(body))
            place = None
            check_references(self.tables)
            collect(self.tables, before)
            check_names(self.tables)
        except RefusedError as error:
            self.tables, error.place = before, place
            error.done = ["uuid" if isinstance(each, str) else each for each in answers]
            raise
        self._notify(before)
        return answers

    def add(self, table: str, **columns: object) -> str:
        """Put a row into a table, from outside of any plan; return its uuid."""
        before, uuid = copied(self.tables), self._new_uuid()
        self.tables[table][uuid] = DEFAULTS[table] | columns
        self._notify(before)
        return uuid

    def edit(self, table: str, uuid: str, **columns: object) -> None:
        """Overwrite columns of a row, from outside of any plan."""
        before = copied(self.tables)
        self.tables[table][uuid] |= columns
        collect(self.tables, before)
        self._notify(before)

    def remove(self, table: str, uuid: str) -> None:
        """Take a row out of a table, from outside of any plan."""
        before = copied(self.tables)
        del self.tables[table][uuid]
        collect(self.tables, before)
        self._notify(before)

    def watch(self, names: Iterable[str]) -> None:
        """Show sets of these names whoever owns them, and no other sets of others."""
        before, self.watched = self.watched, set(names)
        for table in ("Address_Set", "Port_Group"):
            for uuid, row in self.tables[table].items():
                if not self._is_mine(row) and (row["name"] in before) != (row["name"] in self.watched):
                    shown = row["name"] in self.watched
                    self.replica.apply(table, uuid, {"insert": _columns_of(table, row)} if shown else {"delete": None})

    def refill(self) -> None:
        """Send everything again, as after a reconnect."""
        self.replica.clear()
        self._notify({table: {} for table in DEFAULTS})

    def rows(self, table: str, **columns: object) -> list[str]:
        """Return the uuids of the rows with these values."""
        return [uuid for uuid, row in self.tables[table].items() if all(row[name] == columns[name] for name in columns)]

    def foreign(self) -> Tables:
        """Return the rows of others, and which of them each switch refers to."""
        mine = {uuid for uuid, row in self.tables["QoS"].items() if self._is_mine(row)}
        kept: Tables = {
            table: {uuid: row for uuid, row in rows.items() if table not in OWNED or not self._is_mine(row)}
            for table, rows in copied(self.tables).items()
        }
        for switch in kept["Logical_Switch"].values():
            switch["qos_rules"] = cast("frozenset[str]", switch["qos_rules"]) - mine
        return kept

    def _notify(self, before: Tables) -> None:
        for table in sorted(DEFAULTS, reverse=True):
            old_rows, new_rows = before[table], self.tables[table]
            for uuid in sorted(old_rows.keys() | new_rows.keys()):
                old = old_rows.get(uuid) if self._is_seen(table, old_rows.get(uuid)) else None
                new = new_rows.get(uuid) if self._is_seen(table, new_rows.get(uuid)) else None
                if new is not None and old is None:
                    self.replica.apply(table, uuid, {"insert": _columns_of(table, new)})
                elif old is not None and new is None:
                    self.replica.apply(table, uuid, {"delete": None})
                elif old is not None and new is not None and old != new:
                    changed = {
                        name: encode(name, _diff(old[name], new[name])) for name in new if new[name] != old[name]
                    }
                    self.replica.apply(table, uuid, {"modify": changed})

    def _is_seen(self, table: str, row: Row | None) -> bool:
        if row is None or table not in OWNED or table == "QoS":
            return row is not None
        return self._is_mine(row) or row["name"] in self.watched

    def _is_mine(self, row: Row) -> bool:
        return cast("dict[str, str]", row["external_ids"]).get(OWNER) == self.owner

    def _new_uuid(self) -> str:
        return f"00000000-0000-0000-0000-{next(self._serial):012d}"


def _columns_of(table: str, row: Row) -> Row:
    """Encode a row as the monitor does when it is new: without columns that have their default."""
    return {name: encode(name, value) for name, value in row.items() if value != DEFAULTS[table][name]}


def _diff(old: object, new: object) -> object:
    """Say a change as the monitor does: members and pairs that came or went, anything else as it is now."""
    if isinstance(old, frozenset) and isinstance(new, frozenset):
        return old ^ new
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: old[key] for key in old.keys() - new.keys()} | {
            key: new[key] for key in new if key not in old or new[key] != old[key]
        }
    return new
