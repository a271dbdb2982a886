"""The order in which policies win.

In: valid, decoded policies. Out: those that are applied, winners first, and those that aren't because too many are
tied. The rule: higher priority first; within one namespace and priority the older policy, then the name in alphabetical
order; ten of a tie are applied. A policy without a readable creationTimestamp is younger than any other:
it never was in a cluster.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby

from tests.oracle.decoded import Object, at, text

TIED_AND_APPLIED = 10
"""How many policies of one namespace with one priority are applied (design, section 3: rank 0..9)."""


def ranked(policies: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """Split valid policies into the applied ones, in order of precedence, and the ones that are too many."""
    applied: list[Object] = []
    crowded_out: list[Object] = []
    ordered = sorted(policies, key=lambda policy: (_level(policy), seniority(policy)))
    for _, tied in groupby(ordered, key=_level):
        members = list(tied)
        applied += members[:TIED_AND_APPLIED]
        crowded_out += members[TIED_AND_APPLIED:]
    return applied, crowded_out


def priority(policy: Object) -> int:
    """The priority of a valid policy."""
    value = at(policy, "spec", "priority")
    return int(value) if isinstance(value, int | float) else 0


def _level(policy: Object) -> tuple[int, str]:
    return -priority(policy), text(policy, "metadata", "namespace")


def seniority(policy: Object) -> tuple[datetime, str]:
    """What policies of a namespace are sorted by, the oldest first."""
    try:
        created = datetime.fromisoformat(text(policy, "metadata", "creationTimestamp"))
    except ValueError:
        created = datetime.max.replace(tzinfo=UTC)
    return created if created.tzinfo else created.replace(tzinfo=UTC), text(policy, "metadata", "name")
