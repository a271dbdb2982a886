"""The tables Address_Set and Port_Group in the replica: our sets by name, with their members as plain Python sets.

In: rows as the monitor sends them. Out: `StoredSet` by name, and apart from them the records of writers. The rule: a
change of members costs what changed, not what the set holds. python-ovs would make an object for each address, and copy
the whole set for each change.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from sys import intern

from nqosd.northbound.replica.stored import StoredSet
from nqosd.northbound.replica.updates import Changes
from nqosd.northbound.replica.writer_record import is_record
from nqosd.ovsdb import wire

SLICE = 10_000
"""Members that are taken in one call; it takes some milliseconds."""


class SetTable:
    """One of the two tables. `column` holds the members, which `decode` reads.

    `by_member`: report changes member by member; otherwise any change counts for all of the set.
    """

    def __init__(
        self, changes: Changes, column: str, decode: Callable[[object], list[str]], *, by_member: bool
    ) -> None:
        self._changes = changes
        self._column = column
        self._decode = decode
        self._by_member = by_member
        self._sets: dict[str, StoredSet] = {}
        self._by_name: dict[str, str] = {}
        self._records: dict[str, StoredSet] = {}

    def records(self) -> list[StoredSet]:
        """Return the records of writers, in a fixed order."""
        return [self._records[uuid] for uuid in sorted(self._records)]

    def get(self, name: str) -> StoredSet | None:
        """Return the set of that name, whoever owns it; a record is none."""
        uuid = self._by_name.get(name)
        return None if uuid is None else self._sets[uuid]

    def names(self) -> Iterator[str]:
        """Yield every name."""
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._sets)

    def copied(self, encode: Callable[[Iterable[str]], object]) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Give each set as a monitor would send it."""
        for each in list(self._sets.values()):
            external_ids = wire.string_map(each.external_ids)
            yield each.uuid, {"name": each.name, "external_ids": external_ids, self._column: encode(each.members)}

    def share(self, name: str, members: AbstractSet[str]) -> None:
        """Keep these members of a set, which has them, in the place of a copy."""
        if (uuid := self._by_name.get(name)) is not None:
            self._sets[uuid].members = members

    def insert(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Take a row that came."""
        name = str(columns.get("name", ""))
        members = self._decode(columns[self._column]) if self._column in columns else []
        external_ids = wire.mapping(columns["external_ids"]) if "external_ids" in columns else {}
        # Interned, since an address stands in the sets of many selections: with 20,000 addresses in 2,000 sets of 500
        # the replica takes 78 MB instead of 140, for 0.05 s.
        found: set[str] = set()
        for place in range(0, len(members), SLICE):  # a single call would hold up all threads
            found.update(map(intern, members[place : place + SLICE]))
        self._sets[uuid] = StoredSet(uuid, name, external_ids, found)
        self._file(self._sets[uuid])

    def modify(self, uuid: str, columns: Mapping[str, object]) -> None:
        """Apply what changed in a row."""
        stored = self._sets[uuid]
        if self._column in columns:
            changed = list(map(intern, self._decode(columns[self._column])))
            if not isinstance(stored.members, set):
                stored.members = set(stored.members)
            wire.toggle(stored.members, changed)
            self._changes.touch_set(stored.name, changed if self._by_member else None)
        if "external_ids" in columns or "name" in columns:
            self._unfile(stored)
            if "external_ids" in columns:
                wire.amend(stored.external_ids, wire.mapping(columns["external_ids"]))
            stored.name = str(columns.get("name", stored.name))
            self._file(stored)

    def delete(self, uuid: str) -> None:
        """Forget a row that went, or that the monitor's condition doesn't select any more."""
        self._unfile(self._sets.pop(uuid))

    def clear(self) -> None:
        """Forget everything, a set at a time: a single call would hold up all threads, 100 ms for a million members."""
        while self._sets:
            self._sets.popitem()
        self._by_name.clear()
        self._records.clear()

    def _file(self, stored: StoredSet) -> None:
        """Note what a row is: a set by its name, or a record, which no plan looks at."""
        if is_record(stored.external_ids):
            self._records[stored.uuid] = stored
        else:
            self._by_name[stored.name] = stored.uuid
            self._changes.touch_set(stored.name)

    def _unfile(self, stored: StoredSet) -> None:
        if self._records.pop(stored.uuid, None) is not None:
            return
        self._changes.touch_set(stored.name)
        if self._by_name.get(stored.name) == stored.uuid:
            del self._by_name[stored.name]
