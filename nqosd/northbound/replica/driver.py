"""Runs the IDL inside an asyncio event loop.

In: an IDL. Out: its replica and lock kept current, `on_turn` after each time it ran, and transactions followed to their
end. The rule: the IDL is touched by one at a time; what would hold up the event loop (a message beyond `LIGHT` bytes)
runs in a thread, and until that has ended nobody touches the IDL or its replica (`idle`).
"""

import asyncio
import gc
from collections.abc import Callable
from typing import TypeVar

import structlog

from nqosd.northbound.ovsdb.connection import FramedConnection
from nqosd.northbound.ovsdb.poller import LoopPoller
from nqosd.northbound.replica.idl import NorthboundIdl, RawTransaction

_PAUSE_AFTER_ERROR = 1.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Driver:
    """Turns of the IDL, each when python-ovs has something to do. `start` it inside a running event loop."""

    def __init__(self, idl: NorthboundIdl, on_turn: Callable[[], None]) -> None:
        self.idl = idl
        self._on_turn = on_turn
        self._loop = asyncio.get_running_loop()
        self._poller = LoopPoller(self._turn)
        self._aside: asyncio.Task[object] | None = None
        self._transactions: dict[RawTransaction, tuple[int, asyncio.Future[None]]] = {}
        self._closed = False

    def start(self) -> None:
        """Begin."""
        self._turn()

    async def close(self) -> None:
        """Close the connection; the lock is free then."""
        self._closed = True
        await self.idle()
        self._poller.disarm()
        self.idl.close()
        self._end_transactions()
        gc.unfreeze()  # what was made to stay may go now

    async def idle(self) -> None:
        """Wait until no thread works on the IDL."""
        while self._aside is not None:
            await asyncio.wait([self._aside])

    async def aside(self, work: Callable[[], T]) -> T:
        """Do long work on the IDL or its replica in a thread, while neither changes."""
        await self.idle()
        self._poller.disarm()
        task = self._loop.create_task(_in_thread(work))
        self._aside = task
        try:
            return await asyncio.shield(task)
        finally:
            if not task.done():
                await asyncio.wait([task])
            self._aside = None
            self._wait()

    def kick(self) -> None:
        """Let the IDL run: something was asked of it."""
        self._turn()

    async def follow(self, transaction: RawTransaction) -> None:
        """Wait until a transaction that was sent has been answered, or the connection that carried it is gone."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._transactions[transaction] = (self.idl.session.get_seqno(), future)
        self._wait()
        try:
            await future
        finally:
            self._transactions.pop(transaction, None)

    def _turn(self) -> None:
        if self._aside is not None or self._closed:
            return
        try:
            self.idl.run()
        except Exception as error:  # noqa: BLE001 (an error in one message must not end the daemon's connection)
            self._recover(error)
        self._after()

    def _after(self) -> None:
        connection = self.idl.session.connection
        if connection is not None and connection.heavy:
            self._poller.disarm()
            self._aside = self._loop.create_task(self._run_aside(connection), name="northbound: heavy message")
        else:
            self._wait()
        self._end_transactions()
        self._on_turn()

    def _wait(self) -> None:
        if self._closed or self._aside is not None:
            return
        self._poller.begin()
        self.idl.wait(self._poller)
        self._poller.arm()

    async def _run_aside(self, connection: FramedConnection) -> None:
        connection.accepts_heavy = True
        try:
            await _in_thread(self.idl.run)
        except Exception as error:  # noqa: BLE001 (as in _turn)
            self._recover(error)
        finally:
            connection.accepts_heavy = False
            self._aside = None
        self._after()

    def _recover(self, error: Exception) -> None:
        log.error("northbound: unexpected error, connecting anew", error=repr(error), exc_info=error)
        self.idl.resync(f"unexpected error: {error!r}")
        self._loop.call_later(_PAUSE_AFTER_ERROR, self._turn)

    def _end_transactions(self) -> None:
        seqno = self.idl.session.get_seqno()
        for transaction, (begun, future) in list(self._transactions.items()):
            ended = transaction.status != RawTransaction.INCOMPLETE or seqno != begun or self._closed
            if ended and not future.done():
                future.set_result(None)


async def _in_thread(work: Callable[[], T]) -> T:
    """Work in a thread without the garbage collector, which would stop all threads to look at what is being made.

    What was made stays for long, so the collector needn't look at it ever again (`gc.freeze`). Measured for the first
    sync of a million addresses: without the freeze the event loop stands still for 70 ms when the thread is done.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return await asyncio.to_thread(work)
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
