"""The plan: from what is desired and what is there to the smallest transaction that makes them equal.

In: desired rows and sets, a view of the database, the scope to compare, the options. Out: operations in a fixed
order, and what can't be done now and why. Pure. The rules:

- Rows and sets of another owner are never touched, whatever they are called.
- Everything that an operation relies on is guarded by a `wait` with timeout 0, so that "success" means written. Names
  of address sets and port groups need none: OVN's schema has them unique, so a second insert is refused by the server.
- `qos_rules` is mutated, never assigned: under a conditional monitor it refers to rows that we don't see.
- A set is there before a row refers to it, and as long as one does.
- What can't be planned, or was refused before, is left as it is; nothing else depends on how it fares.
- A row refers to a port group only while the group has a member: group, row and attachment come and go in one
  transaction, or every chassis would log a parse error.
- A row that only lost its senders may stay with an empty set until another change of structure, since attaching and
  detaching makes northd compute everything anew.
- Whatever is written, the writer's record goes with it; it alone is never written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

import msgspec
from msgspec.structs import replace

from nqosd.compiler.desired import Desired, RowKey
from nqosd.compiler.prefixes import Prefixes
from nqosd.northbound.plan.draft import Draft
from nqosd.northbound.plan.operations import Operation, OperationKind, SetName, Subject, SwitchName
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.record_operations import plan_record
from nqosd.northbound.plan.row_operations import RowPlanner
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.plan.set_operations import SetPlanner
from nqosd.northbound.replica.replica import Replica


class Plan(msgspec.Struct, frozen=True, dict=True):
    """A transaction, and what it leaves open among the rows and sets of its scope."""

    operations: tuple[Operation, ...]
    waiting: Mapping[RowKey, str]
    """Rows that wait for a logical switch, with its name."""
    absent_ports: Mapping[str, AbstractSet[str]]
    """Logical switch ports that don't exist yet, by the port groups that wait for them."""
    without_ports: Mapping[RowKey, str]
    """Rows whose senders have no logical port yet, with the port group that would have no member."""
    spare: AbstractSet[str]
    """Port groups of the scope that nobody wants: they stay for a while, without members."""
    blocked: Mapping[RowKey, str]
    """Rows that can't be written, with the reason in words."""
    conflicts: Mapping[str, str]
    """Names of sets that belong to somebody else, with whose they are in words."""
    idle_rows: Mapping[RowKey, frozenset[str]]
    """Rows of the scope that stay although they aren't desired, because their removal may wait; with their sources."""
    failed: Mapping[Subject, Exception]
    """Rows and sets that can't be planned at all, with why; they are left as they are."""
    detaches: bool
    """Whether the rows that were idle before go with this transaction."""
    new_sets: AbstractSet[str]
    """Names of the address sets and port groups that are inserted."""
    listed: Mapping[str, Prefixes]
    """By name, sets of the scope that hold exactly the prefixes that they should."""

    @cached_property
    def subjects(self) -> AbstractSet[Subject]:
        """The objects that are written; a switch alone is none."""
        return {each.subject for each in self.operations if isinstance(each.subject, RowKey | SetName)}

    @property
    def parts(self) -> Sequence[Subject]:
        """The same objects in an order in which any number of the first ones can be written without the others.

        A set comes before the rows that refer to it, and one that is given up after the rows that did.
        """
        deleted: set[Subject] = {each.subject for each in self.operations if each.kind is OperationKind.SET_DELETE}
        deleted.update(map(SetName, self.spare))
        subjects = dict.fromkeys(each.subject for each in self.operations if not isinstance(each.subject, SwitchName))
        return sorted(subjects, key=lambda subject: 2 if subject in deleted else isinstance(subject, RowKey))

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of operations by kind."""
        return Counter(each.kind.value for each in self.operations)


def make_plan(desired: Desired, view: Replica, scope: PlanScope, plan_options: PlanOptions) -> Plan:
    """Plan what makes the database equal to what is desired, within a scope."""
    failed: dict[Subject, Exception] = {}
    while True:
        plan = _attempt(desired, view, scope, plan_options)
        if not plan.failed:
            return replace(plan, failed=failed) if failed else plan
        if plan.failed.keys() <= failed.keys():
            raise next(iter(plan.failed.values()))
        failed.update(plan.failed)
        words = {subject: f"it can't be written: {error}" for subject, error in failed.items()}
        plan_options = replace(plan_options, refused={**plan_options.refused, **words})


def _attempt(desired: Desired, view: Replica, scope: PlanScope, plan_options: PlanOptions) -> Plan:
    """Plan everything; if something failed the operations are of no use, and all must be planned again without it."""
    draft = Draft()
    sets = SetPlanner(desired, view, draft, plan_options)
    for name in sorted(scope.sets):
        draft.attempt(SetName(name), sets.examine, name, scope.sets[name])
    rows = RowPlanner(desired, view, draft, plan_options, sets)
    refilled = (plan_options.idle_rows.users_of(name) for name in scope.sets if not sets.is_given_up(name))
    for key in sorted(scope.rows.union(*refilled) if plan_options.idle_rows else scope.rows, key=_order):
        draft.attempt(key, rows.examine, key)
    if scope.unreadable:
        rows.remove_unreadable()
    rows.settle_unwanted()
    sets.settle_unwanted(rows.leaving, scope.later)
    operations = draft.operations()
    if operations and plan_options.record is not None:
        operations += plan_record(plan_options.record, view, plan_options.refused)
    return Plan(
        operations=operations,
        waiting=rows.waiting,
        absent_ports=sets.absent_ports,
        without_ports=rows.without_ports,
        spare=sets.spare,
        blocked=rows.blocked,
        conflicts=sets.conflicts,
        idle_rows=rows.idle_rows,
        failed=draft.failed,
        detaches=rows.detaches,
        new_sets=sets.new,
        listed=sets.listed,
    )


def _order(key: RowKey) -> tuple[str, int, str, str, str]:
    """Order rows; tuples compare ten times faster than the keys themselves."""
    return key.policy, key.rule, key.network, key.switch, key.part
