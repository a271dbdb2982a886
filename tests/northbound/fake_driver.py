"""A driver of the IDL whose server is the model database: for faults at exact moments, thousands of times.

`FakeDriver` has what the reconciler uses of the real one, and nothing else.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation, OperationKind, Subject
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.results import RoundOutcome
from tests.northbound.database import ModelDatabase
from tests.northbound.ovsdb_types import RefusedError

T = TypeVar("T")


class FakeIdl:
    """The state of the connection and of the lock, as a test sets them."""

    def __init__(self, database: ModelDatabase) -> None:
        self.database = database
        self.replica = database.replica
        self.holds_lock = True
        self.is_synced = True

    def watch(self, names: frozenset[str]) -> None:
        """Show sets of these names."""
        self.database.watch(names)


class FakeDriver:
    """Commits to the model; `faults` are taken one by one, each instead of an ordinary commit."""

    def __init__(self, database: ModelDatabase) -> None:
        self.idl = FakeIdl(database)
        self.faults: list[Callable[[Sequence[Operation]], Commit]] = []
        self.transactions: list[Sequence[Operation]] = []
        self.refused: set[Subject] = set()
        self.names_what_it_refuses = True
        self.turn: Callable[[], None] = lambda: None
        """What the real one calls after each turn of the IDL; the echo of a transaction comes before its answer."""

    async def idle(self) -> None:
        """Be idle at once."""

    async def aside(self, work: Callable[[], T]) -> T:
        """Do the work here."""
        return work()

    def kick(self) -> None:
        """Have nothing to send."""

    async def write(self, _driver: IdlDriver, operations: Sequence[Operation], _patience: float) -> Commit:
        """Commit to the model, or fail in the way that the test asked for."""
        self.transactions.append(operations)
        answer = self.faults.pop(0)(operations) if self.faults else self.commit(operations)
        self.turn()
        return answer

    def commit(self, operations: Sequence[Operation]) -> Commit:
        """Commit as a server does, but refuse what the test said; by name, or so that nobody knows what it was."""
        for each in operations:
            if each.subject in self.refused and each.kind is not OperationKind.WAIT:
                named = each.subject if self.names_what_it_refuses else None
                return Commit(RoundOutcome.REFUSED, "constraint violation: it doesn't like it", named, is_hard=True)
        try:
            self.idl.database.execute(operations)
        except RefusedError as error:
            subject = None if error.place is None else operations[error.place].subject
            is_stale = error.error == "timed out"
            return Commit(RoundOutcome.REFUSED, str(error), subject, is_hard=not is_stale, is_stale=is_stale)
        return Commit(RoundOutcome.COMMITTED)
