"""Whether one row is in the database as it should be, for people.

In: the key of a desired row, the desired state, a view. Out: a `Presence`. Rule: "as desired" means that the plan for
this row and its sets has nothing to do.
"""

from enum import StrEnum

import msgspec

from nqosd.compiler.desired import Desired, QosRow
from nqosd.northbound.plan.operations import describe
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.replica import Replica


class RowPresence(StrEnum):
    """How a row stands in the database."""

    AS_DESIRED = "as desired"
    DIFFERENT = "different"
    MISSING = "missing"
    WAITING = "waiting for its switch"
    WITHOUT_PORTS = "waiting for the first logical port of its senders"
    BLOCKED = "blocked"


class Presence(msgspec.Struct, frozen=True):
    """`uuid` is that of the row in the database, empty without one; `detail` says what is in the way, or different."""

    standing: RowPresence
    uuid: str = ""
    detail: str = ""


def presence(row: QosRow, desired: Desired, view: Replica, owner: str) -> Presence:
    """Look for a row."""
    scope = PlanScope(frozenset({row.key}), dict.fromkeys(row.sets))
    plan = make_plan(desired, view, scope, PlanOptions(owner))
    uuid = next((stored.uuid for stored in view.rows.get(row.key)), "")
    if row.key in plan.waiting:
        return Presence(RowPresence.WAITING, uuid, f"logical switch {row.key.switch} isn't there")
    if row.key in plan.without_ports:
        return Presence(RowPresence.WITHOUT_PORTS, uuid, f"no logical port of {plan.without_ports[row.key]} is there")
    if row.key in plan.blocked:
        return Presence(RowPresence.BLOCKED, uuid, plan.blocked[row.key])
    if not plan.operations:
        return Presence(RowPresence.AS_DESIRED, uuid)
    changed = ", ".join(sorted({describe(subject) for subject in plan.subjects}))
    return Presence(RowPresence.DIFFERENT if uuid else RowPresence.MISSING, uuid, f"the daemon would write: {changed}")
