"""Two policies on two switches, and a database that has the switches: what most tests begin with."""

from collections.abc import Sequence

from nqosd.compiler.desired import Desired
from nqosd.northbound.plan.operations import Operation, OperationKind
from nqosd.northbound.results import RoundOutcome
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import address_set, desired, key, row
from tests.northbound.rounds import Rounds

VIDEO = row(key())
VOICE = row(key("games/voice", switch="node2"), source="set_b")
SENDERS = address_set("set_a", "10.0.0.1", "10.0.0.2")
TALKERS = address_set("set_b", "10.0.0.3")
BOTH = desired([VIDEO, VOICE], [SENDERS, TALKERS])


def kinds(operations: Sequence[Operation]) -> list[OperationKind]:
    """Return what operations do, in their order."""
    return [operation.kind for operation in operations]


async def converged(database: ModelDatabase, state: Desired = BOTH, **options: float) -> Rounds:
    """Return rounds that have written a state."""
    rounds = Rounds(database, **options)
    result = await rounds.round(state)
    assert result.outcome is RoundOutcome.COMMITTED
    rounds.driver.transactions.clear()
    return rounds
