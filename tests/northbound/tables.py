"""The tables of the model database, and what holds of them after each transaction.

In: rows as operations left them. Out: the same, without what nobody refers to any more. The rule: what an ovsdb-server
finds out only at the commit is found out here, with the same error.
"""

from collections import Counter
from typing import cast

from tests.northbound.ovsdb_types import RefusedError

Row = dict[str, object]
Tables = dict[str, dict[str, Row]]

DEFAULTS: dict[str, Row] = {
    "QoS": {"priority": 0, "direction": "", "match": "", "action": {}, "bandwidth": {}, "external_ids": {}},
    "Address_Set": {"name": "", "addresses": frozenset(), "external_ids": {}},
    "Port_Group": {"name": "", "ports": frozenset(), "external_ids": {}},
    "Logical_Switch": {
        "name": "",
        "qos_rules": frozenset(),
        "ports": frozenset(),
        "acls": frozenset(),
        "external_ids": {},
    },
    "Logical_Switch_Port": {"name": "", "type": ""},
    "NB_Global": {"name": "", "options": {}},
}
UNIQUE_NAMES = ("Address_Set", "Port_Group", "Logical_Switch_Port")
REFERENCES = {"ports", "qos_rules", "acls"}


def check_references(tables: Tables) -> None:
    """Look for references to rows that aren't there.

    Raises:
        RefusedError: there is one.
    """
    for row in tables["Logical_Switch"].values():
        for column, table in (("qos_rules", "QoS"), ("ports", "Logical_Switch_Port")):
            if not cast("frozenset[str]", row[column]) <= tables[table].keys():
                raise RefusedError("referential integrity violation", f"a switch refers to no row of {table}")


def check_names(tables: Tables) -> None:
    """Look for two rows where there may be one.

    Raises:
        RefusedError: there are.
    """
    if len(tables["NB_Global"]) > 1:
        raise RefusedError("constraint violation", "NB_Global has more than one row")
    for table in UNIQUE_NAMES:
        names = Counter(str(row["name"]) for row in tables[table].values())
        if taken := [name for name in names if names[name] > 1]:
            raise RefusedError(
                "constraint violation",
                f'rows of {table} with identical values ({taken[0]}) for index on column "name"',
            )


def collect(tables: Tables, before: Tables) -> None:
    """Drop QoS rows that no switch refers to, ports that one did and none does, and references to ports."""
    lost = _ports_of(before) - _ports_of(tables)
    ports = tables["Logical_Switch_Port"]
    tables["Logical_Switch_Port"] = {uuid: row for uuid, row in ports.items() if uuid not in lost}
    used = {uuid for row in tables["Logical_Switch"].values() for uuid in cast("set[str]", row["qos_rules"])}
    tables["QoS"] = {uuid: row for uuid, row in tables["QoS"].items() if uuid in used}
    for row in tables["Port_Group"].values():
        row["ports"] = cast("frozenset[str]", row["ports"]).intersection(tables["Logical_Switch_Port"])


def _ports_of(tables: Tables) -> set[str]:
    """Give the ports that belong to a switch."""
    return {uuid for row in tables["Logical_Switch"].values() for uuid in cast("set[str]", row["ports"])}


def copied(tables: Tables) -> Tables:
    """Copy tables and rows; values are replaced, never changed."""
    return {table: {uuid: dict(row) for uuid, row in rows.items()} for table, rows in tables.items()}


def encode(column: str, value: object) -> object:
    """Write a value as the monitor does: sets and maps in a fixed order, a set of one member without the word."""
    if isinstance(value, dict):
        return ["map", [[key, value[key]] for key in sorted(value)]]
    if isinstance(value, frozenset):
        members = [["uuid", each] if column in REFERENCES else each for each in sorted(value)]
        return members[0] if len(members) == 1 else ["set", members]
    return value
