"""One visit to a Northbound database for commands that write: the lock, everything that is there, one transaction.

In: the options of the database. Out: a `Visit` for as long as the context lasts. Rule: nothing is written without the
lock, so no daemon of the same lock writes at the same time; without being asked for it, the lock is left alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import cast

import attrs

from nqosd.northbound.ovsdb.options import Options
from nqosd.northbound.ovsdb.remotes import resolve
from nqosd.northbound.plan.operations import Operation
from nqosd.northbound.replica.driver import Driver
from nqosd.northbound.replica.idl import NorthboundIdl, RawTransaction
from nqosd.northbound.replica.reading import PATIENCE, ReadError
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.writer import Commit, commit

LOCK_PATIENCE = 3.0
"""Seconds to wait for the lock: long enough for a daemon that is ending."""


class LockedError(ReadError):
    """Somebody else holds the lock; the message says what to do."""


@attrs.frozen
class Visit:
    """A database that is in reach; `replica` holds the rows of our own owner."""

    replica: Replica
    _driver: Driver
    _patience: float

    async def select(self, tables: Sequence[str]) -> dict[str, list[Mapping[str, object]]]:
        """Read all rows of some tables, whoever owns them, as of one moment.

        Raises:
            ReadError: the connection was lost.
        """
        transaction = RawTransaction(self._driver.idl)
        for table in tables:
            transaction.add_op({"op": "select", "table": table, "where": []})
        transaction.commit()
        async with asyncio.timeout(self._patience):
            await self._driver.follow(transaction)
        answers = [each for each in transaction.answers if isinstance(each, dict) and "rows" in each]
        if len(answers) != len(tables):
            raise ReadError(f"the database didn't answer: {self._driver.idl.session.reason or transaction.refusal}")
        rows = [cast("list[Mapping[str, object]]", each["rows"]) for each in answers]
        return dict(zip(tables, rows, strict=True))

    async def commit(self, operations: Sequence[Operation]) -> Commit:
        """Write everything, or nothing."""
        return await commit(self._driver, operations, self._patience)


@contextlib.asynccontextmanager
async def visit(options: Options, *, exclusive: bool, patience: float = PATIENCE) -> AsyncIterator[Visit]:
    """Connect, and wait for the lock if it is to be `exclusive`.

    Raises:
        LockedError: somebody else holds the lock.
        ReadError: no database was in reach, or none that can be used, within `patience` seconds.
    """
    if not exclusive:
        options = attrs.evolve(options, lock="")
    turned = asyncio.Event()
    where = ", ".join(map(str, options.remotes))
    try:
        idl = NorthboundIdl(options, await resolve(options.remotes), Replica(options.owner))
    except OSError as error:
        raise ReadError(f"northbound.remotes: {where}: {error}") from error
    driver = Driver(idl, turned.set)
    driver.start()
    try:
        if not await _until(turned, lambda: idl.is_synced, patience):
            reason = idl.session.reason or "no answer"
            raise ReadError(f"northbound.remotes: {where}: not readable within {patience:g} s: {reason}")
        if exclusive and not await _until(turned, lambda: idl.holds_lock, LOCK_PATIENCE):
            raise LockedError(
                f"another program holds the lock {options.lock!r} of the database: stop every nqosd daemon of it first"
            )
        await driver.idle()
        yield Visit(idl.replica, driver, patience)
    finally:
        await driver.close()


async def _until(turned: asyncio.Event, condition: Callable[[], bool], patience: float) -> bool:
    """Wait for a condition that can change with each turn of the connection; say whether it came true."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while not condition():
                turned.clear()
                await turned.wait()
    return condition()
