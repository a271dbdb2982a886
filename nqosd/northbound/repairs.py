"""Which of what a round wrote somebody else had changed or deleted: a repair, which the log and a metric tell of."""

from collections.abc import Set as AbstractSet

from nqosd.compiler.desired import RowKey
from nqosd.northbound.dirty import Cause
from nqosd.northbound.plan.operations import SetName, Subject
from nqosd.northbound.round_planner import OpenRound


def repairs(round_: OpenRound, subjects: AbstractSet[Subject], *, idle_rows_go: bool) -> frozenset[Subject]:
    """Return what somebody else had changed: nobody desired it differently, no switch or port explains it.

    `idle_rows_go`: what an audit alone has found isn't counted, since rows that waited leave with this transaction.
    """
    unexpected: set[Cause | None] = {Cause.DATABASE}
    if round_.is_audit and not idle_rows_go:
        unexpected.add(None)
    return frozenset(
        subject
        for subject in subjects
        if round_.taken.cause_of(subject) in unexpected and not _follows_from_surroundings(subject, round_)
    )


def _follows_from_surroundings(subject: Subject, round_: OpenRound) -> bool:
    """Say whether a switch or port that came or went explains it.

    The server takes ports that go out of their groups; a row stands and falls with its switch, and with its group.
    """
    row = round_.desired.rows.get(subject) if isinstance(subject, RowKey) else None
    names = (subject.name,) if isinstance(subject, SetName) else () if row is None else row.sets
    groups = filter(None, map(round_.desired.port_groups.get, names))
    needed = set[str]().union(*(group.ports for group in groups), () if row is None else [row.key.switch])
    return not needed.isdisjoint(round_.taken.surroundings)
