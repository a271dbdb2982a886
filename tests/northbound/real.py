"""The northbound layer on real ovsdb-servers, run by a test as the daemon runs it: a round when something woke it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet

from nqosd.compiler.desired import Desired, RowKey
from nqosd.northbound.claim import WriterClaim
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.plan.plan_options import never
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.results import DatabaseFacts, Observer, RoundOutcome, RoundResult
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.remotes import Remote
from tests.northbound.rounds import EMPTY, delta_between
from tests.services.ovsdb import OvsdbServer

TIMEOUT = 20.0
"""Seconds that anything may take before a test fails."""


class Watcher(Observer):
    """Keeps every transaction that was sent: how it ended and what it held; and what was said of the database."""

    def __init__(self) -> None:
        self.transactions: list[tuple[RoundOutcome, dict[str, int]]] = []
        self.seen: list[DatabaseFacts] = []

    def facts(self, facts: DatabaseFacts) -> None:
        """Keep them."""
        self.seen.append(facts)

    def transaction(self, outcome: RoundOutcome, operations: object, seconds: float) -> None:
        """Keep it."""
        assert isinstance(operations, dict)
        assert seconds >= 0
        self.transactions.append((outcome, operations))


class Daemon:
    """One daemon's northbound half."""

    def __init__(self, options: Options) -> None:
        self.watcher = Watcher()
        self.northbound = Northbound(options, self.watcher)
        self.desired = EMPTY
        self.may_wait: Callable[[RowKey], bool] = never
        self.claim = WriterClaim()
        self.results: list[RoundResult] = []

    @property
    def facts(self) -> DatabaseFacts:
        """What it knows of the database."""
        return self.northbound.facts

    @property
    def connections(self) -> int:
        """A number that grows with each connection that is made or lost."""
        return int(driver_of(self).idl.session.get_seqno())

    @property
    def sees_record(self) -> bool:
        """Whether its replica has the record of a writer."""
        driver = self.northbound._driver
        assert driver is not None
        return bool(driver.idl.replica.records())

    async def round(self, desired: Desired | None = None, *, policies: AbstractSet[str] = frozenset()) -> RoundResult:
        """Run one round, whether something woke the daemon or not; `policies` changed although no row did."""
        new = self.desired if desired is None else desired
        delta = delta_between(self.desired, new)
        delta.policies |= policies
        self.desired = new
        self.northbound.wake.clear()
        result = await self.northbound.reconcile(new, delta, may_wait=self.may_wait, claim=self.claim)
        self.results.append(result)
        return self.results[-1]

    async def wait_until(self, done: Callable[[], bool], *, seconds: float = TIMEOUT) -> None:
        """Run no rounds until `done()`, as a daemon does whose informers haven't synced."""
        async with asyncio.timeout(seconds):
            while not done():  # noqa: ASYNC110 (what is waited for may lie outside of this process)
                await asyncio.sleep(0.005)

    async def run_until(self, done: Callable[[], bool], *, seconds: float = TIMEOUT) -> None:
        """Run a round each time that something wakes the daemon, until `done()`."""
        async with asyncio.timeout(seconds):
            while not done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.northbound.wake.wait(), 0.02)
                if self.northbound.wake.is_set():
                    await self.round()

    async def settle(self, seconds: float = 0.3) -> list[RoundResult]:
        """Run rounds until nothing has woken the daemon for so long; return their results."""
        begun = len(self.results)
        while True:
            try:
                await asyncio.wait_for(self.northbound.wake.wait(), seconds)
            except TimeoutError:
                return self.results[begun:]
            await self.round()

    async def write(self, desired: Desired) -> RoundResult:
        """Desire something and run rounds until it is written; return the first result that says so."""
        result = await self.round(desired)
        if not result.settled:
            await self.run_until(lambda: self.results[-1].settled)
        return self.results[-1]


def driver_of(daemon: Daemon) -> IdlDriver:
    """Return what a daemon runs its IDL with."""
    driver = daemon.northbound._driver
    assert driver is not None
    return driver


def options_of(*remotes: str, **others: object) -> Options:
    """Return options that notice faults sooner than an operator would want to."""
    settings = {"probe_interval": 1.0, "transaction_timeout": 3.0, **others}
    return Options([Remote(remote) for remote in remotes], **settings)  # type: ignore[arg-type] # nonsense fails


@contextlib.asynccontextmanager
async def running(options: Options, *, writer: bool = True) -> AsyncIterator[Daemon]:
    """Run a daemon; wait until it is in step, and until it is the writer unless told not to."""
    daemon = Daemon(options)
    await daemon.northbound.start()
    try:
        await daemon.wait_until(lambda: daemon.facts.lock_held if writer else daemon.facts.synced)
        yield daemon
    finally:
        await daemon.northbound.close()


def add_switches(server: OvsdbServer, *names: str) -> None:
    """Add logical switches in one transaction."""
    server.transact(*({"op": "insert", "table": "Logical_Switch", "row": {"name": name}} for name in names))


def dump_ours(server: OvsdbServer) -> str:
    """Return all rows of the tables that we write to, uuids included."""
    return server.dump("QoS", "Address_Set", "Port_Group", "Logical_Switch")
