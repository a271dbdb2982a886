"""Executes operations of RFC 7047, section 5.2, on the tables of the model database.

In: operations as JSON. Out: changed tables, and an answer to each. The rule: what ovsdb-server refuses is refused, with
the same error at the same operation; a condition can only be about the uuid, which is all that a plan ever asks for.
"""

from collections.abc import Callable, Mapping
from typing import cast

from tests.northbound.ovsdb_types import Atom, RefusedError, Type, columns_of, is_id
from tests.northbound.tables import DEFAULTS, Row, Tables, encode
from tests.services.generation import OvnGeneration

MEMBERS: Mapping[str, tuple[set[str], set[str]]] = {
    "insert": ({"op", "table", "row"}, {"uuid-name"}),
    "update": ({"op", "table", "where", "row"}, set()),
    "mutate": ({"op", "table", "where", "mutations"}, set()),
    "delete": ({"op", "table", "where"}, set()),
    "wait": ({"op", "table", "where", "until", "rows"}, {"timeout", "columns"}),
}
"""What an operation must have, and what it may have."""
UUID = Atom("uuid")


class Execution:
    """One transaction on its way; it changes `tables`."""

    def __init__(self, tables: Tables, generation: OvnGeneration, new_uuid: Callable[[], str]) -> None:
        self.tables = tables
        self._types = columns_of(generation)
        self._new_uuid = new_uuid
        self._names: dict[str, str] = {}
        self._inserted: set[str] = set()

    def do(self, body: Mapping[str, object]) -> object:
        """Execute one operation; return a uuid, a number of rows, or None for a `wait`.

        Raises:
            RefusedError: it is refused.
        """
        op = body.get("op")
        if not isinstance(op, str) or op not in MEMBERS:
            raise RefusedError("syntax error", f"no operation {op!r}")
        needed, optional = MEMBERS[op]
        if not needed <= body.keys() <= needed | optional:
            raise RefusedError("syntax error", f"{op} needs {sorted(needed)}")
        table = body["table"]
        if not isinstance(table, str) or table not in self.tables:
            raise RefusedError("syntax error", f"no table named {table!r}")
        if op == "insert":
            return self._insert(table, body)
        if op == "wait":
            self._wait(table, body)
            return None
        found = self._select(table, body["where"])
        rows = self.tables[table]
        if op == "update":
            columns = self._columns(table, body["row"])
            for uuid in found:
                rows[uuid] |= columns
        elif op == "delete":
            for uuid in found:
                del rows[uuid]
        else:
            self._mutate(table, found, body["mutations"])
        return len(found)

    def _insert(self, table: str, body: Mapping[str, object]) -> str:
        uuid = self._new_uuid()
        if "uuid-name" in body:
            name = body["uuid-name"]
            if not is_id(name):
                raise RefusedError("syntax error", f"uuid-name {name!r}")
            if str(name) in self._inserted:
                raise RefusedError("duplicate uuid-name", str(name))
            self._inserted.add(str(name))
            uuid = self._uuid_named(str(name))
        columns = self._columns(table, body["row"])
        for column in DEFAULTS[table].keys() - columns.keys():
            type_ = self._types[table][column]
            if type_.is_scalar:
                type_.decode(type_.default, self._uuid_named)  # a default may not be admitted
        self.tables[table][uuid] = self._defaults(table) | columns
        return uuid

    def _wait(self, table: str, body: Mapping[str, object]) -> None:
        names = body.get("columns", ["_uuid"])  # without columns all must be equal, and no two rows have one uuid
        if not isinstance(names, list) or not isinstance(body["rows"], list) or body["until"] not in {"==", "!="}:
            raise RefusedError("syntax error", "wait")
        if not isinstance(body.get("timeout", 0), int):
            raise RefusedError("syntax error", "timeout")
        found = self._select(table, body["where"])
        if not {"_uuid", *DEFAULTS[table]} >= set(map(str, names)) or len(set(map(str, names))) != len(names):
            raise RefusedError("syntax error", f"columns {names}")
        wanted = [self._defaults(table) | self._columns(table, row) for row in body["rows"]]
        there = [{name: self.tables[table][uuid].get(name, uuid) for name in names} for uuid in found]
        expected = [{name: row.get(name, "") for name in names} for row in wanted]
        if (sorted(map(_text, there)) == sorted(map(_text, expected))) != (body["until"] == "=="):
            raise RefusedError("timed out", f"{body}, found {there}")

    def _select(self, table: str, where: object) -> list[str]:
        """Find rows by their uuid, which is all that a plan ever asks for."""
        if not isinstance(where, list):
            raise RefusedError("syntax error", f"where {where!r}")
        found = list(self.tables[table])
        for clause in where:
            if (
                not isinstance(clause, list)
                or len(clause) != 3
                or not all(isinstance(each, str) for each in clause[:2])
            ):
                raise RefusedError("syntax error", f"condition {clause!r}")
            column, function, value = clause
            uuid = UUID.decode(value, self._uuid_named) if column == "_uuid" else self._type(table, column)
            if function != "==" or column != "_uuid":
                raise RefusedError("unknown function", f"{function!r}")
            found = [each for each in found if each == uuid]
        return found

    def _mutate(self, table: str, found: list[str], mutations: object) -> None:
        if not isinstance(mutations, list):
            raise RefusedError("syntax error", f"mutations {mutations!r}")
        changes = [self._mutation(table, mutation) for mutation in mutations]
        for uuid in found:
            row = self.tables[table][uuid]
            for column, mutator, value in changes:
                row[column] = _mutated(row[column], mutator, value)

    def _mutation(self, table: str, mutation: object) -> tuple[str, str, object]:
        if (
            not isinstance(mutation, list)
            or len(mutation) != 3
            or not all(isinstance(each, str) for each in mutation[:2])
        ):
            raise RefusedError("syntax error", f"mutation {mutation!r}")
        column, mutator, value = mutation
        type_ = self._type(table, column)
        if mutator not in {"insert", "delete", "+=", "-=", "*=", "/=", "%="}:
            raise RefusedError("unknown mutator", mutator)
        if mutator not in {"insert", "delete"} or type_.is_scalar:
            raise RefusedError("syntax error", f"{mutator} may not be applied to column {column}")
        if type_.value is not None and mutator == "delete" and isinstance(value, list) and value[:1] != ["map"]:
            type_ = Type(type_.key)
        return column, mutator, type_.any_number().decode(value, self._uuid_named)

    def _columns(self, table: str, row: object) -> Row:
        if not isinstance(row, dict):
            raise RefusedError("syntax error", f"row {row!r}")
        return {column: self._type(table, column).decode(value, self._uuid_named) for column, value in row.items()}

    def _type(self, table: str, column: object) -> Type:
        if not isinstance(column, str):
            raise RefusedError("syntax error", f"column {column!r}")
        if column not in DEFAULTS[table]:
            raise RefusedError("unknown column", f"{table}.{column}")
        return self._types[table][column]

    def _defaults(self, table: str) -> Row:
        return {column: self._types[table][column].default for column in DEFAULTS[table]}

    def _uuid_named(self, name: str) -> str:
        """Give the uuid of a row that is inserted under a name, before or after this."""
        return self._names.setdefault(name, self._new_uuid())


def _mutated(old: object, mutator: str, value: object) -> object:
    """Insert members, or delete them; in a map a key that is there already keeps its value."""
    if isinstance(old, dict):
        if mutator == "insert":
            return cast("Row", value) | old
        pairs = value.items() if isinstance(value, dict) else [(key, old.get(key)) for key in cast("set[str]", value)]
        gone = {key for key, each in pairs if key in old and old[key] == each}
        return {key: each for key, each in old.items() if key not in gone}
    members = cast("frozenset[object]", old)
    return (
        members | cast("frozenset[object]", value)
        if mutator == "insert"
        else members - cast("frozenset[object]", value)
    )


def _text(row: Row) -> str:
    """Write a row so that equal rows are equal texts."""
    return repr([(name, encode(name, value)) for name, value in sorted(row.items())])
