"""One visit to a Northbound database for commands: everything that is there, and with the lock one transaction.

In: the options of the database. Out: a `Visit` for as long as the context lasts. Rule: nothing is written without the
lock, so no daemon of the same lock writes at the same time; who only reads asks for no lock, and no daemon notices.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import cast

import attrs
import msgspec

from nqosd.northbound.commit import Commit, commit
from nqosd.northbound.plan.operations import Operation
from nqosd.northbound.replica.idl import NorthboundIdl
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.replica.replica import Replica
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.raw_idl import RawTransaction
from nqosd.ovsdb.remotes import resolve

TIMEOUT = 15.0
"""Seconds to wait for a database; a million addresses take about one."""
LOCK_TIMEOUT = 3.0
"""Seconds to wait for the lock: long enough for a daemon that is ending."""


class ReadError(Exception):
    """The database can't be read; the message names its remotes and says why."""


class LockedError(ReadError):
    """Somebody else holds the lock; the message says what to do."""


class Visit(msgspec.Struct, frozen=True):
    """A database that is in reach; `replica` holds the rows of our own owner."""

    replica: Replica
    _driver: IdlDriver
    _seconds: float

    async def select(self, tables: Sequence[str]) -> dict[str, list[Mapping[str, object]]]:
        """Read all rows of some tables, whoever owns them, as of one moment.

        Raises:
            ReadError: the connection was lost.
        """
        transaction = RawTransaction(self._driver.idl)
        for table in tables:
            transaction.add_op({"op": "select", "table": table, "where": []})
        transaction.commit()
        async with asyncio.timeout(self._seconds):
            await self._driver.follow(transaction)
        answers = [each for each in transaction.answers if isinstance(each, dict) and "rows" in each]
        if len(answers) != len(tables):
            raise ReadError(f"the database didn't answer: {self._driver.idl.session.reason or transaction.refusal}")
        rows = [cast("list[Mapping[str, object]]", each["rows"]) for each in answers]
        return dict(zip(tables, rows, strict=True))

    async def commit(self, operations: Sequence[Operation]) -> Commit:
        """Write everything, or nothing."""
        return await commit(self._driver, operations, self._seconds)


@contextlib.asynccontextmanager
async def visit(
    options: Options, *, exclusive: bool, names: Iterable[str] = (), seconds: float = TIMEOUT
) -> AsyncIterator[Visit]:
    """Connect, and wait for the lock if it is to be `exclusive`; sets of these `names` are read whoever owns them.

    Raises:
        LockedError: somebody else holds the lock.
        ReadError: no database was in reach, or none that can be used, within `seconds` seconds.
    """
    if not exclusive:
        options = attrs.evolve(options, lock="")
    turned = asyncio.Event()
    where = ", ".join(map(str, options.remotes))
    try:
        idl = NorthboundIdl(options, await resolve(options.remotes), Replica(options.owner))
    except OSError as error:
        raise ReadError(f"northbound.remotes: {where}: {error}") from error
    idl.watch(names)
    driver = IdlDriver(idl, turned.set)
    driver.start()
    try:
        if not await _until(turned, lambda: idl.is_synced, seconds):
            reason = idl.session.reason or "no answer"
            raise ReadError(f"northbound.remotes: {where}: not readable within {seconds:g} s: {reason}")
        if exclusive and not await _until(turned, lambda: idl.holds_lock, LOCK_TIMEOUT):
            raise LockedError(
                f"another program holds the lock {options.lock!r} of the database: stop every nqosd daemon of it first"
            )
        await driver.idle()
        yield Visit(idl.replica, driver, seconds)
    finally:
        await driver.close()


async def read_replica(options: Options, *, names: Iterable[str] = (), seconds: float = TIMEOUT) -> Replica:
    """Read the rows of this owner, and address sets and port groups of some names whoever owns them.

    Raises:
        ReadError: no database was in reach, or none that can be used, within `seconds` seconds.
    """
    async with visit(options, exclusive=False, names=names, seconds=seconds) as database:
        return database.replica


async def _until(turned: asyncio.Event, condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition that can change with each turn of the connection; say whether it came true."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                turned.clear()
                await turned.wait()
    return condition()
