"""The table QoS in the replica: our rows by key, which switches they are attached to, and what matters of others' rows.

In: rows as the monitor sends them, and attachments as the table Logical_Switch tells them. Out: `StoredRow` by key,
`OtherRow`s, and how many rows ovn-kubernetes' own controller has for each policy. The rule: nobody who asks for a row
of ours is given one whose owner is somebody else.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from sys import intern

from nqosd.compiler.desired import RowKey
from nqosd.compiler.switches import OtherRow
from nqosd.northbound.replica.stored import StoredRow, is_ours, key_of, other_of, their_policy
from nqosd.northbound.replica.updates import Changes
from nqosd.ovsdb import wire

_NONE: frozenset[str] = frozenset()
_MAPS = ("action", "bandwidth", "external_ids")


class RowTable:
    """Our rows, in whatever state they are, and the rows of others that ours may suppress."""

    def __init__(self, changes: Changes, owner: str) -> None:
        self._changes = changes
        self._owner = owner
        self._rows: dict[str, StoredRow] = {}
        self._by_key: dict[RowKey, set[str]] = {}
        self._unreadable: set[str] = set()
        self._users: dict[str, set[str]] = {}
        self._switches: dict[str, set[str]] = {}
        self._others: dict[str, OtherRow] = {}
        self._theirs: dict[str, str] = {}
        self._counted: Mapping[str, int] | None = {}
        self._ours = 0

    def get(self, key: RowKey) -> list[StoredRow]:
        """Return the rows with that key, in a fixed order: one, unless something went wrong."""
        return [self._rows[uuid] for uuid in sorted(self._by_key.get(key, _NONE))]

    def known_keys(self) -> Collection[RowKey]:
        """Return every key."""
        return self._by_key.keys()

    def unreadable(self) -> list[StoredRow]:
        """Return rows of ours that don't say what they are for, in a fixed order."""
        return [self._rows[uuid] for uuid in sorted(self._unreadable)]

    def switches_of(self, uuid: str) -> AbstractSet[str]:
        """Return the uuids of the switches that refer to a row."""
        return self._switches.get(uuid, _NONE)

    def users_of(self, name: str) -> AbstractSet[str]:
        """Return the uuids of our rows whose match names a set or port group."""
        return self._users.get(name, _NONE)

    def keys_of_users(self, name: str) -> set[RowKey]:
        """Return the keys of our rows whose match names a set or port group."""
        found = (key_of(self._rows[uuid].external_ids) for uuid in self.users_of(name))
        return {key for key in found if key is not None}

    def others_among(self, uuids: AbstractSet[str]) -> tuple[OtherRow, ...]:
        """Return the rows of others among these that ours may suppress, in a fixed order."""
        return tuple(sorted(self._others[uuid] for uuid in self._others.keys() & uuids))

    def has_theirs(self, uuids: AbstractSet[str]) -> bool:
        """Say whether a row of ovn-kubernetes' own controller is among these."""
        return not self._theirs.keys().isdisjoint(uuids)

    @property
    def theirs(self) -> Mapping[str, int]:
        """How many rows ovn-kubernetes' own controller has for each policy; the same object until that changes."""
        if self._counted is None:
            self._counted = Counter(self._theirs.values())
        return self._counted

    def __len__(self) -> int:
        return self._ours

    def copied(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Give each row that counts as a monitor would send it."""
        for row in list(self._rows.values()):
            if is_ours(row.external_ids, self._owner) or self._is_around(row.uuid):
                columns = {name: getattr(row, name) for name in StoredRow.__struct_fields__ if name != "uuid"}
                yield row.uuid, columns | {name: wire.string_map(columns[name]) for name in _MAPS}

    def insert(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take a row that came."""
        self._add(
            StoredRow(
                uuid,
                direction=intern(str(columns.get("direction", ""))),
                priority=_integer(columns.get("priority", 0)),
                match=str(columns.get("match", "")),
                action=wire.numbers(columns["action"]) if "action" in columns else {},
                bandwidth=wire.numbers(columns["bandwidth"]) if "bandwidth" in columns else {},
                external_ids=wire.mapping(columns["external_ids"]) if "external_ids" in columns else {},
            )
        )

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Apply what changed in a row."""
        old = self._remove(uuid)
        action, bandwidth, external_ids = dict(old.action), dict(old.bandwidth), dict(old.external_ids)
        if "action" in columns:
            wire.amend(action, wire.numbers(columns["action"]))
        if "bandwidth" in columns:
            wire.amend(bandwidth, wire.numbers(columns["bandwidth"]))
        if "external_ids" in columns:
            wire.amend(external_ids, wire.mapping(columns["external_ids"]))
        self._add(
            StoredRow(
                uuid,
                direction=str(columns.get("direction", old.direction)),
                priority=_integer(columns.get("priority", old.priority)),
                match=str(columns.get("match", old.match)),
                action=action,
                bandwidth=bandwidth,
                external_ids=external_ids,
            )
        )

    def delete(self, uuid: str) -> None:
        """Forget a row that went, or that isn't ours any more."""
        self._remove(uuid)

    def attach(self, uuids: Iterable[str], switch: str) -> None:
        """Note that a switch came to refer to these rows, whoever owns them."""
        for uuid in uuids:
            self._switches.setdefault(uuid, set()).add(switch)
            self._touch(uuid)

    def detach(self, uuids: Iterable[str], switch: str) -> None:
        """Note that a switch refers to these rows no more."""
        for uuid in uuids:
            switches = self._switches.get(uuid, set())
            switches.discard(switch)
            if not switches:
                self._switches.pop(uuid, None)
            self._touch(uuid)

    def touch(self, uuids: Iterable[str]) -> None:
        """Note that something about these rows changed."""
        for uuid in uuids:
            self._touch(uuid)

    def clear(self) -> None:
        """Forget everything."""
        for index in (self._rows, self._by_key, self._unreadable, self._users, self._switches, self._others):
            index.clear()
        self._theirs.clear()
        self._ours, self._counted = 0, None

    def _add(self, row: StoredRow) -> None:
        self._rows[row.uuid] = row
        if not is_ours(row.external_ids, self._owner):
            if (other := other_of(row)) is not None:
                self._others[row.uuid] = other
            if (policy := their_policy(row.external_ids)) is not None:
                self._theirs[row.uuid], self._counted = policy, None
            self._touch(row.uuid)
            return
        self._ours += 1
        key = key_of(row.external_ids)
        if key is None:
            self._unreadable.add(row.uuid)
        else:
            self._by_key.setdefault(key, set()).add(row.uuid)
        for name in row.references:
            self._users.setdefault(name, set()).add(row.uuid)
        self._touch(row.uuid)

    def _remove(self, uuid: str) -> StoredRow:
        self._touch(uuid)
        row = self._rows.pop(uuid)
        if not is_ours(row.external_ids, self._owner):
            self._others.pop(uuid, None)
            if self._theirs.pop(uuid, None) is not None:
                self._counted = None
            return row
        self._ours -= 1
        self._unreadable.discard(uuid)
        if (key := key_of(row.external_ids)) is not None:
            _discard(self._by_key, key, uuid)
        for name in row.references:
            _discard(self._users, name, uuid)
            if name not in self._users:
                self._changes.unused.add(name)
        return row

    def _is_around(self, uuid: str) -> bool:
        """Say whether a row of others matters to ours."""
        return uuid in self._others or uuid in self._theirs

    def _touch(self, uuid: str) -> None:
        row = self._rows.get(uuid)
        if self._is_around(uuid):
            self._changes.surroundings = True
        if row is None or not is_ours(row.external_ids, self._owner):
            return
        key = key_of(row.external_ids)
        if key is None:
            self._changes.unreadable = True
        else:
            self._changes.rows.add(key)


def _discard(index: dict[RowKey, set[str]] | dict[str, set[str]], key: RowKey | str, uuid: str) -> None:
    members = index.get(key)  # type: ignore[arg-type] # each index is called with keys of its own type
    if members is not None:
        members.discard(uuid)
        if not members:
            del index[key]  # type: ignore[arg-type]


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected an integer, got {value!r}")
    return value
