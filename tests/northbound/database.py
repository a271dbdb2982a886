"""A model of an OVN Northbound database: executes RFC 7047 operations and tells a replica what changed.

It stands in for ovsdb-server where a test wants thousands of databases; other tests hold the same against a real one.
The rule: it refuses what the real one refuses (a `wait` that fails, a second row of one name, a set that names a member
twice), keeps a QoS row only while a switch refers to it, and drops weak references to ports that are gone.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import cast

from nqosd.compiler.desired import OWNER
from nqosd.northbound.plan.operations import Operation
from nqosd.northbound.replica.replica import Replica

Row = dict[str, object]
Tables = dict[str, dict[str, Row]]

DEFAULTS: dict[str, Row] = {
    "QoS": {"priority": 0, "direction": "", "match": "", "action": {}, "bandwidth": {}, "external_ids": {}},
    "Address_Set": {"name": "", "addresses": frozenset(), "external_ids": {}},
    "Port_Group": {"name": "", "ports": frozenset(), "external_ids": {}},
    "Logical_Switch": {"name": "", "qos_rules": frozenset()},
    "Logical_Switch_Port": {"name": ""},
    "NB_Global": {"name": "", "options": {}},
}
UNIQUE_NAMES = ("Address_Set", "Port_Group", "Logical_Switch_Port")
REFERENCES = {"ports", "qos_rules"}


class RefusedError(Exception):
    """The transaction was refused; nothing was written. `place`: which operation it was, None when none alone was."""

    place: int | None = None


class ModelDatabase:
    """The tables, and the replica of one instance that is kept up to date."""

    def __init__(self, owner: str = "nqosd") -> None:
        self.owner = owner
        self.tables: Tables = {table: {} for table in DEFAULTS}
        self.replica = Replica(owner)
        self.watched: set[str] = set()
        self._serial = itertools.count(1)

    def execute(self, operations: Iterable[Operation]) -> None:
        """Execute planned operations in one transaction."""
        self.transact(*(operation.body for operation in operations))

    def transact(self, *bodies: Mapping[str, object]) -> None:
        """Execute operations in one transaction.

        Raises:
            RefusedError: one of them failed, or a rule of the schema would be broken.
        """
        before = self.tables
        self.tables = _copied(before)
        try:
            names: dict[str, str] = {}
            place: int | None = None
            for number, body in enumerate(bodies):
                place = number
                self._do(body, names)
            place = None
            self._collect()
            self._check()
        except RefusedError as error:
            self.tables, error.place = before, place
            raise
        self._notify(before)

    def add(self, table: str, **columns: object) -> str:
        """Put a row into a table, from outside of any plan; return its uuid."""
        before, uuid = _copied(self.tables), self._new_uuid()
        self.tables[table][uuid] = DEFAULTS[table] | columns
        self._notify(before)
        return uuid

    def edit(self, table: str, uuid: str, **columns: object) -> None:
        """Overwrite columns of a row, from outside of any plan."""
        before = _copied(self.tables)
        self.tables[table][uuid] |= columns
        self._collect()
        self._notify(before)

    def remove(self, table: str, uuid: str) -> None:
        """Take a row out of a table, from outside of any plan."""
        before = _copied(self.tables)
        del self.tables[table][uuid]
        self._collect()
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
            table: {uuid: row for uuid, row in rows.items() if "external_ids" not in row or not self._is_mine(row)}
            for table, rows in _copied(self.tables).items()
        }
        for switch in kept["Logical_Switch"].values():
            switch["qos_rules"] = cast("frozenset[str]", switch["qos_rules"]) - mine
        return kept

    def _do(self, body: Mapping[str, object], names: dict[str, str]) -> None:
        table = str(body["table"])
        match body["op"]:
            case "insert":
                uuid = self._new_uuid()
                if "uuid-name" in body:
                    names[str(body["uuid-name"])] = uuid
                self.tables[table][uuid] = DEFAULTS[table] | self._columns(body["row"], names)
            case "update":
                for uuid in self._select(table, body):
                    self.tables[table][uuid] |= self._columns(body["row"], names)
            case "delete":
                for uuid in self._select(table, body):
                    del self.tables[table][uuid]
            case "mutate":
                for uuid in self._select(table, body):
                    self._mutate(self.tables[table][uuid], cast("list[list[object]]", body["mutations"]), names)
            case "wait":
                self._wait(table, body, names)
            case other:
                raise AssertionError(f"the model knows no operation {other!r}")

    def _wait(self, table: str, body: Mapping[str, object], names: dict[str, str]) -> None:
        assert (body["until"], body["timeout"]) == ("==", 0)
        columns = cast("list[str]", body["columns"])
        found = [{name: self.tables[table][uuid][name] for name in columns} for uuid in self._select(table, body)]
        if found != [self._columns(row, names) for row in cast("list[object]", body["rows"])]:
            raise RefusedError(f"timed out: {body}, found {found}")

    def _select(self, table: str, body: Mapping[str, object]) -> list[str]:
        ((column, function, value),) = cast("list[list[object]]", body["where"])
        assert (column, function) == ("_uuid", "==")
        uuid = cast("list[str]", value)[1]
        return [uuid] if uuid in self.tables[table] else []

    def _mutate(self, row: Row, mutations: list[list[object]], names: dict[str, str]) -> None:
        for column, mutator, value in mutations:
            old, changed = cast("frozenset[str]", row[str(column)]), cast("frozenset[str]", _decode(value, names))
            assert mutator in {"insert", "delete"}
            row[str(column)] = old | changed if mutator == "insert" else old - changed

    def _columns(self, row: object, names: dict[str, str]) -> Row:
        return {column: _decode(value, names) for column, value in cast("Row", row).items()}

    def _collect(self) -> None:
        """Drop QoS rows that no switch refers to, and references to ports that are gone."""
        used = {uuid for row in self.tables["Logical_Switch"].values() for uuid in cast("set[str]", row["qos_rules"])}
        self.tables["QoS"] = {uuid: row for uuid, row in self.tables["QoS"].items() if uuid in used}
        for row in self.tables["Port_Group"].values():
            row["ports"] = cast("frozenset[str]", row["ports"]).intersection(self.tables["Logical_Switch_Port"])

    def _check(self) -> None:
        for table in UNIQUE_NAMES:
            names = [row["name"] for row in self.tables[table].values()]
            if len(set(names)) != len(names):
                raise RefusedError(f"constraint violation: two rows of {table} have one name")
        for row in self.tables["Logical_Switch"].values():
            if not cast("frozenset[str]", row["qos_rules"]) <= self.tables["QoS"].keys():
                raise RefusedError("referential integrity violation: a switch refers to a row that isn't there")

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
                        name: _encode(name, _diff(old[name], new[name])) for name in new if new[name] != old[name]
                    }
                    self.replica.apply(table, uuid, {"modify": changed})

    def _is_seen(self, table: str, row: Row | None) -> bool:
        if row is None or "external_ids" not in row:
            return row is not None
        return self._is_mine(row) or (table != "QoS" and row["name"] in self.watched)

    def _is_mine(self, row: Row) -> bool:
        return cast("dict[str, str]", row["external_ids"]).get(OWNER) == self.owner

    def _new_uuid(self) -> str:
        return f"00000000-0000-0000-0000-{next(self._serial):012d}"


def _copied(tables: Tables) -> Tables:
    """Copy tables and rows; values are replaced, never changed."""
    return {table: {uuid: dict(row) for uuid, row in rows.items()} for table, rows in tables.items()}


def _columns_of(table: str, row: Row) -> Row:
    """Encode a row as the monitor does when it is new: without columns that have their default."""
    return {name: _encode(name, value) for name, value in row.items() if value != DEFAULTS[table][name]}


def _decode(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, list):
        tag, content = value
        match tag:
            case "map":
                return dict(content)
            case "set":
                members = [str(_decode(each, names)) for each in content]
                if len(set(members)) != len(members):
                    raise RefusedError("ovsdb error: set contains duplicate")
                return frozenset(members)
            case "uuid":
                return content
            case "named-uuid":
                return names[content]
    return value


def _encode(column: str, value: object) -> object:
    if isinstance(value, dict):
        return ["map", [[key, value[key]] for key in sorted(value)]]
    if isinstance(value, frozenset):
        members = [["uuid", each] if column in REFERENCES else each for each in sorted(value)]
        return members[0] if len(members) == 1 else ["set", members]
    return value


def _diff(old: object, new: object) -> object:
    """Say a change as the monitor does: members and pairs that came or went, anything else as it is now."""
    if isinstance(old, frozenset) and isinstance(new, frozenset):
        return old ^ new
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: old[key] for key in old.keys() - new.keys()} | {
            key: new[key] for key in new if key not in old or new[key] != old[key]
        }
    return new
