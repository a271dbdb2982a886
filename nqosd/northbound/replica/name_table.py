"""Tables of the replica that are mostly names: Logical_Switch_Port, ACL, and Logical_Switch with its rules.

In: rows as the monitor sends them. Out: uuid by name and name by uuid, and what isn't ours on a switch. The rule: names
of ports are unique in OVN's schema, names of switches aren't; where two have one name the smaller uuid counts, so that
every daemon takes the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from sys import intern

from nqosd.compiler.switches import Switch, Switches
from nqosd.northbound.replica.row_table import RowTable
from nqosd.northbound.replica.updates import Changes
from nqosd.ovsdb import wire

_UPLINKS = ("router", "localnet")
"""Types of ports that lead out of a switch."""


class PortTable:
    """Logical switch ports; `uplinks` are the names of those of type router or localnet, by uuid."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.uplinks: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._uuids: dict[str, str] = {}

    def uuid_of(self, name: str) -> str | None:
        """Return the port of that name, if it is there."""
        return self._uuids.get(name)

    def has_any(self, names: AbstractSet[str]) -> bool:
        """Say whether any of some ports is there."""
        return not self._uuids.keys().isdisjoint(names)

    def found(self, names: Iterable[str]) -> tuple[set[str], set[str]]:
        """Give the uuids of those of some ports that are there, and the names of the others."""
        every = list(names)
        there = {self._uuids[name] for name in every if name in self._uuids}
        return there, {name for name in every if name not in self._uuids}

    def copied(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Give each row as a monitor would send it."""
        for uuid, name in list(self._names.items()):
            yield uuid, {"name": name, "type": _UPLINKS[0] if uuid in self.uplinks else ""}

    def insert(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take a row that came."""
        name = str(columns.get("name", ""))
        self._names[uuid] = name
        self._uuids[name] = uuid
        self._changes.ports.add(name)
        self._note_type(uuid, str(columns.get("type", "")))

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Apply what changed in a row."""
        if "name" in columns:
            self._changes.renamed = True
            was = _UPLINKS[0] if uuid in self.uplinks else ""
            self.delete(uuid)
            self.insert(uuid, {"type": was, **columns})
        elif "type" in columns:
            self._note_type(uuid, str(columns["type"]))

    def delete(self, uuid: str) -> None:
        """Forget a row that went."""
        self._note_type(uuid, "")
        name = self._names.pop(uuid)
        if self._uuids.get(name) == uuid:
            del self._uuids[name]
        self._changes.ports.add(name)

    def _note_type(self, uuid: str, type_: str) -> None:
        before = self.uplinks.pop(uuid, None)
        if type_ in _UPLINKS:
            self.uplinks[uuid] = self._names[uuid]
        if before != self.uplinks.get(uuid):
            self._changes.surroundings = True

    def clear(self) -> None:
        """Forget everything."""
        self.uplinks.clear()
        self._names.clear()
        self._uuids.clear()


class AclTable:
    """ACLs that track no connections; of the others the monitor shows nothing."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.stateless: set[str] = set()

    def copied(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Give each row as a monitor would send it, as far as we look at it."""
        for uuid in list(self.stateless):
            yield uuid, {}

    def insert(self, uuid: str, _columns: Mapping[str, object]) -> None:
        """Take a row that came."""
        self.stateless.add(uuid)
        self._changes.surroundings = True

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take what changed in a row; one with another action is no longer shown."""

    def delete(self, uuid: str) -> None:
        """Forget a row that went, or that tracks connections now."""
        self.stateless.remove(uuid)
        self._changes.surroundings = True

    def clear(self) -> None:
        """Forget everything."""
        self.stateless.clear()


class SwitchTable:
    """Logical switches: their names, and for the table QoS which rows they refer to.

    A change of a name concerns all rows of the switches that have, or had, that name.
    """

    def __init__(self, changes: Changes, rows: RowTable, ports: PortTable, acls: AclTable) -> None:
        self._changes = changes
        self._rows = rows
        self._port_table = ports
        self._acl_table = acls
        self._ports: dict[str, set[str]] = {}
        self._acls: dict[str, set[str]] = {}
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

    def copied(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Give each row as a monitor would send it, with those of its ports that lead out of the switch."""
        for uuid, name in list(self._names.items()):
            if uuid in self._names:
                ports = self._ports[uuid] & self._port_table.uplinks.keys()
                references = {"qos_rules": self._rules[uuid], "ports": ports, "acls": self._acls[uuid]}
                yield uuid, {"name": name} | {column: wire.uuid_set(each) for column, each in references.items()}

    def insert(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take a switch that came."""
        self._rules[uuid], self._ports[uuid], self._acls[uuid] = set(), set(), set()
        self._name(uuid, str(columns.get("name", "")))
        self._take(uuid, columns)

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Apply what changed in a switch."""
        if "name" in columns:
            self._unname(uuid)
            self._name(uuid, str(columns["name"]))
        self._take(uuid, columns)

    def delete(self, uuid: str) -> None:
        """Forget a switch that went, and what it referred to."""
        self._unname(uuid)
        self._rows.detach(self._rules.pop(uuid), uuid)
        del self._ports[uuid], self._acls[uuid]

    def surroundings(self) -> Switches:
        """Return what isn't ours on each switch."""
        uplinks = self._port_table.uplinks
        every = frozenset(uplinks)
        return {
            name: Switch(
                tuple(sorted(uplinks[port] for port in every & self._ports[uuid])),
                self._rows.others_among(self._rules[uuid]),
                not self._acls[uuid] <= self._acl_table.stateless,
                self._rows.has_theirs(self._rules[uuid]),
            )
            for name, uuids in self._uuids.items()
            for uuid in (min(uuids),)
        }

    def clear(self) -> None:
        """Forget everything."""
        for index in (self._names, self._uuids, self._rules, self._ports, self._acls):
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
        self._changes.switches.add(name)
        self._changes.surroundings = True
        for uuid in self._uuids[name]:
            self._rows.touch(self._rules[uuid])

    def _take(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take what changed in columns that refer to other rows."""
        if "qos_rules" in columns:
            self._toggle(uuid, wire.uuids(columns["qos_rules"]))
        if "ports" in columns:
            changed = list(map(intern, wire.uuids(columns["ports"])))
            wire.toggle(self._ports[uuid], changed)
            if not self._port_table.uplinks.keys().isdisjoint(changed):
                self._changes.surroundings = True
        if "acls" in columns:
            had = self._acls[uuid] - self._acl_table.stateless
            wire.toggle(self._acls[uuid], wire.uuids(columns["acls"]))
            if bool(had) != (not self._acls[uuid] <= self._acl_table.stateless):
                self._changes.surroundings = True

    def _toggle(self, uuid: str, changed: list[str]) -> None:
        rules = self._rules[uuid]
        before = rules.intersection(changed)
        wire.toggle(rules, changed)
        self._rows.detach(before, uuid)
        self._rows.attach(set(changed) - before, uuid)
