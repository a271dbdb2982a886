"""What a Northbound database holds, in two parts: what belongs to an instance of nqosd, and what belongs to others.

In: a server that answers transactions. Out: `Own`, without anything that the server chose itself, and the rows of
others with their uuids. The rule: everything that is stored is read, whoever made it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

import attrs

from nqosd.compiler.desired import OWNER, PART, Desired
from nqosd.compiler.switches import OtherRow, Switch, Switches
from nqosd.northbound.replica.writer_record import WRITER

Row = Mapping[str, object]
Columns = tuple[tuple[str, object], ...]

SETS = {"Address_Set": "addresses", "Port_Group": "ports"}
TABLES = (
    "QoS",
    "Address_Set",
    "Port_Group",
    "Logical_Switch",
    "Logical_Switch_Port",
    "Logical_Router",
    "ACL",
    "Load_Balancer",
)


class Database(Protocol):
    """A server that runs operations of RFC 7047."""

    def transact(self, *operations: Mapping[str, object]) -> list[dict[str, object]]:
        """Run operations in one transaction and return their results."""


@attrs.frozen
class Own:
    """Rows and sets of one instance as texts, sorted: equal contents are equal values."""

    rows: tuple[str, ...]
    sets: tuple[str, ...]

    def differences(self, other: "Own") -> list[str]:
        """Say what is here and not there (`-`), and the other way round (`+`)."""
        mine, theirs = [*self.rows, *self.sets], [*other.rows, *other.sets]
        here, there = set(mine), set(theirs)
        lines = [f"- {each}" for each in mine if each not in there]
        lines += [f"+ {each}" for each in theirs if each not in here]
        if not lines and sorted(mine) != sorted(theirs):
            lines.append("the same rows, but not as many of each")
        return lines


@attrs.frozen
class Contents:
    """Everything that was read. `others` and `versions` are by table and uuid."""

    own: Own
    others: Mapping[tuple[str, str], str]
    versions: Mapping[tuple[str, str], str]
    """What OVSDB changes with each write to a row; rows of everybody."""
    switches: Mapping[str, str]
    """Names of the logical switches, with their uuids."""
    ports: frozenset[str]
    northd: str
    """NB_Global.options:northd_internal_version, empty where it isn't set."""
    around: Switches
    """What isn't ours on each switch."""


def read(database: Database, owner: str = "nqosd") -> Contents:
    """Read a database."""
    tables = (*TABLES, "NB_Global")
    results = database.transact(*({"op": "select", "table": table, "where": []} for table in tables))
    rows = {
        table: {_uuid(row["_uuid"]): row for row in cast("list[Row]", result["rows"])}
        for table, result in zip(tables, results, strict=True)
    }
    mine = {
        (table, uuid)
        for table in ("QoS", *SETS)
        for uuid, row in rows[table].items()
        if dict(_pairs(row["external_ids"])).get(OWNER) == owner
    }
    switches = {str(row["name"]): uuid for uuid, row in rows["Logical_Switch"].items()}
    ports = {uuid: str(row["name"]) for uuid, row in rows["Logical_Switch_Port"].items()}
    options = [dict(_pairs(row["options"])) for row in rows["NB_Global"].values()]
    return Contents(
        own=Own(tuple(_own_rows(rows, mine)), tuple(_own_sets(rows, mine, ports))),
        others={
            (table, uuid): _other(table, row, mine)
            for table in TABLES
            for uuid, row in rows[table].items()
            if (table, uuid) not in mine
        },
        versions={(table, uuid): str(row["_version"]) for table in TABLES for uuid, row in rows[table].items()},
        switches=switches,
        ports=frozenset(ports.values()),
        northd=str(options[0].get("northd_internal_version", "")) if options else "",
        around={str(row["name"]): _around(row, rows, mine) for row in rows["Logical_Switch"].values()},
    )


def wanted(desired: Desired, owner: str, switches: Iterable[str], ports: frozenset[str]) -> Own:
    """Write what is desired in the same form, for a database with these switches and logical ports.

    A row whose senders have no port yet waits for the first one.
    """
    present = set(switches)
    groups = {name: each for name, each in desired.port_groups.items() if each.ports & ports}
    without_ports = desired.port_groups.keys() - groups
    rows = [
        _row_text(
            [row.key.switch],
            {
                "direction": row.direction.value,
                "priority": row.priority,
                "match": row.match,
                "action": row.action,
                "bandwidth": row.bandwidth,
                "external_ids": row.external_ids(owner),
            },
        )
        for row in desired.rows.values()
        if row.key.switch in present and without_ports.isdisjoint(row.sets)
    ]
    sets = [_set_text("Address_Set", each.name, each.external_ids(owner), each.addresses)
            for each in desired.address_sets.values()]  # fmt: skip
    sets += [_set_text("Port_Group", each.name, each.external_ids(owner), each.ports & ports)
             for each in groups.values()]  # fmt: skip
    return Own(tuple(sorted(rows)), tuple(sorted(sets)))


def _around(switch: Row, rows: Mapping[str, Mapping[str, Row]], mine: set[tuple[str, str]]) -> Switch:
    """Say what isn't ours on a switch."""
    ports = [rows["Logical_Switch_Port"][each] for each in _uuids(switch["ports"])]
    theirs = [rows["QoS"][each] for each in _uuids(switch["qos_rules"]) if ("QoS", each) not in mine]
    return Switch(
        uplinks=tuple(sorted(str(port["name"]) for port in ports if port["type"] in {"router", "localnet"})),
        others=tuple(sorted(_seen(row) for row in theirs if _may_be_suppressed(row))),
        has_acls=bool(_uuids(switch["acls"])),
        theirs=any(("k8s.ovn.org/owner-type", "NetworkQoS") in _pairs(row["external_ids"]) for row in theirs),
    )


def _may_be_suppressed(row: Row) -> bool:
    ids = dict(_pairs(row["external_ids"]))
    is_other = "nqosd.io/owner" not in ids and ids.get("k8s.ovn.org/owner-type") != "NetworkQoS"
    return "mark" in dict(_pairs(row["action"])) or (is_other and row["direction"] == "to-lport")


def _seen(row: Row) -> OtherRow:
    ids, action = dict(_pairs(row["external_ids"])), dict(_pairs(row["action"]))
    name = ids.get("k8s.ovn.org/id", "") if ids.get("k8s.ovn.org/owner-type") == "EgressIP" else ""
    mark = cast("int | None", action.get("mark"))
    return OtherRow(str(name), str(row["direction"]), cast("int", row["priority"]), str(row["match"]), mark)


def _own_rows(rows: Mapping[str, Mapping[str, Row]], mine: set[tuple[str, str]]) -> list[str]:
    found = []
    switches: defaultdict[str, list[str]] = defaultdict(list)
    for switch in rows["Logical_Switch"].values():
        for uuid in _uuids(switch["qos_rules"]):
            switches[uuid].append(str(switch["name"]))
    for uuid, row in rows["QoS"].items():
        if ("QoS", uuid) in mine:
            columns = {name: row[name] for name in ("direction", "priority", "match")}
            maps = {name: dict(_pairs(row[name])) for name in ("action", "bandwidth", "external_ids")}
            found.append(_row_text(switches[uuid], columns | maps))
    return sorted(found)


def _own_sets(rows: Mapping[str, Mapping[str, Row]], mine: set[tuple[str, str]], ports: Mapping[str, str]) -> list[str]:
    found = []
    for table, column in SETS.items():
        for uuid, row in rows[table].items():
            if (table, uuid) in mine and dict(_pairs(row["external_ids"])).get(PART) != WRITER:
                members = _uuids(row[column]) if table == "Port_Group" else set(map(str, _elements(row[column])))
                if table == "Port_Group" and not members:  # it may stay for a while, and does nothing
                    continue
                names = {ports.get(each, each) for each in members} if table == "Port_Group" else members
                found.append(_set_text(table, str(row["name"]), dict(_pairs(row["external_ids"])), names))
    return sorted(found)


def _row_text(switches: list[str], columns: Mapping[str, object]) -> str:
    return f"QoS on {', '.join(sorted(switches)) or 'no switch'}: {json.dumps(columns, sort_keys=True)}"


def _set_text(table: str, name: str, external_ids: Mapping[str, object], members: Iterable[str]) -> str:
    return f"{table} {name}: {json.dumps([sorted(members), external_ids], sort_keys=True)}"


def _other(table: str, row: Row, mine: set[tuple[str, str]]) -> str:
    """Write a row of somebody else, without its version, and a switch without our rows."""
    columns = {name: value for name, value in row.items() if name != "_version"}
    if table == "Logical_Switch":
        columns["qos_rules"] = sorted(each for each in _uuids(row["qos_rules"]) if ("QoS", each) not in mine)
    return json.dumps(columns, sort_keys=True)


def _elements(value: object) -> list[object]:
    """Take an OVSDB set apart; a set of one is written as its element."""
    match value:
        case ["set", list(elements)]:
            return elements
        case _:
            return [value]


def _uuids(value: object) -> set[str]:
    return {_uuid(each) for each in _elements(value)}


def _uuid(value: object) -> str:
    match value:
        case ["uuid", str(text)]:
            return text
        case _:
            raise ValueError(f"{value!r} is no uuid")


def _pairs(value: object) -> list[tuple[str, object]]:
    match value:
        case ["map", list(pairs)]:
            return [(str(key), each) for key, each in pairs]
        case _:
            raise ValueError(f"{value!r} is no map")
