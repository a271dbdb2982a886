"""The tables and columns of OVN Northbound that we use, and the check that a server has them.

In: the server's own schema, asked for on every new connection. Out: what is missing, in words. The rule: nothing is
monitored before the schema has been seen; a server answers a request for a missing column with an error that python-ovs
takes for nothing at all, and the connection hangs for ever.
"""

import reprlib
from collections.abc import Mapping

DATABASE = "OVN_Northbound"

QOS = "QoS"
ADDRESS_SET = "Address_Set"
PORT_GROUP = "Port_Group"
SWITCH = "Logical_Switch"
SWITCH_PORT = "Logical_Switch_Port"
ACL = "ACL"
GLOBAL = "NB_Global"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    QOS: ("priority", "direction", "match", "action", "bandwidth", "external_ids"),
    ADDRESS_SET: ("name", "addresses", "external_ids"),
    PORT_GROUP: ("name", "ports", "external_ids"),
    SWITCH: ("name", "qos_rules", "ports", "acls"),
    SWITCH_PORT: ("name", "type"),
    ACL: ("action",),
    GLOBAL: ("name", "options"),
}

OWNED = (QOS, ADDRESS_SET, PORT_GROUP)
"""Tables that hold rows of ours. Of QoS all rows are monitored, of the others hardly any but our own."""


def own_schema() -> dict[str, object]:
    """Return a schema with our columns only; their types don't matter, since the replica decodes them itself."""
    tables = {
        table: {"columns": {column: {"type": "string"} for column in columns}} for table, columns in COLUMNS.items()
    }
    return {"name": DATABASE, "version": "0.0.0", "tables": tables}


def find_missing(schema: object) -> str | None:
    """Say what the server's schema lacks, or None when it has everything.

    The text names every table and column, and the version of the schema.
    """
    said = schema if isinstance(schema, dict) else {}
    tables = said.get("tables")
    if not isinstance(tables, dict):
        return (
            f"the server has no schema of {DATABASE} (it answered {reprlib.repr(schema)}): "
            "is it still joining its cluster?"
        )
    lacking = [f"the table {table}" for table in COLUMNS if table not in tables]
    lacking += [
        f"the column {table}.{column}"
        for table, columns in COLUMNS.items()
        if table in tables
        for column in columns
        if column not in _columns(tables[table])
    ]
    if not lacking:
        return None
    return (
        f"the schema of {DATABASE} on the server, version {said.get('version')!s:.20}, lacks {', '.join(lacking)}: "
        "upgrade OVN to 22.03 or later, or name another database in northbound.remotes"
    )


def _columns(table: object) -> Mapping[str, object]:
    columns = table.get("columns") if isinstance(table, dict) else None
    return columns if isinstance(columns, dict) else {}
