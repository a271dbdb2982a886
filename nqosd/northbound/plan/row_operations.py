"""Plans rows of the table QoS and their attachment to switches.

In: the key of a row. Out: operations in the draft, and what can't be done now. The rule: in the end there is exactly
one row for each key, attached to exactly one switch; rows that nobody wants leave in `settle_unwanted`, nowhere else.
"""

from collections.abc import Iterable

from nqosd.compiler.desired import RETURNED, Desired, QosRow, RowKey
from nqosd.northbound.plan.draft import Draft
from nqosd.northbound.plan.operations import OperationKind, RowTarget, SetName, SwitchName, insert, update
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.senders_needed import needs_senders
from nqosd.northbound.plan.set_operations import SetPlanner
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import StoredRow
from nqosd.ovsdb import schema, wire

_UNREADABLE = RowKey("", -1, "", "")
"""Stands for rows that don't say what they are for."""


class RowPlanner:
    """Plans rows one by one with `examine`; then `settle_unwanted` decides which of those that nobody wants leave."""

    def __init__(
        self, desired: Desired, view: Replica, draft: Draft, plan_options: PlanOptions, sets: SetPlanner
    ) -> None:
        self._desired = desired
        self._view = view
        self._draft = draft
        self._plan_options = plan_options
        self._sets = sets
        self._leaving: dict[RowKey, list[StoredRow]] = {}
        self._idle: dict[RowKey, list[StoredRow]] = {}
        self.leaving: dict[str, StoredRow] = {}
        """By uuid, the rows that won't refer to their present sets any more."""
        self.waiting: dict[RowKey, str] = {}
        self.without_ports: dict[RowKey, str] = {}
        self.blocked: dict[RowKey, str] = {}
        self.idle_rows: dict[RowKey, frozenset[str]] = {}
        self.detaches = False

    def examine(self, key: RowKey) -> None:
        """Plan one row."""
        wanted, stored = self._desired.rows.get(key), self._view.rows.get(key)
        if (words := self._refusal(key, wanted)) is not None:
            self.blocked[key] = words
            return
        switch = self._view.switch(key.switch)
        sets = () if wanted is None or switch is None else wanted.sets
        group, reason = self._sets.obstacles(sets)
        stays = wanted is not None and group is None and reason is None
        if (words := self._refusal_of_switch(key, stored, switch if stays else None)) is not None:
            self.blocked[key] = words
        elif wanted is None:
            (self._idle if self._may_stay(key, stored) else self._leaving)[key] = stored
        elif switch is None:
            self.waiting[key] = key.switch
            self._remove(key, stored)
        elif group is not None:
            self.without_ports[key] = group
            self._remove(key, stored)
        elif reason is not None:
            self.blocked[key] = reason
            self._remove(key, stored)
        else:
            self._bring(wanted, stored, switch)

    def remove_unreadable(self) -> None:
        """Remove rows of ours of which nobody can say what they are for."""
        if _UNREADABLE not in self._plan_options.refused:
            rows = self._view.rows.unreadable()
            free = [row for row in rows if self._refusal_of_switch(_UNREADABLE, [row], None) is None]
            self._draft.attempt(_UNREADABLE, self._remove, _UNREADABLE, free)

    def settle_unwanted(self) -> None:
        """Remove what nobody wants; rows without senders wait until the structure changes anyway, or it is time."""
        if not self._plan_options.prune:
            return
        if self._draft.changes_structure or self._plan_options.detach or any(self._leaving.values()):
            self.detaches = True
            for key in self._plan_options.idle_rows:
                if key not in self._desired.rows:
                    self._draft.attempt(key, self.examine, key)
            self._leaving |= self._idle
        else:
            self.idle_rows.update((key, stored[0].sources) for key, stored in self._idle.items())
        for key, stored in self._leaving.items():
            self._draft.attempt(key, self._remove, key, stored)

    def _refusal(self, key: RowKey, wanted: QosRow | None) -> str | None:
        """Say why a row must be left as it is: it was refused, or a set that it needs."""
        refused = self._plan_options.refused
        if (words := refused.get(key)) is not None:
            return f"the row is left as it is: {words}"
        for name in () if wanted is None or not refused else wanted.sets:
            if (words := refused.get(SetName(name))) is not None:
                return f"the set {name} is left as it is: {words}"
        return None

    def _refusal_of_switch(self, key: RowKey, stored: list[StoredRow], switch: str | None) -> str | None:
        """Say why rows can't come or go: a switch was refused. `switch`: where the row is to be, None: nowhere."""
        refused = self._plan_options.refused
        if not refused:
            return None
        at = {place for row in stored for place in self._view.rows.switches_of(row.uuid)}
        if switch is not None and len(stored) == 1 and at == {switch}:
            return None
        names = {self._view.switch_name(place) or "" for place in at} | ({key.switch} if switch is not None else set())
        for name in sorted(names):
            if (words := refused.get(SwitchName(name))) is not None:
                return f"logical switch {name} is left as it is: {words}"
        return None

    def _may_stay(self, key: RowKey, stored: list[StoredRow]) -> bool:
        """Say whether a row that nobody wants may wait: its rule is there, and without senders it does nothing.

        A row of no policy makes up for what others do, and so does no harm beside them. Where somebody deleted a set
        that a row refers to, each chassis fails to parse its match; where somebody moved it, nobody knows what it does.
        """
        if len(stored) != 1 or not self._plan_options.may_wait(key) or not self._has_its_sets(key, stored[0]):
            return False
        if self._view.rows.switches_of(stored[0].uuid) != {self._view.switch(key.switch)}:
            return False
        return not key.policy or self._is_harmless(stored[0])

    def _has_its_sets(self, key: RowKey, row: StoredRow) -> bool:
        """Say whether the sets are there that a row refers to; those of a row that mirrors others' aren't known."""
        if not key.policy and key.part != RETURNED:
            return True
        view = self._view
        return all(view.address_sets.get(name) or view.port_groups.get(name) for name in row.references)

    def _is_harmless(self, row: StoredRow) -> bool:
        """Say whether the row does nothing once the sets that nobody wants are empty; without a port it is an error."""
        emptied = {
            name
            for name in row.sources
            if name not in self._desired.address_sets
            and name not in self._desired.port_groups
            and self._view.port_groups.get(name) is None
            and not self._sets.stays_filled(name)
        }
        return needs_senders(row.match, frozenset(emptied))

    def _bring(self, wanted: QosRow, stored: list[StoredRow], switch: str) -> None:
        columns = _columns(wanted, self._plan_options.owner)
        if not stored:
            name = f"row{len(self._draft.rows)}"
            self._draft.rows.append(insert(OperationKind.ROW_INSERT, schema.QOS, wanted.key, columns, name))
            self._draft.edit_switch(switch, wanted.key.switch).inserted.add(name)
            return
        kept = max(stored, key=lambda row: (_is_same(wanted, row, self._plan_options.owner), self._is_at(row, switch)))
        self._remove(wanted.key, [row for row in stored if row is not kept])
        if not self._plan_options.prune:
            return
        if not _is_same(wanted, kept, self._plan_options.owner):
            target = self._guarded(wanted.key, kept)
            self._draft.rows.append(update(OperationKind.ROW_UPDATE, target, columns))
            self.leaving[kept.uuid] = kept
        switches = self._view.rows.switches_of(kept.uuid)
        if switches != {switch}:
            self._guarded(wanted.key, kept)
        if switch not in switches:
            self._draft.edit_switch(switch, wanted.key.switch).attached.add(kept.uuid)
        self._detach(kept, switches - {switch})

    def _remove(self, key: RowKey, stored: Iterable[StoredRow]) -> None:
        if not self._plan_options.prune:
            return
        for row in stored:
            self._guarded(key, row)
            self._detach(row, self._view.rows.switches_of(row.uuid))
            self.leaving[row.uuid] = row

    def _detach(self, row: StoredRow, switches: Iterable[str]) -> None:
        for switch in sorted(switches):
            name = self._view.switch_name(switch) or ""
            self._draft.edit_switch(switch, name).detached.add(row.uuid)

    def _is_at(self, row: StoredRow, switch: str) -> bool:
        return switch in self._view.rows.switches_of(row.uuid)

    def _guarded(self, key: RowKey, row: StoredRow) -> RowTarget:
        target = RowTarget(schema.QOS, row.uuid, key)
        self._draft.guard(target, {"external_ids": wire.string_map(row.external_ids)})
        return target


def _is_same(wanted: QosRow, row: StoredRow, owner: str) -> bool:
    return (
        row.match == wanted.match
        and row.priority == wanted.priority
        and row.direction == wanted.direction
        and row.action == wanted.action
        and row.bandwidth == wanted.bandwidth
        and row.external_ids == wanted.external_ids(owner)
    )


def _columns(wanted: QosRow, owner: str) -> dict[str, object]:
    return {
        "direction": str(wanted.direction),
        "priority": wanted.priority,
        "match": wanted.match,
        "action": wire.string_map(wanted.action),
        "bandwidth": wire.string_map(wanted.bandwidth),
        "external_ids": wire.string_map(wanted.external_ids(owner)),
    }
