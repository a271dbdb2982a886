"""Tables of the replica that are mostly names: Logical_Switch_Port, and Logical_Switch with its rules.

In: rows as the monitor sends them. Out: uuid by name and name by uuid. The rule: names of ports are unique in OVN's
schema, names of switches aren't; where two have one name the smaller uuid counts, so that every daemon takes the same.
"""

from collections.abc import Mapping

from nqosd.northbound.replica.row_table import RowTable
from nqosd.ovsdb import wire


class PortTable:
    """Logical switch ports; `changed` collects the names of those that came or went."""

    def __init__(self, changed: set[str]) -> None:
        self._changed = changed
        self._names: dict[str, str] = {}
        self._uuids: dict[str, str] = {}

    def uuid_of(self, name: str) -> str | None:
        """Return the port of that name, if it is there."""
        return self._uuids.get(name)

    def insert(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take a row that came."""
        name = str(columns.get("name", ""))
        self._names[uuid] = name
        self._uuids[name] = uuid
        self._changed.add(name)

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Apply what changed in a row."""
        self.delete(uuid)
        self.insert(uuid, columns)

    def delete(self, uuid: str) -> None:
        """Forget a row that went."""
        name = self._names.pop(uuid)
        if self._uuids.get(name) == uuid:
            del self._uuids[name]
        self._changed.add(name)

    def clear(self) -> None:
        """Forget everything."""
        self._names.clear()
        self._uuids.clear()


class SwitchTable:
    """Logical switches: their names, and for the table QoS which rows they refer to.

    A change of a name concerns all rows of the switches that have, or had, that name.
    """

    def __init__(self, changed: set[str], rows: RowTable) -> None:
        self._changed = changed
        self._rows = rows
        self._names: dict[str, str] = {}
        self._uuids: dict[str, set[str]] = {}
        self._rules: dict[str, set[str]] = {}

    def uuid_of(self, name: str) -> str | None:
        """Return the switch of that name, if it is there."""
        uuids = self._uuids.get(name)
        return min(uuids) if uuids else None

    def name_of(self, uuid: str) -> str | None:
        """Return the name of a switch, if it is there."""
        return self._names.get(uuid)

    def insert(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take a switch that came."""
        self._rules[uuid] = set()
        self._name(uuid, str(columns.get("name", "")))
        if "qos_rules" in columns:
            self._toggle(uuid, wire.uuids(columns["qos_rules"]))

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Apply what changed in a switch."""
        if "name" in columns:
            self._unname(uuid)
            self._name(uuid, str(columns["name"]))
        if "qos_rules" in columns:
            self._toggle(uuid, wire.uuids(columns["qos_rules"]))

    def delete(self, uuid: str) -> None:
        """Forget a switch that went, and what it referred to."""
        self._unname(uuid)
        self._rows.detach(self._rules.pop(uuid), uuid)

    def clear(self) -> None:
        """Forget everything."""
        for index in (self._names, self._uuids, self._rules):
            index.clear()

    def _name(self, uuid: str, name: str) -> None:
        self._names[uuid] = name
        self._uuids.setdefault(name, set()).add(uuid)
        self._touch(name)

    def _unname(self, uuid: str) -> None:
        name = self._names.pop(uuid)
        self._touch(name)
        self._uuids[name].discard(uuid)
        if not self._uuids[name]:
            del self._uuids[name]

    def _touch(self, name: str) -> None:
        self._changed.add(name)
        for uuid in self._uuids[name]:
            self._rows.touch(self._rules[uuid])

    def _toggle(self, uuid: str, changed: list[str]) -> None:
        rules = self._rules[uuid]
        before = rules.intersection(changed)
        wire.toggle(rules, changed)
        self._rows.detach(before, uuid)
        self._rows.attach(set(changed) - before, uuid)
