"""Differences between the database and what is desired, as text before and after.

In: the desired state, a view of the database, the plan for all of it. Out: `Section`s, one for each policy and each
set. Pure. Rule: some section differs exactly if the plan has operations, so "no difference" means "nothing to write".
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import msgspec
from msgspec.structs import replace

from nqosd.compiler.desired import OWNER, SELECTION, Desired, Direction, QosRow, RowKey
from nqosd.northbound.plan.operations import OperationKind, SetName
from nqosd.northbound.plan.plan import Plan
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import StoredRow, StoredSet, is_ours


class Section(msgspec.Struct, frozen=True):
    """One policy, or one set: lines without line ends."""

    title: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the database isn't as desired."""
        return self.before != self.after


def sections(desired: Desired, view: Replica, plan: Plan, owner: str) -> Iterator[Section]:
    """Compare everything; `plan` is the plan of the whole scope."""
    yield from _policies(desired, view, plan, owner)
    yield from _sets(desired, view, plan, owner)
    if unreadable := view.rows.unreadable():
        lines = (line for row in unreadable for line in _stored(row, {}, view))
        yield Section(f"rows of {owner} that don't say what they are for", tuple(lines), ())


def remarks(plan: Plan) -> Iterator[str]:
    """Say what the daemon would leave open, and why."""
    for key, switch in sorted(plan.waiting.items()):
        yield f"{_who(key)} waits for logical switch {switch}, which isn't there"
    for key, reason in sorted(plan.blocked.items()):
        yield f"{_who(key)} can't be written: {reason}"
    for key, group in sorted(plan.without_ports.items()):
        yield f"{_who(key)} comes with the first logical port of {group}, since none of them is there yet"
    for key in sorted(plan.idle_rows):
        yield (
            f"{_who(key)} has no senders on switch {key.switch} any more; its row matches nothing they could miss, "
            "and goes with the next structural change, or after northbound.detach_after"
        )
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for group, ports in sorted(plan.absent_ports.items()):
        for port in ports:
            groups[port].append(group)
    for port, names in sorted(groups.items()):
        yield f"logical port {port} isn't there yet, so it isn't in {', '.join(names)}"


def _policies(desired: Desired, view: Replica, plan: Plan, owner: str) -> Iterator[Section]:
    before: defaultdict[str, list[str]] = defaultdict(list)
    after: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted({*desired.rows, *view.rows.known_keys()}):
        wanted = desired.rows.get(key)
        ids = _external_ids(key, owner)
        there = [line for row in view.rows.get(key) for line in (_heading(key), *_stored(row, ids, view, key.switch))]
        before[key.policy] += there
        if wanted is None:
            after[key.policy] += there if key in plan.idle_rows else []
        elif not any(key in open_ for open_ in (plan.waiting, plan.without_ports, plan.blocked)):
            after[key.policy] += [_heading(key), *_wanted(wanted)]
    for policy in sorted(before.keys() | after.keys()):
        title = f"NetworkQoS {policy}" if policy else "rows of no policy"
        yield Section(title, tuple(before[policy]), tuple(after[policy]))


def _external_ids(key: RowKey, owner: str) -> Mapping[str, str]:
    return QosRow(key, Direction.TO_LPORT, 0, "", 0).external_ids(owner)


def _who(key: RowKey) -> str:
    return f"NetworkQoS {key.policy}: rule {key.rule}" if key.policy else f"the {key}"


def _heading(key: RowKey) -> str:
    if not key.policy:
        return f"{key.purpose}, network {key.network}, switch {key.switch}"
    part = f" ({key.part})" if key.part else ""
    return f"rule {key.rule}{part}, network {key.network}, switch {key.switch}"


def _stored(row: StoredRow, expected: Mapping[str, str], view: Replica, switch: str = "") -> Iterator[str]:
    places = sorted(_switch(uuid, view) for uuid in view.rows.switches_of(row.uuid))
    if places != [switch]:
        yield f"  attached to: {', '.join(places) or 'no switch'}"
    yield from _columns(row.direction, row.priority, row.match, row.action, row.bandwidth)
    for name, value in sorted(row.external_ids.items()):
        if expected.get(name) != value:
            yield f"  external_ids: {name}={value}"


def _switch(uuid: str, view: Replica) -> str:
    """Name a switch, with its uuid where another one of the same name counts."""
    name = view.switch_name(uuid) or ""
    return name if view.switch(name) == uuid else f"{name} (uuid {uuid})"


def _wanted(row: QosRow) -> Iterator[str]:
    return _columns(row.direction, row.priority, row.match, row.action, row.bandwidth)


def _columns(
    direction: str, priority: int, match: str, action: Mapping[str, int], bandwidth: Mapping[str, int]
) -> Iterator[str]:
    yield f"  direction: {direction}"
    yield f"  priority: {priority}"
    yield f"  match: {match}"
    yield f"  action: {_map(action)}"
    if bandwidth:
        yield f"  bandwidth: {_map(bandwidth)}"


def _map(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items()))


def _sets(desired: Desired, view: Replica, plan: Plan, owner: str) -> Iterator[Section]:
    for name in sorted({*desired.address_sets, *view.address_sets.names()}):
        wanted, stored = desired.address_sets.get(name), view.address_sets.get(name)
        after = None if wanted is None else _Side(wanted.external_ids(owner), wanted.addresses)
        yield from _set(f"address set {name}", stored, after, plan, owner)
    for name in sorted({*desired.port_groups, *view.port_groups.names()}):
        group, stored = desired.port_groups.get(name), view.port_groups.get(name)
        ports = {} if group is None else {uuid: port for port in group.ports if (uuid := view.ports.uuid_of(port))}
        if stored is not None:
            stored = replace(stored, members={ports.get(each, f"uuid {each}") for each in stored.members})
        is_missing = group is None or (stored is None and not ports)
        after = None if group is None or is_missing else _Side(group.external_ids(owner), set(ports.values()))
        yield from _set(f"port group {name}", stored, after, plan, owner)


class _Side(msgspec.Struct, frozen=True):
    """A set as it should be."""

    external_ids: Mapping[str, str]
    members: AbstractSet[str]

    def lines(self) -> tuple[str, ...]:
        selection = self.external_ids.get(SELECTION, "")
        others = {name: value for name, value in self.external_ids.items() if name not in (SELECTION, OWNER)}
        ids = (f"external_ids: {name}={value}" for name, value in sorted(others.items()))
        return (f"holds {selection}", *ids, *(f"  {member}" for member in sorted(self.members)))


def _set(title: str, stored: StoredSet | None, after: _Side | None, plan: Plan, owner: str) -> Iterator[Section]:
    """Compare a set, unless it is somebody else's."""
    if stored is not None and not is_ours(stored.external_ids, owner):
        return
    before = None if stored is None else _Side(stored.external_ids, stored.members)
    if after is None and before is not None and stored is not None and not _is_deleted(stored.name, plan):
        after = replace(before, members=frozenset())  # an idle row still refers to it
    yield Section(title, before.lines() if before else (), after.lines() if after else ())


def _is_deleted(name: str, plan: Plan) -> bool:
    return any(each.kind is OperationKind.SET_DELETE and each.subject == SetName(name) for each in plan.operations)
