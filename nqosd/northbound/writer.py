"""Commits planned operations as one transaction of OVSDB.

In: operations. Out: how it ended, and when it was refused the object to blame. The rule: the lock is asserted in the
same transaction, so a daemon that was deposed writes nothing; and whoever is told anything but "committed" must compare
everything anew, since an answer may be lost after the server has written.
"""

import asyncio
from collections.abc import Sequence

import attrs

from nqosd.northbound.plan.operations import Operation, Subject, describe
from nqosd.northbound.replica.driver import Driver
from nqosd.northbound.replica.idl import RawTransaction
from nqosd.northbound.results import Outcome

_ASSERTS = 1
"""The assertion of the lock is the first operation of every transaction."""

_OUTCOMES = {
    RawTransaction.SUCCESS: Outcome.COMMITTED,
    RawTransaction.UNCHANGED: Outcome.UNCHANGED,
    RawTransaction.NOT_LOCKED: Outcome.LOST_LOCK,
    RawTransaction.INCOMPLETE: Outcome.DISCONNECTED,
    RawTransaction.TRY_AGAIN: Outcome.REFUSED,
    RawTransaction.ERROR: Outcome.REFUSED,
}


@attrs.frozen
class Commit:
    """How a transaction ended."""

    outcome: Outcome
    problem: str = ""
    subject: Subject | None = None
    """The object of the operation that the server named; None if it named none."""
    is_hard: bool = False
    """Whether the same operations would be refused again, whatever else changes."""


async def commit(driver: Driver, operations: Sequence[Operation], patience: float) -> Commit:
    """Commit operations and wait for the answer, at most `patience` seconds; then the connection is given up."""
    transaction = RawTransaction(driver.idl)
    for operation in operations:
        transaction.add_op(operation.body)
    transaction.commit()
    if transaction.status == RawTransaction.INCOMPLETE:
        try:
            async with asyncio.timeout(patience):
                await driver.follow(transaction)
        except TimeoutError:
            problem = f"no answer to a transaction within {patience:g} s"
            await driver.idle()
            driver.idl.session.drop(problem)
            driver.kick()
            return Commit(Outcome.TIMED_OUT, problem)
    outcome = _OUTCOMES[transaction.status]
    if outcome is Outcome.REFUSED:
        return _blame(transaction, operations, driver)
    return Commit(outcome, "" if outcome is not Outcome.DISCONNECTED else driver.idl.session.reason)


def _blame(transaction: RawTransaction, operations: Sequence[Operation], driver: Driver) -> Commit:
    """Find out what the server didn't like."""
    for place, answer in enumerate(transaction.answers):
        if not isinstance(answer, dict) or answer.get("error") in {None, "aborted"}:
            continue
        index = place - _ASSERTS
        subject = operations[index].subject if 0 <= index < len(operations) else None
        if answer["error"] == "timed out":
            what = describe(subject) if subject is not None else "something"
            return Commit(Outcome.REFUSED, f"{what} isn't what it was when the transaction was planned", subject)
        details = answer.get("details")
        text = f"{answer['error']}: {details}" if details else str(answer["error"])
        return Commit(Outcome.REFUSED, text, subject, is_hard=True)
    if transaction.refusal is not None:
        return Commit(Outcome.REFUSED, str(transaction.refusal), is_hard=True)
    return Commit(Outcome.DISCONNECTED, driver.idl.session.reason)
