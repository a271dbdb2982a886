"""Who owns what in a Northbound database, and the operations that let it change hands.

In: all rows of a few tables, as JSON of RFC 7047. Out: `Holdings`; from them, operations that remove rows or give them
another owner. Pure. Rules: a row is somebody's if its external_ids say so, whatever else is in it; everything that is
relied on is guarded by a `wait`, so a row that changes meanwhile makes the transaction fail as a whole.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nqosd.compiler.desired import OWNER, RowKey
from nqosd.northbound.plan.draft import Draft
from nqosd.northbound.plan.operations import Operation, OperationKind, RowTarget, SetName, Subject, delete, update
from nqosd.northbound.replica.stored import THEIR_NAME, key_of
from nqosd.ovsdb import schema, wire

TABLES = (schema.QOS, schema.ADDRESS_SET, schema.PORT_GROUP, schema.SWITCH)

THEIR_RULE = "rule-index"


class Held(msgspec.Struct, frozen=True):
    """A row of the table QoS, Address_Set or Port_Group. `name` is a set's name, empty for a QoS row."""

    table: str
    uuid: str
    external_ids: Mapping[str, str]
    name: str = ""
    contents: str = ""
    """Everything else in it, as text: equal contents are equal texts."""

    @property
    def policy(self) -> str:
        """The policy that it is for, `namespace/name`; empty where it doesn't say."""
        key = key_of(self.external_ids)
        return self.external_ids.get(THEIR_NAME, "").replace(":", "/", 1) if key is None else key.policy

    @property
    def subject(self) -> Subject:
        """The object as operations name it."""
        if self.table != schema.QOS:
            return SetName(self.name)
        rule = self.external_ids.get(THEIR_RULE, "")
        found = key_of(self.external_ids)
        return found or RowKey(self.policy, int(rule) if rule.isdecimal() else -1, "", "")


class Holdings(msgspec.Struct, frozen=True):
    """All rows of the tables that can be somebody's; `switches` by uuid: the name, and uuids of the rows on it."""

    rows: tuple[Held, ...]
    switches: Mapping[str, tuple[str, frozenset[str]]]

    @classmethod
    def of(cls, tables: Mapping[str, Sequence[Mapping[str, object]]]) -> "Holdings":
        """Take rows as a `select` gives them, by table."""
        rows = tuple(_held(name, row) for name in TABLES if name != schema.SWITCH for row in tables[name])
        switches = {
            wire.uuids(row["_uuid"])[0]: (str(row["name"]), frozenset(wire.uuids(row["qos_rules"])))
            for row in tables[schema.SWITCH]
        }
        return cls(tuple(sorted(rows, key=lambda row: (row.table, row.policy, row.name, row.uuid))), switches)

    def marked(self, mark: Mapping[str, str]) -> tuple[Held, ...]:
        """Give the rows whose external_ids have all of a mark; never those of an instance of nqosd but its own mark."""
        return tuple(
            row
            for row in self.rows
            if mark.items() <= row.external_ids.items() and (OWNER in mark or OWNER not in row.external_ids)
        )

    def owned(self, instance: str) -> tuple[Held, ...]:
        """Give the rows of an instance of nqosd."""
        return self.marked({OWNER: instance})

    def instances(self) -> Mapping[str, int]:
        """Count the rows of every instance of nqosd."""
        return Counter(owner for row in self.rows if (owner := row.external_ids.get(OWNER)))

    def places(self, row: Held) -> list[str]:
        """Name the switches that a row is on."""
        return sorted(name for name, rules in self.switches.values() if row.uuid in rules)


def removal(holdings: Holdings, rows: Iterable[Held]) -> tuple[Operation, ...]:
    """Plan the removal of rows: QoS rows are taken off their switches, which ends them; sets are deleted."""
    draft = Draft()
    for row in rows:
        target = _guarded(draft, row)
        if row.table == schema.QOS:
            for uuid, (name, rules) in sorted(holdings.switches.items()):
                if row.uuid in rules:
                    draft.edit_switch(uuid, name).detached.add(row.uuid)
        else:
            draft.deletions.append(delete(OperationKind.SET_DELETE, target))
    return draft.operations()


def adoption(rows: Iterable[Held], instance: str) -> tuple[Operation, ...]:
    """Plan to give rows to another instance of nqosd; nothing else in them changes."""
    draft = Draft()
    for row in rows:
        is_row = row.table == schema.QOS
        columns = {"external_ids": wire.string_map({**row.external_ids, OWNER: instance})}
        change = update(OperationKind.ROW_UPDATE if is_row else OperationKind.SET_UPDATE, _guarded(draft, row), columns)
        (draft.rows if is_row else draft.sets).append(change)
    return draft.operations()


def _guarded(draft: Draft, row: Held) -> RowTarget:
    target = RowTarget(row.table, row.uuid, row.subject)
    draft.guard(target, {"external_ids": wire.string_map(row.external_ids)})
    return target


def _held(table: str, row: Mapping[str, object]) -> Held:
    return Held(
        table,
        wire.uuids(row["_uuid"])[0],
        wire.mapping(row["external_ids"]),
        "" if table == schema.QOS else str(row["name"]),
        repr(sorted((name, repr(value)) for name, value in row.items() if name not in {"_uuid", "_version"})),
    )
