"""Runs the IDL inside an asyncio event loop.

In: an IDL. Out: its replica and lock kept current, `on_turn` after each time it ran, and transactions followed to their
end. The rules: the IDL is touched by one at a time; what would hold up the event loop (a message beyond `LIGHT` bytes)
runs in a thread, and until that has ended nobody touches the IDL or its replica (`idle`). Whatever raises, the
connection is made anew and the next turn comes, a second later at most; `stuck` says when it doesn't.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import TypeVar

import structlog

from nqosd.northbound.replica.idl import NorthboundIdl
from nqosd.ovsdb.poller import LoopPoller
from nqosd.ovsdb.raw_idl import RawTransaction
from nqosd.runtime.threads import aside

TICK = 1.0
"""Seconds from one turn to the next at most, whatever python-ovs waits for."""

TURN_WITHIN = 5
"""Ticks; a driver that hasn't completed a turn for longer is stuck."""

ASIDE_WITHIN = 120
"""Ticks; a thread that has worked on the IDL for longer is stuck. A million addresses take it about 5 s."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class IdlDriver:
    """Turns of the IDL, each when python-ovs has something to do. `start` it inside a running event loop."""

    def __init__(self, idl: NorthboundIdl, on_turn: Callable[[], None]) -> None:
        self.idl = idl
        self._on_turn = on_turn
        self._loop = asyncio.get_running_loop()
        self._poller = LoopPoller(self._turn)
        self._aside: asyncio.Task[object] | None = None
        self._transactions: dict[RawTransaction, tuple[int, asyncio.Future[None]]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._ticks = 0
        """Since the last complete turn. Not a time: an event loop that was held up ticks once, and isn't stuck."""
        self._closed = False

    @property
    def stuck(self) -> str | None:
        """Why only a restart would help, or None as long as turns are completed."""
        if self._closed or self._ticker is None:
            return None
        if self._ticker.done():
            return "the Northbound database is not looked after any more"
        if self._ticks <= (TURN_WITHIN if self._aside is None else ASIDE_WITHIN):
            return None
        what = "the connection to the Northbound database has not been looked after"
        if self._aside is not None:
            what = "a message of the Northbound database, or a plan, has been worked on"
        return f"{what} for {self._ticks * TICK:g} seconds"

    def start(self) -> None:
        """Begin."""
        self._ticker = self._loop.create_task(self._tick(), name="northbound: ticks")
        self._turn()

    async def close(self) -> None:
        """Close the connection; the lock is free then."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
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
        self._attempt(self._poller.disarm)
        task = self._loop.create_task(aside(work))
        self._aside = task
        try:
            return await asyncio.shield(task)
        finally:
            if not task.done():
                await asyncio.wait([task])
            self._aside, self._ticks = None, 0
            self._attempt(self._wait)

    def kick(self) -> None:
        """Let the IDL run: something was asked of it."""
        self._turn()

    async def follow(self, transaction: RawTransaction) -> None:
        """Wait until a transaction that was sent has been answered, or the connection that carried it is gone."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._transactions[transaction] = (self.idl.session.get_seqno(), future)
        self._attempt(self._wait)
        try:
            await future
        finally:
            self._transactions.pop(transaction, None)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._ticks += 1
            self._turn()

    def _turn(self) -> None:
        if self._aside is None and not self._closed:
            self._complete(has_run=self._attempt(self.idl.run))

    async def _run_aside(self) -> None:
        connection = self.idl.session.connection
        if connection is not None:
            connection.accepts_heavy = True
        has_run = False
        try:
            await aside(self.idl.run)
            has_run = True
        except Exception as error:  # noqa: BLE001 (as in _attempt)
            self._recover(error)
        finally:
            if connection is not None:
                connection.accepts_heavy = False
            self._aside = None
        self._complete(has_run=has_run)

    def _complete(self, *, has_run: bool) -> None:
        """Do what follows each run of the IDL; each step even if the one before it failed."""
        done = [self._attempt(step) for step in (self._end_transactions, self._on_turn, self._wait)]
        if has_run and all(done):
            self._ticks = 0

    def _wait(self) -> None:
        """Wait for what python-ovs waits for; for a heavy message that is there already, in a thread."""
        if self._closed or self._aside is not None:
            return
        connection = self.idl.session.connection
        if connection is not None and connection.heavy:
            self._poller.disarm()
            self._aside = self._loop.create_task(self._run_aside(), name="northbound: heavy message")
            return
        self._poller.begin()
        self.idl.wait(self._poller)
        self._poller.arm()

    def _attempt(self, step: Callable[[], object]) -> bool:
        """Return whether a step succeeded; if not, nothing that is known of the database is trusted any more."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 (no error may end the connection for good)
            self._recover(error)
            return False
        return True

    def _recover(self, error: Exception) -> None:
        problem = f"unexpected error: {type(error).__name__}: {error!s:.300}"
        self.idl.resync(problem)
        log.error("northbound: unexpected error, connecting anew", error=problem, exc_info=error)

    def _end_transactions(self) -> None:
        seqno = self.idl.session.get_seqno()
        for transaction, (begun, future) in list(self._transactions.items()):
            ended = transaction.status != RawTransaction.INCOMPLETE or seqno != begun or self._closed
            if ended and not future.done():
                future.set_result(None)
