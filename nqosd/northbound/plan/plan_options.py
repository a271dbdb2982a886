"""Under which a plan is made, beside what is desired and what is there.

In: nothing; the reconciler fills it for each round. Out: one value that every planner reads. Rule: under equal
circumstances the same state gives the same plan.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.compiler.desired import RowKey
from nqosd.northbound.plan.idle_rows import IdleRows
from nqosd.northbound.plan.operations import Subject
from nqosd.northbound.replica.writer_record import WriterRecord


def never(_key: RowKey) -> bool:
    """Let no removal wait."""
    return False


class PlanOptions(msgspec.Struct, frozen=True):
    """Under which a plan is made."""

    owner: str
    prune: bool = True
    """False while the desired state may be incomplete: then rows, sets and members are only added."""
    may_wait: Callable[[RowKey], bool] = never
    """Whether the removal of a row that isn't desired may wait: its rule is still there, only its senders are gone."""
    idle_rows: IdleRows = msgspec.field(default_factory=IdleRows)
    """Rows whose removal is waiting; they go with the first change of structure."""
    detach: bool = False
    """Remove the idle rows now."""
    spent: AbstractSet[str] = frozenset()
    """Port groups that nobody wants and that have been empty for so long that they may be deleted."""
    pausing: AbstractSet[str] = frozenset()
    """Port groups that somebody else deleted a moment ago: not made again yet."""
    refused: Mapping[Subject, str] = {}
    """Objects that can't be written as they are, with the server's words: left as they are, and all that needs them."""
    record: WriterRecord | None = None
    """What the writer says of itself beside the rows that it writes; None: nothing."""
