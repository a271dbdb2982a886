"""The replica: what the database holds of ours, kept equal to it by what the monitor sends.

In: each `<row-update2>` of ovsdb-server(7), as decoded JSON. Out: typed rows and sets by name, and `take_changes`, the
names of what changed. The rule: no I/O and no memory of the past; the same rows give the same answers, however they
came.

It stands in for the rows of python-ovs. Measured with 2,000 rows and 2,000 sets of 500 addresses: see
`tools/bench/northbound.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol, cast

from nqosd.compiler.switches import Switches
from nqosd.northbound.replica.name_table import AclTable, PortTable, SwitchTable
from nqosd.northbound.replica.row_table import RowTable
from nqosd.northbound.replica.set_table import SetTable
from nqosd.northbound.replica.stored import StoredSet
from nqosd.northbound.replica.updates import Changes
from nqosd.northbound.replica.writer_record import WriterRecord
from nqosd.ovsdb import schema, wire
from nqosd.ovsdb.wire import UpdateError

NORTHD_VERSION = "northd_internal_version"


class _Table(Protocol):
    def insert(self, uuid: str, columns: Mapping[str, object]) -> None: ...

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None: ...

    def delete(self, uuid: str) -> None: ...

    def clear(self) -> None: ...


class _GlobalTable:
    """The one row of NB_Global: the zone's name, and northd's version."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.name: str | None = None
        self.options: dict[str, str] = {}

    def insert(self, _uuid: str, columns: Mapping[str, object]) -> None:
        self.name = str(columns.get("name", ""))
        self.options = wire.mapping(columns["options"]) if "options" in columns else {}
        self._changes.globals_ = True

    def modify(self, _uuid: str, columns: Mapping[str, object]) -> None:
        if "name" in columns:
            self.name = str(columns["name"])
        if "options" in columns:
            wire.amend(self.options, wire.mapping(columns["options"]))
        self._changes.globals_ = True

    def delete(self, _uuid: str) -> None:
        self.clear()
        self._changes.globals_ = True

    def clear(self) -> None:
        self.name = None
        self.options = {}


class Replica:
    """Everything that is monitored, in tables to read from: nobody but `apply` and `clear` changes one."""

    def __init__(self, owner: str) -> None:
        self._changes = Changes()
        changes = self._changes
        self.rows = RowTable(changes, owner)
        self.address_sets = SetTable(changes, "addresses", wire.strings, by_member=True)
        self.port_groups = SetTable(changes, "ports", wire.uuids, by_member=False)
        self.ports = PortTable(changes)
        self._acls = AclTable(changes)
        self._switches = SwitchTable(changes, self.rows, self.ports, self._acls)
        self._surroundings: Switches = {}
        self._global = _GlobalTable(changes)
        self._tables: Mapping[str, _Table] = {
            schema.QOS: self.rows,
            schema.ADDRESS_SET: self.address_sets,
            schema.PORT_GROUP: self.port_groups,
            schema.SWITCH: self._switches,
            schema.SWITCH_PORT: self.ports,
            schema.ACL: self._acls,
            schema.GLOBAL: self._global,
        }
        self._uuids: dict[str, set[str]] = {table: set() for table in self._tables}

    def apply(self, table: str, uuid: str, happened: Mapping[str, object]) -> None:
        """Take what happened to one row: a `<row-update2>`.

        Raises:
            UpdateError: it changes a row that isn't there, or isn't of the form that the protocol gives it.
        """
        try:
            self._apply(self._tables[table], self._uuids[table], uuid, happened)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UpdateError(
                f"an update of row {uuid} of {table} doesn't fit what is known: {error!r:.300}"
            ) from error

    def clear(self) -> None:
        """Forget everything, because everything is going to be sent again."""
        for name, table in self._tables.items():
            table.clear()
            self._uuids[name].clear()
        self._changes.cleared = self._changes.surroundings = True

    def take_changes(self) -> Changes:
        """Return what changed since the last call."""
        mine = self._changes
        taken = Changes(
            set(mine.rows),
            dict(mine.sets),
            set(mine.unused),
            set(mine.switches),
            set(mine.ports),
            mine.unreadable,
            mine.globals_,
            cleared=mine.cleared,
            renamed=mine.renamed,
        )
        for part in (mine.rows, mine.sets, mine.unused, mine.switches, mine.ports):
            part.clear()
        mine.unreadable = mine.globals_ = mine.cleared = mine.renamed = False
        return taken

    @property
    def zone(self) -> str | None:
        """NB_Global.name; None as long as the row isn't there."""
        return self._global.name

    @property
    def northd_version(self) -> str | None:
        """What northd says of itself, such as `25.03.0-20.41.0-77.6`; None before it ever ran."""
        return self._global.options.get(NORTHD_VERSION)

    @property
    def size(self) -> Mapping[str, int]:
        """The number of rows that are held, by table; of QoS those of ours."""
        return {name: len(uuids) for name, uuids in self._uuids.items()} | {schema.QOS: len(self.rows)}

    @property
    def switches(self) -> Switches:
        """What isn't ours on each switch; the same object as long as nothing of that changes."""
        if self._changes.surroundings:
            self._changes.surroundings = False
            now = self._switches.surroundings()
            self._surroundings = self._surroundings if self._surroundings == now else now
        return self._surroundings

    def copied(self) -> Iterator[tuple[str, str, Mapping[str, object]]]:
        """Give everything by table and uuid, in the form that `apply` takes as `insert`; it may change meanwhile."""
        tables = {
            schema.QOS: self.rows.copied(),
            schema.ADDRESS_SET: self.address_sets.copied(wire.string_set),
            schema.PORT_GROUP: self.port_groups.copied(wire.uuid_set),
            schema.SWITCH_PORT: self.ports.copied(),
            schema.ACL: self._acls.copied(),
            schema.SWITCH: self._switches.copied(),
        }
        for uuid in self._uuids[schema.GLOBAL]:
            version = {} if self.northd_version is None else {NORTHD_VERSION: self.northd_version}
            yield schema.GLOBAL, uuid, {"name": self.zone, "options": wire.string_map(version)}
        for table, rows in tables.items():
            for uuid, columns in rows:
                yield table, uuid, columns

    def switch(self, name: str) -> str | None:
        """Return the uuid of a logical switch."""
        return self._switches.uuid_of(name)

    def switch_name(self, uuid: str) -> str | None:
        """Return the name of a logical switch."""
        return self._switches.name_of(uuid)

    def records(self) -> list[StoredSet]:
        """Return the records of writers, in a fixed order; no other question finds them."""
        return self.address_sets.records()

    def writers(self) -> list[WriterRecord]:
        """Return what the records of writers say."""
        return [WriterRecord.of(each.external_ids) for each in self.records()]

    @staticmethod
    def _apply(table: _Table, uuids: set[str], uuid: str, update: Mapping[str, object]) -> None:
        if "modify" in update:
            table.modify(uuid, cast("Mapping[str, object]", update["modify"]))
        elif "delete" in update:
            uuids.remove(uuid)
            table.delete(uuid)
        else:
            if uuid in uuids:
                table.delete(uuid)
            uuids.add(uuid)
            columns = update["insert"] if "insert" in update else update["initial"]
            table.insert(uuid, cast("Mapping[str, object]", columns))
