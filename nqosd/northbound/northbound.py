"""The northbound layer as the daemon sees it: one OVN Northbound database.

In: `Desired` with its `Delta`s. Out: rows and sets in the database, a `RoundResult` for each round, `facts`, and the
event `wake` when a round is needed for a reason that lies in the database. The rule: the caller holds `Desired` still
while `reconcile` runs, and runs one at a time; it may keep changing everything else meanwhile.

    northbound = Northbound(options)
    async with asyncio.TaskGroup() as group:
        group.create_task(northbound.run())
        while True:
            await changes or northbound.wake
            northbound.wake.clear()
            result = await northbound.reconcile(desired, delta, prune=all_informers_have_synced, may_wait=rule_exists)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping

import attrs
import structlog
from msgspec.structs import replace

from nqosd.compiler.desired import Delta, Desired, RowKey
from nqosd.northbound.claim import NO_CLAIM, WriterClaim
from nqosd.northbound.connection_facts import ConnectionFacts
from nqosd.northbound.plan.plan_options import never
from nqosd.northbound.reconciler import Reconciler
from nqosd.northbound.replica.idl import NorthboundIdl
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.results import DatabaseFacts, Lacking, Observer, RoundOutcome, RoundResult
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.remotes import resolve

_LOOKUP_RETRY = 2.0

log = structlog.get_logger(__name__)


class Northbound:
    """Connects for ever, follows the database, writes while it holds the lock."""

    def __init__(self, options: Options, observer: Observer | None = None) -> None:
        self.wake = asyncio.Event()
        self._options = options
        self._observer = observer or Observer()
        self._connection_facts = ConnectionFacts()
        self._driver: IdlDriver | None = None
        self._reconciler: Reconciler | None = None
        self._lookup: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @property
    def facts(self) -> DatabaseFacts:
        """What is known about the database now."""
        return self._connection_facts.facts

    async def run(self) -> None:
        """Follow the database until `close`, or until cancelled; the connection is closed then."""
        try:
            await self.start()
            await self._ended.wait()
        finally:
            await self.close()

    async def start(self) -> None:
        """Begin to connect; it returns before there is a connection, as soon as the names of hosts are known."""
        remotes = await self._resolve()
        idl = NorthboundIdl(self._options, remotes, Replica(self._options.owner))
        self._driver = IdlDriver(idl, self._on_turn)
        self._reconciler = Reconciler(self._options, self._driver, self._observer, self.wake.set)
        self._driver.start()

    async def close(self) -> None:
        """Close the connection and free the lock; rows stay as they are."""
        self._ended.set()
        if self._lookup is not None:
            self._lookup.cancel()
        if self._reconciler is not None:
            self._reconciler.close()
        if self._driver is not None:
            await self._driver.close()
            self._connection_facts.close()
            self._observer.facts(self.facts)

    async def reconcile(
        self,
        desired: Desired,
        delta: Delta,
        *,
        prune: bool = True,
        may_wait: Callable[[RowKey], bool] = never,
        claim: WriterClaim = NO_CLAIM,
    ) -> RoundResult:
        """Write what is desired and not there.

        `delta` says what changed since the last call. `prune=False`: the desired state may still be incomplete, so
        nothing is removed or overwritten. `may_wait` tells of a row that isn't desired whether its rule still exists,
        so that only its senders are gone: then it may stay, with an empty set, up to `detach_after`. `claim` is what
        the daemon says of itself, and whether it may write after the writer before it.
        """
        if self._reconciler is None:
            return RoundResult(RoundOutcome.DISCONNECTED, problem="not started")
        return await self._reconciler.reconcile(desired, delta, prune=prune, may_wait=may_wait, claim=claim)

    def compare_everything(self) -> None:
        """Let the next round compare everything, because what was said of changes can't be relied on."""
        if self._reconciler is not None:
            self._reconciler.compare_everything()

    async def yield_lock(self) -> None:
        """Give the lock up and ask for it again at once, so that whoever waits for it gets it first."""
        if self._driver is not None:
            await self._driver.idle()
            self._driver.idl.requeue()
            self._driver.kick()

    def row_keys(self) -> Collection[RowKey]:
        """Return the keys of our rows in the database, as far as they are known."""
        return () if self._driver is None else self._driver.idl.replica.rows.known_keys()

    async def copied(self) -> AsyncIterator[tuple[str, str, Mapping[str, object]]]:
        """Give what the database holds (see `Replica.copied`), and others their turn after each row."""
        if self._driver is None:
            return
        await self._driver.idle()
        for row in self._driver.idl.replica.copied():
            yield row
            await asyncio.sleep(0)
            await self._driver.idle()

    def lacking(self, policy: str) -> Lacking:
        """Return what a policy (`namespace/name`) lacks in the database, as of the last round."""
        return Lacking() if self._reconciler is None else self._reconciler.lacking(policy)

    @property
    def size(self) -> Mapping[str, int]:
        """The number of rows in the replica by table."""
        return {} if self._driver is None else self._driver.idl.replica.size

    @property
    def blocked(self) -> Mapping[str, int]:
        """The number of objects that the server refuses by kind, as of the last round."""
        return {} if self._reconciler is None else self._reconciler.blocked

    @property
    def contested(self) -> int:
        """The number of objects that wait because somebody else undoes what is written, as of the last round."""
        return 0 if self._reconciler is None else self._reconciler.contested

    @property
    def stuck(self) -> str | None:
        """Why only a restart would help; None as long as the connection is looked after."""
        return None if self._driver is None else self._driver.stuck

    def tune(self, *, transaction_timeout: float, detach_after: float, audit_interval: float) -> None:
        """Use other times from now on."""
        self._options = attrs.evolve(
            self._options,
            transaction_timeout=transaction_timeout,
            detach_after=detach_after,
            audit_interval=audit_interval,
        )
        if self._reconciler is not None:
            self._reconciler.options = self._options

    def _on_turn(self) -> None:
        if self._driver is None or self._reconciler is None:
            return
        idl = self._driver.idl
        before, now = self._connection_facts.look(idl)
        if before.lock_held and not now.lock_held:
            self._reconciler.doubt()
        if changes := idl.replica.take_changes():
            self._reconciler.take_changes(changes)
        if now.synced and not before.synced:
            idl.session.reset_backoff()  # so that the next loss is followed by an attempt at once
        if now != before:
            self._observer.facts(now)
            if now.synced:
                self.wake.set()
            elif not now.connected:
                self._look_up_again()

    def _look_up_again(self) -> None:
        """Ask for the addresses of hosts anew, in case they moved."""
        if self._lookup is None and any(remote.needs_lookup for remote in self._options.remotes):
            self._lookup = asyncio.get_running_loop().create_task(self._refresh_remotes())

    async def _refresh_remotes(self) -> None:
        try:
            remotes = await self._resolve()
            if self._driver is not None:
                await self._driver.idle()
                self._driver.idl.session.set_remotes(remotes)
        finally:
            self._lookup = None

    async def _resolve(self) -> list[str]:
        told = ""
        while True:
            try:
                return await resolve(self._options.remotes)
            except OSError as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("northbound: database can't be found", reason=told)
                    if self._driver is None:
                        self._observer.facts(replace(self.facts, problem=told))
            await asyncio.sleep(_LOOKUP_RETRY)
