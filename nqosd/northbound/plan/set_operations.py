"""Plans address sets and port groups.

In: the name of a set and which of its members to compare. Out: operations in the draft, and whether rows may refer to
it. The rules: a set of another owner is a conflict, and left alone; a port group that nobody wants is emptied first and
deleted later, because OVN 25.09 to 26.03 forgets a group that goes with members and is made again before northd has
seen it gone, whereas one that is emptied and filled again, or goes when it is empty, works (measured with northd held).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.compiler.desired import OWNER, AddressSet, Desired, PortGroup
from nqosd.compiler.prefixes import Prefixes
from nqosd.northbound.plan.draft import Draft
from nqosd.northbound.plan.operations import OperationKind, RowTarget, SetName, delete, insert, mutate, update
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import StoredRow, StoredSet, is_ours
from nqosd.ovsdb import schema, wire


class _MemberTable(msgspec.Struct, frozen=True):
    """How the members of one table are written."""

    name: str
    column: str
    encoded: Callable[[Iterable[str]], Sequence[object]]


def _in_order(members: Iterable[str]) -> Sequence[str]:
    """List addresses in a fixed order; prefixes have one, and sorting a hundred thousand would hold up all threads."""
    return list(members) if isinstance(members, Prefixes) else sorted(members)


_ADDRESS_SETS = _MemberTable(schema.ADDRESS_SET, "addresses", _in_order)
_PORT_GROUPS = _MemberTable(schema.PORT_GROUP, "ports", lambda uuids: [wire.uuid(each) for each in sorted(uuids)])


class SetPlanner:
    """Plans sets one by one with `examine`, then with `settle_unwanted` those that nobody wants."""

    def __init__(self, desired: Desired, view: Replica, draft: Draft, plan_options: PlanOptions) -> None:
        self._desired = desired
        self._view = view
        self._draft = draft
        self._plan_options = plan_options
        self._unwanted: set[str] = set()
        self._usable: set[str] = set()
        self.new: set[str] = set()
        self.listed: dict[str, Prefixes] = {}
        self.conflicts: dict[str, str] = {}
        self.spare: set[str] = set()
        self.absent_ports: dict[str, set[str]] = {}

    def examine(self, name: str, touched: AbstractSet[str] | None) -> None:
        """Plan one set; `touched` names the members to compare, None stands for everything."""
        wanted, stored = self._desired.address_sets.get(name), self._view.address_sets.get(name)
        if wanted is not None:
            every = isinstance(wanted.addresses, Prefixes)  # which can't say quickly whether one of them is there
            self._bring(_ADDRESS_SETS, stored, wanted, wanted.addresses, None if every else touched)
        elif stored is not None:
            self._unwanted.add(name)
        group, stored = self._desired.port_groups.get(name), self._view.port_groups.get(name)
        if group is not None:
            self._bring_group(group, stored, touched if stored is not None else None)
        elif stored is not None:
            self._unwanted.add(name)

    def is_given_up(self, name: str) -> bool:
        """Say whether a set is there that nobody wants, so that it will be empty: its rows needn't be looked at."""
        desired = self._desired
        is_wanted = name in desired.address_sets or name in desired.port_groups
        return name in self._unwanted and not is_wanted and not self.stays_filled(name)

    def stays_filled(self, name: str) -> bool:
        """Say whether a set is left as it is although it has members."""
        stored = self._view.address_sets.get(name), self._view.port_groups.get(name)
        return SetName(name) in self._plan_options.refused and any(each and each.members for each in stored)

    def obstacles(self, names: Collection[str]) -> tuple[str | None, str | None]:
        """Give of some sets the first port group that has no member, and in words why rows can't refer to another.

        For when all sets have been examined: thousands of rows may refer to the same, which are looked at once.
        """
        unsure = [name for name in names if name not in self._usable]
        group = next(filter(self._is_portless, unsure), None)
        reason = next(filter(None, map(self._refusal, unsure)), None)
        if group is None and reason is None:
            self._usable.update(unsure)
        return group, reason

    def _is_portless(self, name: str) -> bool:
        """Say whether it is a port group without members for now: a match that names it would be an error."""
        group = self._desired.port_groups.get(name)
        return group is not None and (self._is_pausing(name) or not self._view.ports.has_any(group.ports))

    def _refusal(self, name: str) -> str | None:
        """Return in words why rows can't refer to a set, or None when they can once the transaction is done."""
        if name in self.new:
            return None
        stored = self._stored_as_desired(name)
        if stored is None:
            return f"the set {name} isn't there"
        return None if is_ours(stored.external_ids, self._plan_options.owner) else _describe_owner(stored)

    def settle_unwanted(self, leaving: Mapping[str, StoredRow], later: AbstractSet[str]) -> None:
        """Delete the sets that nobody wants and nothing refers to; empty those that a row still refers to, and groups.

        `leaving`: by uuid, the rows that don't refer to their present sets any more when the transaction is done;
        `later`: sets that are for another plan.
        """
        if not self._plan_options.prune:
            return
        names = self._unwanted.union(*(row.references for row in leaving.values())) - later
        for name in sorted(names):
            used = not self._view.rows.users_of(name) <= leaving.keys()
            if used and name not in self._unwanted:  # the rows that still refer to it are for another plan
                continue
            if name not in self._desired.address_sets:
                stored = self._view.address_sets.get(name)
                self._draft.attempt(SetName(name), self._drop, _ADDRESS_SETS, stored, used=used)
            if name not in self._desired.port_groups:
                group = self._view.port_groups.get(name)
                self._draft.attempt(SetName(name), self._give_up, group, used=used)

    def _stored_as_desired(self, name: str) -> StoredSet | None:
        if name in self._desired.address_sets:
            return self._view.address_sets.get(name)
        return self._view.port_groups.get(name) if name in self._desired.port_groups else None

    def _bring_group(self, group: PortGroup, stored: StoredSet | None, touched: AbstractSet[str] | None) -> None:
        """Plan a port group, whose members are uuids in the database and names in what is desired."""
        members, absent = self._view.ports.found(group.ports if touched is None else group.ports & touched)
        if absent:
            self.absent_ports[group.name] = absent
        if stored is None and (not members or self._is_pausing(group.name)):  # it comes with its first port
            return
        uuids = None if touched is None else self._view.ports.found(touched)[0]
        self._bring(_PORT_GROUPS, stored, group, members, uuids)

    def _bring(
        self,
        table: _MemberTable,
        stored: StoredSet | None,
        wanted: AddressSet | PortGroup,
        members: AbstractSet[str],
        touched: AbstractSet[str] | None,
    ) -> None:
        subject, owner = SetName(wanted.name), self._plan_options.owner
        external_ids = wanted.external_ids(owner)
        if stored is not None and not is_ours(stored.external_ids, owner):
            self.conflicts[wanted.name] = _describe_owner(stored)
        elif subject in self._plan_options.refused:
            return
        elif stored is None:
            self.new.add(wanted.name)
            columns = {
                "name": wanted.name,
                table.column: ["set", table.encoded(members)],
                "external_ids": wire.string_map(external_ids),
            }
            self._draft.sets.append(insert(OperationKind.SET_INSERT, table.name, subject, columns))
        else:
            self._change(table, stored, members, touched)
            if stored.external_ids != external_ids and self._plan_options.prune:
                target = self._guarded(table, stored)
                columns = {"external_ids": wire.string_map(external_ids)}
                self._draft.sets.append(update(OperationKind.SET_UPDATE, target, columns))

    def _change(
        self, table: _MemberTable, stored: StoredSet, members: AbstractSet[str], touched: AbstractSet[str] | None
    ) -> None:
        if touched is None:
            if members == stored.members:
                if isinstance(members, Prefixes):
                    self.listed[stored.name] = members
                return
            wanted = set(members)
            came, went = wanted - stored.members, stored.members - wanted
        else:  # not by operations of sets: with a view of a dict's keys they cost what the whole set holds
            came = {each for each in touched if each in members and each not in stored.members}
            went = {each for each in touched if each in stored.members and each not in members}
        if not self._plan_options.prune:
            went = set()
        if came or went:
            target = self._guarded(table, stored)
            encoded = table.encoded(came), table.encoded(went)
            self._draft.sets.append(mutate(OperationKind.SET_MUTATE, target, table.column, *encoded))

    def _is_pausing(self, name: str) -> bool:
        return name in self._plan_options.pausing and self._view.port_groups.get(name) is None

    def _give_up(self, group: StoredSet | None, *, used: bool) -> None:
        """Empty a port group that nobody wants; delete it if it has been empty for long."""
        if group is None:
            return
        is_spent = not group.members and group.name in self._plan_options.spent
        self._drop(_PORT_GROUPS, group, used=used or not is_spent)
        is_left = used or is_spent or self.stays_filled(group.name)
        if not is_left and is_ours(group.external_ids, self._plan_options.owner):
            self.spare.add(group.name)

    def _drop(self, table: _MemberTable, stored: StoredSet | None, *, used: bool) -> None:
        if stored is None or not is_ours(stored.external_ids, self._plan_options.owner):
            return
        if SetName(stored.name) in self._plan_options.refused:
            return
        if not used:
            self._draft.deletions.append(delete(OperationKind.SET_DELETE, self._guarded(table, stored)))
        elif stored.members:
            gone = table.encoded(stored.members)
            self._draft.sets.append(
                mutate(OperationKind.SET_MUTATE, self._guarded(table, stored), table.column, [], gone)
            )

    def _guarded(self, table: _MemberTable, stored: StoredSet) -> RowTarget:
        target = RowTarget(table.name, stored.uuid, SetName(stored.name))
        self._draft.guard(target, {"name": stored.name, "external_ids": wire.string_map(stored.external_ids)})
        return target


def _describe_owner(stored: StoredSet) -> str:
    owner = stored.external_ids.get(OWNER)
    whose = f"belongs to the nqosd instance {owner!r}" if owner else "wasn't made by nqosd"
    return f"the set {stored.name} (uuid {stored.uuid}) {whose}: delete it or rename it"
