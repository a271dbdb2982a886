"""Commits planned operations as one transaction of OVSDB.

In: operations. Out: how it ended, and when it was refused the object to blame. The rule: the lock is asserted in the
same transaction, so a daemon that was deposed writes nothing; and whoever is told anything but "committed" must compare
everything anew, since an answer may be lost after the server has written.
"""

import asyncio
import re
from collections.abc import Sequence

import msgspec

from nqosd.northbound.plan.operations import Operation, OperationKind, RecordName, SetName, Subject, describe
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.results import RoundOutcome
from nqosd.ovsdb.raw_idl import RawTransaction

_ASSERTS = 1
"""The assertion of the lock is the first operation of every transaction."""

LIGHT = 500
"""Operations that may be sent from the event loop; it takes about 5 ms."""

_OUTCOMES = {
    RawTransaction.SUCCESS: RoundOutcome.COMMITTED,
    RawTransaction.UNCHANGED: RoundOutcome.UNCHANGED,
    RawTransaction.NOT_LOCKED: RoundOutcome.LOST_LOCK,
    RawTransaction.INCOMPLETE: RoundOutcome.DISCONNECTED,
    RawTransaction.TRY_AGAIN: RoundOutcome.REFUSED,
    RawTransaction.ERROR: RoundOutcome.REFUSED,
}


_OF_THE_SERVER = {"I/O error", "cluster error", "not allowed"}
"""Errors that have nothing to do with what was sent: a full disk, a change of leaders, a backup that only reads."""
_TAKEN = re.compile(r'identical values \("?([^"()]*)"?\) for index on column "name"')


class Commit(msgspec.Struct, frozen=True):
    """How a transaction ended."""

    outcome: RoundOutcome
    problem: str = ""
    subject: Subject | None = None
    """The object of the operation that the server named; None if it named none."""
    is_hard: bool = False
    """Whether the same operations would be refused again, whatever else changes."""
    is_stale: bool = False
    """Whether something isn't in the database what it is in the replica."""
    is_unanswered: bool = False
    """Whether the operations were sent, and no answer came: in time, or before the connection was lost."""


async def commit(driver: IdlDriver, operations: Sequence[Operation], seconds: float) -> Commit:
    """Commit operations, many of them in a thread, and wait for the answer, at most `seconds` seconds.

    Then the connection is given up.
    """
    transaction = RawTransaction(driver.idl)

    def send() -> None:
        for operation in operations:
            transaction.add_op(operation.body)
        transaction.commit()

    try:
        if len(operations) <= LIGHT:
            send()
        else:
            await driver.aside(send)
    except Exception as error:  # noqa: BLE001 (what can't be sent must not keep other things from being sent)
        transaction.abort()
        return Commit(RoundOutcome.REFUSED, f"it can't be sent: {error!r}", is_hard=True)
    if transaction.status == RawTransaction.INCOMPLETE:
        try:
            async with asyncio.timeout(seconds):
                await driver.follow(transaction)
        except TimeoutError:
            problem = f"no answer to a transaction within {seconds:g} s"
            await driver.idle()
            driver.idl.session.drop(problem)
            driver.kick()
            return Commit(RoundOutcome.TIMED_OUT, problem, is_unanswered=True)
    outcome = _OUTCOMES[transaction.status]
    if outcome is RoundOutcome.REFUSED:
        return _blame(transaction, operations, driver)
    if outcome is RoundOutcome.DISCONNECTED:
        return Commit(outcome, driver.idl.session.reason, is_unanswered=True)
    return Commit(outcome)


def _blame(transaction: RawTransaction, operations: Sequence[Operation], driver: IdlDriver) -> Commit:
    """Find out what the server didn't like."""
    for place, answer in enumerate(transaction.answers):
        if not isinstance(answer, dict) or answer.get("error") in {None, "aborted"}:
            continue
        index = place - _ASSERTS
        subject = operations[index].subject if 0 <= index < len(operations) else None
        if answer["error"] == "timed out":
            what = describe(subject) if subject is not None else "something"
            problem = f"{what} isn't what it was when the transaction was planned"
            return Commit(RoundOutcome.REFUSED, problem, subject, is_stale=True)
        details = answer.get("details")
        text = f"{answer['error']}: {details}" if details else str(answer["error"])
        subject = subject or _named(text, operations)
        return Commit(RoundOutcome.REFUSED, text, subject, is_hard=answer["error"] not in _OF_THE_SERVER)
    if transaction.refusal is not None:
        return Commit(RoundOutcome.REFUSED, str(transaction.refusal), is_hard=True)
    return Commit(RoundOutcome.DISCONNECTED, driver.idl.session.reason)


def _named(text: str, operations: Sequence[Operation]) -> Subject | None:
    """Return the new set or record whose name the server says is taken; it finds that out after the last operation."""
    found = _TAKEN.search(text)
    inserted = {each.subject for each in operations if each.kind in {OperationKind.SET_INSERT, OperationKind.RECORD}}
    named = [SetName(found[1]), RecordName(found[1])] if found else []
    return next((each for each in named if each in inserted), None)
