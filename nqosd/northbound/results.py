"""What a round did, and what is so now. Values for the daemon, the status and the metrics."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

import msgspec

from nqosd.compiler.desired import RowKey
from nqosd.compiler.switches import Switches
from nqosd.northbound.plan.operations import Subject


class RoundOutcome(StrEnum):
    """How a round ended."""

    COMMITTED = "committed"
    """Written, as far as nothing was waiting or blocked."""
    UNCHANGED = "unchanged"
    """Nothing had to be written."""
    REFUSED = "refused"
    """The server wrote nothing: something wasn't as assumed, or it didn't like an operation."""
    LOST_LOCK = "lost_lock"
    """Another daemon took the lock meanwhile; nothing was written."""
    TIMED_OUT = "timed_out"
    """No answer in time; it may have been written or not."""
    DISCONNECTED = "disconnected"
    """No connection, or not yet in step; what was on its way may have been written or not."""
    STANDBY = "standby"
    """Another daemon holds the lock; nothing was tried."""
    WITHHELD = "withheld"
    """This daemon holds the lock, but the writer before it knew more; nothing was tried."""


class Lacking(msgspec.Struct, frozen=True):
    """Why rows of one policy are not in the database: switches that aren't there, and obstacles in words."""

    switches: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


class RoundResult(msgspec.Struct, frozen=True):
    """What one round did. Times are in seconds."""

    outcome: RoundOutcome
    operations: Mapping[str, int] = {}
    """Operations of the transaction by kind, whether it was committed or not."""
    written: AbstractSet[Subject] = frozenset()
    """Rows and sets that were written."""
    policies: AbstractSet[str] = frozenset()
    """Policies whose rows were written, or of which something else is lacking now than before."""
    repaired: AbstractSet[Subject] = frozenset()
    """Rows and sets that somebody else had changed or deleted, and that were put right."""
    conflicts: Mapping[str, str] = {}
    """Sets whose names are taken by somebody else, with whose they are in words."""
    waiting: Mapping[str, AbstractSet[RowKey]] = {}
    """All rows that wait for a logical switch, by its name. A live view."""
    blocked: Mapping[Subject, str] = {}
    """All rows, sets and switches that are left as they are and tried again later, with why: the server refused them,
    or somebody else undoes what is written."""
    problem: str = ""
    """What went wrong, in words."""
    left: AbstractSet[str] = frozenset()
    """Namespaces that have more to write than this round wrote; the next rounds do."""
    left_since: float | None = None
    """What they have to write was asked for after this moment, in monotonic seconds; None if that isn't known. To a
    standby: since when the oldest of what the holder of the lock is to write has been seen not to be there."""
    plan_seconds: float = 0.0
    commit_seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the database now holds what the round was to write, but for what is lacking."""
        return self.outcome in {RoundOutcome.COMMITTED, RoundOutcome.UNCHANGED}

    @property
    def settled(self) -> bool:
        """Whether the database now holds all that is desired, but for what is lacking."""
        return self.succeeded and not self.left


class DatabaseFacts(msgspec.Struct, frozen=True):
    """What is known about the database now."""

    connected: bool = False
    synced: bool = False
    """Whether the replica is in step with the database."""
    lock_held: bool = False
    remote: str = ""
    problem: str = ""
    """Why it is not connected or not in step, in words."""
    zone: str | None = None
    """NB_Global.name; None as long as it isn't known."""
    northd_version: str | None = None
    """NB_Global.options:northd_internal_version; None as long as it isn't known."""
    switches: Switches = {}
    """What isn't ours on each switch, as of the last moment in step."""
    theirs: Mapping[str, int] = {}
    """How many rows ovn-kubernetes' own controller has for each policy, as of the last moment in step."""
    is_contended: bool = False
    """Whether the server said that somebody else holds the lock."""
    other_holder: str = ""
    """Which other instance seems to hold the lock, so that nothing of this one is written, in words."""


class Observer:
    """Counts nothing; who counts takes its place. Each method returns at once."""

    def facts(self, facts: DatabaseFacts) -> None:
        """Take what is known now, whenever it changed."""

    def transaction(self, outcome: RoundOutcome, operations: Mapping[str, int], seconds: float) -> None:
        """Take a transaction: how it ended, its operations by kind, and the time until its answer."""

    def repaired(self, number: int) -> None:
        """Take the number of rows and sets that somebody else had changed and that were put right."""
