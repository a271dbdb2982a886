"""Reads a Northbound database once, for commands that only look.

In: the options of the database. Out: a `Replica` as of one moment, after the connection has been closed. Rule: it asks
for no lock and sends no transaction, so the daemon that writes doesn't notice.
"""

import asyncio
from collections.abc import Iterable

import attrs

from nqosd.northbound.ovsdb.options import Options
from nqosd.northbound.ovsdb.remotes import resolve
from nqosd.northbound.replica.driver import Driver
from nqosd.northbound.replica.idl import NorthboundIdl
from nqosd.northbound.replica.replica import Replica

PATIENCE = 15.0
"""Seconds to wait for a database; a million addresses take about one."""


class ReadError(Exception):
    """The database can't be read; the message names its remotes and says why."""


async def read_replica(options: Options, *, names: Iterable[str] = (), patience: float = PATIENCE) -> Replica:
    """Read the rows of this owner, and address sets and port groups of some names whoever owns them.

    Raises:
        ReadError: no database was in reach, or none that can be used, within `patience` seconds.
    """
    options = attrs.evolve(options, lock="")
    synced = asyncio.Event()

    def look() -> None:
        if idl.is_synced:
            synced.set()

    where = ", ".join(map(str, options.remotes))
    try:
        idl = NorthboundIdl(options, await resolve(options.remotes), Replica(options.owner))
    except OSError as error:
        raise ReadError(f"northbound.remotes: {where}: {error}") from error
    idl.watch(names)
    driver = Driver(idl, look)
    driver.start()
    try:
        async with asyncio.timeout(patience):
            await synced.wait()
        await driver.idle()
    except TimeoutError:
        reason = idl.session.reason or "no answer"
        raise ReadError(f"northbound.remotes: {where}: not readable within {patience:g} s: {reason}") from None
    finally:
        await driver.close()
    return idl.replica
