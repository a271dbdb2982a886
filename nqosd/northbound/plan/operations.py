"""Operations of RFC 7047, section 5.2, each with the object that it is about.

In: uuids and columns. Out: values whose `body` is what the server gets. The rules: equal arguments give equal bytes, so
sets and maps are sorted; text that no database can hold is refused here (`wire.UnfitError`), since a server closes the
connection on it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from nqosd.compiler.desired import RowKey
from nqosd.ovsdb import wire


class OperationKind(StrEnum):
    """What an operation does; the value is the label of the metric."""

    WAIT = "wait"
    ROW_INSERT = "row_insert"
    ROW_UPDATE = "row_update"
    SWITCH_MUTATE = "switch_mutate"
    SET_INSERT = "set_insert"
    SET_MUTATE = "set_mutate"
    SET_UPDATE = "set_update"
    SET_DELETE = "set_delete"
    RECORD = "record"


class SetName(msgspec.Struct, frozen=True):
    """The name of an address set or port group, as the object of an operation."""

    name: str


class SwitchName(msgspec.Struct, frozen=True):
    """The name of a logical switch, as the object of an operation."""

    name: str


class RecordName(msgspec.Struct, frozen=True):
    """The name of the writer's record, as the object of an operation."""

    name: str


Subject: TypeAlias = RowKey | SetName | SwitchName | RecordName


def describe(subject: Subject) -> str:
    """Name an object for people."""
    match subject:
        case RowKey(switch=""):
            return "a row whose external_ids don't say what it is for"
        case RowKey():
            return str(subject)
        case SetName():
            return f"set {subject.name}"
        case SwitchName():
            return f"logical switch {subject.name}"
        case RecordName():
            return f"the writer's record {subject.name}"


def kind_of(subject: Subject) -> str:
    """Say what kind of object it is; the value is the label of a metric."""
    match subject:
        case RowKey():
            return "row"
        case SetName():
            return "set"
        case SwitchName():
            return "switch"
        case RecordName():
            return "record"


class Operation(msgspec.Struct, frozen=True):
    """One operation, and the object that is to blame when the server refuses it."""

    kind: OperationKind
    subject: Subject
    body: Mapping[str, object]


class RowTarget(msgspec.Struct, frozen=True):
    """A row that is there: its table, its uuid, and the object it stands for."""

    table: str
    uuid: str
    subject: Subject

    @property
    def where(self) -> list[object]:
        """The condition that selects it."""
        return [["_uuid", "==", wire.uuid(self.uuid)]]


def wait_for(target: RowTarget, columns: Mapping[str, object]) -> Operation:
    """Refuse the transaction unless the row is there and has these values now."""
    body = {
        "op": "wait",
        "table": target.table,
        "timeout": 0,
        "where": target.where,
        "columns": sorted(columns),
        "until": "==",
        "rows": [dict(columns)],
    }
    return Operation(OperationKind.WAIT, target.subject, body)


def insert(
    kind: OperationKind, table: str, subject: Subject, columns: Mapping[str, object], name: str | None = None
) -> Operation:
    """Insert a row; `name` is how other operations of the same transaction refer to it (`named`)."""
    body: dict[str, object] = {"op": "insert", "table": table, "row": wire.checked(columns)}
    if name is not None:
        body["uuid-name"] = name
    return Operation(kind, subject, body)


def named(name: str) -> list[str]:
    """Refer to a row that is inserted by the same transaction."""
    return ["named-uuid", name]


def update(kind: OperationKind, target: RowTarget, columns: Mapping[str, object]) -> Operation:
    """Overwrite columns of a row."""
    body = {"op": "update", "table": target.table, "where": target.where, "row": wire.checked(columns)}
    return Operation(kind, target.subject, body)


def delete(kind: OperationKind, target: RowTarget) -> Operation:
    """Delete a row."""
    return Operation(kind, target.subject, {"op": "delete", "table": target.table, "where": target.where})


def mutate(
    kind: OperationKind, target: RowTarget, column: str, inserted: Sequence[object], deleted: Sequence[object]
) -> Operation:
    """Add members to a set column and take others out of it."""
    mutations: list[object] = []
    if deleted:
        mutations.append([column, "delete", ["set", list(deleted)]])
    if inserted:
        wire.checked({column: inserted})
        mutations.append([column, "insert", ["set", list(inserted)]])
    body = {"op": "mutate", "table": target.table, "where": target.where, "mutations": mutations}
    return Operation(kind, target.subject, body)
