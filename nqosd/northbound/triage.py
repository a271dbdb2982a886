"""From what changed in the replica to what is dirty.

In: changes, and what is known to wait for something. Out: entries in `Dirty`, each with its cause. Pure. The rules: a
change that follows from a switch or port that came or went is not somebody's edit; rows of a port group are looked at
with it, because they stand and fall with its members.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from nqosd.compiler.desired import Delta, RowKey
from nqosd.northbound.dirty import Cause, Dirty
from nqosd.northbound.open_rows import OpenRows
from nqosd.northbound.plan.lingering import Lingering
from nqosd.northbound.replica.changes import Changes
from nqosd.northbound.replica.replica import View


def note_delta(dirty: Dirty, delta: Delta, lingering: Lingering, open_rows: OpenRows, view: View) -> None:
    """Note what is desired differently; a policy that changed may have no use for its lingering rows any more."""
    if dirty.everything:
        return
    dirty.touch_rows(delta.rows, Cause.DESIRED)
    for name, members in delta.sets.items():
        is_there = view.address_set(name) is not None or view.port_group(name) is not None
        dirty.touch_set(name, (members.added | members.removed or None) if is_there else None, Cause.DESIRED)
        dirty.touch_rows(_rows_of_group(name, open_rows, view), Cause.DESIRED)
    for policy in delta.policies:
        dirty.touch_rows(lingering.of_policy(policy), Cause.DESIRED)


def note_changes(
    dirty: Dirty,
    changes: Changes,
    open_rows: OpenRows,
    absent_ports: Mapping[str, AbstractSet[str]],
    view: View,
    *,
    theirs: bool,
) -> None:
    """Note what changed in the database.

    `absent_ports`: names of ports that port groups wait for, with the groups; `theirs`: a set of somebody else that is
    in our way came, changed or went.
    """
    if changes.cleared or theirs:
        dirty.touch_everything()
    if dirty.everything:
        return
    for key in changes.rows:
        dirty.touch_rows([key], Cause.SURROUNDINGS if key.switch in changes.switches else Cause.DATABASE)
    for switch in changes.switches:
        dirty.touch_rows(open_rows.waiting_for(switch), Cause.SURROUNDINGS)
    for name, members in changes.sets.items():
        dirty.touch_set(name, members, Cause.DATABASE)
        dirty.touch_rows(_rows_of_group(name, open_rows, view), Cause.SURROUNDINGS)
    for name in changes.unused:
        dirty.touch_set(name, frozenset(), Cause.SURROUNDINGS)
    dirty.ports |= changes.ports
    for port in changes.ports & absent_ports.keys():
        for group in absent_ports[port]:
            dirty.touch_set(group, {port}, Cause.SURROUNDINGS)
            dirty.touch_rows(_rows_of_group(group, open_rows, view), Cause.SURROUNDINGS)
    dirty.unreadable = dirty.unreadable or changes.unreadable


def _rows_of_group(name: str, open_rows: OpenRows, view: View) -> AbstractSet[RowKey]:
    """Return the rows whose senders are in a port group, stored or not; none for an address set."""
    if view.address_set(name) is not None:
        return frozenset()
    return view.keys_of_users(name) | open_rows.portless.get(name, frozenset())
