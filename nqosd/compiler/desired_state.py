"""The desired state while it changes: units in, rows and the sets that they use out.

In: units that replace others, and how members shifted. Out: live `Desired`, and what of it changed. Rule: a set is
desired as long as a row uses it, and what a batch took away and gave back is not a change.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from nqosd.compiler.desired import AddressSet, Delta, Desired, Members, PortGroup, QosRow, RowKey
from nqosd.compiler.rows import Unit
from nqosd.compiler.set_counts import SetCounts, Shift
from nqosd.compiler.set_ids import AnySet, PrefixSet

_NOTHING = Unit()
SPARE = 5_000
"""Rows that are kept of units whose senders have gone, for when they come again; some 10 MB."""


class State:
    """Rows and sets of all units."""

    def __init__(self, owner: str, counts: SetCounts) -> None:
        self._owner = owner
        self._counts = counts
        self._units: dict[str, dict[tuple[str, str], Unit]] = {}
        self._spare: dict[tuple[str, tuple[str, str]], Unit] = {}
        self._spare_rows = 0
        self._uses: dict[AnySet, int] = {}
        self._used_before: dict[AnySet, int] = {}
        self._names: dict[AnySet, tuple[AnySet, str]] = {}
        self._rows: dict[RowKey, QosRow] = {}
        self._address_sets: dict[str, AddressSet] = {}
        self._port_groups: dict[str, PortGroup] = {}
        self.desired = Desired(self._rows, self._address_sets, self._port_groups)

    def units(self, policy: str) -> Mapping[tuple[str, str], Unit]:
        """Give the units of a policy by network and switch."""
        return self._units.get(policy, {})

    def name(self, set_id: AnySet) -> str:
        """Name a set."""
        return self._known(set_id)[1]

    def same(self, set_id: AnySet) -> AnySet:
        """Give the object that stands for an equal set already: thousands of units refer to dozens of the same."""
        return self._known(set_id)[0]

    def _known(self, set_id: AnySet) -> tuple[AnySet, str]:
        known = self._names.get(set_id)
        if known is None:
            known = self._names[set_id] = set_id, set_id.name(self._owner)
        return known

    def replace(self, policy: str, site: tuple[str, str], after: Unit | None, delta: Delta) -> Unit | None:
        """Put a unit in the place of what stood there, which it gives; None where there are no senders any more."""
        mine = self._units.setdefault(policy, {})
        before = mine.pop(site, None)
        if after is not None:
            mine[site] = after
        if not mine:
            del self._units[policy]
        if before == after:
            return before
        if policy:
            delta.policies.add(policy)
            if before is not None and after is None:
                self._spare_unit(policy, site, before)
        old, new = before or _NOTHING, after or _NOTHING
        self._swap(old.rows, new.rows, delta)
        for set_id in old.sets ^ new.sets:
            uses = self._uses.get(set_id, 0)
            self._used_before.setdefault(set_id, uses)
            self._uses[set_id] = uses + (set_id in new.sets) - (set_id in old.sets)
        return before

    def spare(self, policy: str, site: tuple[str, str]) -> Unit | None:
        """Give the unit of a policy that stood somewhere until the senders went, if it is still known."""
        unit = self._spare.pop((policy, site), None)
        self._spare_rows -= 0 if unit is None else len(unit.rows)
        return unit

    def _spare_unit(self, policy: str, site: tuple[str, str], unit: Unit) -> None:
        if self._spare_rows + len(unit.rows) > SPARE:
            self._spare.clear()
            self._spare_rows = 0
        if len(unit.rows) <= SPARE:
            self._spare[policy, site] = unit
            self._spare_rows += len(unit.rows)

    def _swap(self, old: Iterable[QosRow], new: Iterable[QosRow], delta: Delta) -> None:
        """Put rows in the place of others."""
        gone = {row.key: row for row in old}
        for row in new:
            had = gone.pop(row.key, None)
            if not (row is had or row == had):
                delta.rows.add(row.key)
                self._rows[row.key] = row
        delta.rows.update(gone)
        for key in gone:
            del self._rows[key]

    def settle(self, shift: Shift, delta: Delta) -> None:
        """End a batch: let sets come and go with their uses, and tell the new members of those that stay."""
        used_before, self._used_before = self._used_before, {}
        for set_id, before in used_before.items():
            now = self._uses[set_id]
            if now and not before:
                self._publish(set_id, delta)
            elif before and not now:
                self._withdraw(set_id, delta)
            if not now:
                self._forget(set_id)
        for set_id, members in shift.members.items():
            if set_id not in self._uses:
                self._counts.forget_empty(set_id)
            elif used_before.get(set_id, 1) and (members.added or members.removed):
                delta.sets[self._names[set_id][1]] = members

    def _publish(self, set_id: AnySet, delta: Delta) -> None:
        name, members = self.name(set_id), self._members(set_id)
        if set_id.family is None:
            self._port_groups[name] = PortGroup(name, str(set_id), members)
        else:
            self._address_sets[name] = AddressSet(name, str(set_id), members)
        delta.sets[name] = Members() if isinstance(set_id, PrefixSet) else Members(added=set(members))

    def _members(self, set_id: AnySet) -> AbstractSet[str]:
        return set_id.prefixes if isinstance(set_id, PrefixSet) else self._counts.members(set_id)

    def _withdraw(self, set_id: AnySet, delta: Delta) -> None:
        name = self.name(set_id)
        self._port_groups.pop(name, None)
        self._address_sets.pop(name, None)
        delta.sets[name] = Members()

    def _forget(self, set_id: AnySet) -> None:
        del self._uses[set_id]
        self._names.pop(set_id, None)
        if not isinstance(set_id, PrefixSet):
            self._counts.forget_empty(set_id)
