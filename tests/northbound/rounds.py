"""Rounds of the real reconciler against the model database, as the daemon runs them: when something woke it."""

import asyncio
from collections.abc import Callable
from typing import cast

from msgspec.structs import replace

from nqosd.compiler.desired import Delta, Desired, Members, RowKey
from nqosd.northbound.claim import NO_CLAIM
from nqosd.northbound.plan.plan_options import never
from nqosd.northbound.reconciler import Reconciler
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.results import Observer, RoundResult
from nqosd.ovsdb.connection_options import Options
from tests.northbound.database import ModelDatabase
from tests.northbound.fake_driver import FakeDriver

EMPTY = Desired({}, {}, {})
MOST_ROUNDS = 20


class Rounds:
    """One daemon's northbound half; make it inside a running event loop."""

    def __init__(
        self, database: ModelDatabase, *, detach_after: float = 3600.0, audit_interval: float = 3600.0
    ) -> None:
        self.database = database
        self.driver = FakeDriver(database)
        self.driver.turn = self.tell
        self.woken = asyncio.Event()
        self.woken.set()
        self.desired = EMPTY
        self.may_wait: Callable[[RowKey], bool] = never
        self.claim = NO_CLAIM
        self.results: list[RoundResult] = []
        options = Options(detach_after=detach_after, audit_interval=audit_interval)
        driver = cast("IdlDriver", self.driver)
        self.reconciler = Reconciler(options, driver, Observer(), self.woken.set, self.driver.write)
        self._policies: set[str] = set()

    def tell(self) -> None:
        """Let the reconciler see what changed in the database, as each turn of the IDL does."""
        if changes := self.database.replica.take_changes():
            self.reconciler.take_changes(changes)

    async def round(
        self, desired: Desired | None = None, *, prune: bool = True, policies: set[str] | None = None
    ) -> RoundResult:
        """Run one round."""
        new = self.desired if desired is None else desired
        delta = delta_between(self.desired, new)
        delta.policies |= policies or set()
        self.desired = new
        self.tell()
        self.woken.clear()
        is_faultless = not self.driver.faults
        result = await self.reconciler.reconcile(new, delta, prune=prune, may_wait=self.may_wait, claim=self.claim)
        self.tell()
        self.results.append(result)
        if result.settled and is_faultless and prune:
            self._check(result)
        return result

    def _check(self, result: RoundResult) -> None:
        """Assert that a round that claims to be settled left out only what it says is lacking."""
        missing = {key for key in self.desired.rows if not self.database.replica.rows.get(key)}
        waiting = {key for keys in result.waiting.values() for key in keys}
        for key in missing:
            lacking = self.reconciler.lacking(key.policy)
            is_explained = key in waiting or lacking.obstacles or self._has_no_port(key)
            assert is_explained, f"{key} is neither there nor lacking"
        assert waiting <= missing

    def _has_no_port(self, key: RowKey) -> bool:
        groups = self.desired.port_groups
        senders = [groups[name].ports for name in self.desired.rows[key].sets if name in groups]
        return any(not any(map(self.database.replica.ports.uuid_of, ports)) for ports in senders)

    def expire(self) -> None:
        """Let the time of every refusal be over."""
        known = self.reconciler._refusals._known
        for subject, refusal in known.items():
            known[subject] = replace(refusal, until=0.0)

    async def settle(self) -> list[RoundResult]:
        """Run rounds as long as something wakes the daemon; return their results."""
        done: list[RoundResult] = []
        self.tell()
        while await self._is_woken():
            assert len(done) < MOST_ROUNDS, f"no end of rounds: {done[-3:]}"
            done.append(await self.round())
        return done

    async def _is_woken(self) -> bool:
        """Wait a moment for the timer of another attempt, which tests set to no time at all."""
        for _ in range(3):
            if self.woken.is_set():
                return True
            await asyncio.sleep(0)
        return self.woken.is_set()


def delta_between(old: Desired, new: Desired) -> Delta:
    """Return the delta that the compiler reports between two states."""
    delta = Delta()
    delta.rows = {key for key in old.rows.keys() | new.rows.keys() if old.rows.get(key) != new.rows.get(key)}
    delta.policies = {key.policy for key in delta.rows}
    for name in old.address_sets.keys() | new.address_sets.keys():
        before, now = old.address_sets.get(name), new.address_sets.get(name)
        if before != now:
            had, has = (set(each.addresses) if each else set() for each in (before, now))
            delta.sets[name] = Members(has - had, had - has)
            if before and now and before.selection != now.selection:
                delta.sets[name] = Members()
    for name in old.port_groups.keys() | new.port_groups.keys():
        group, later = old.port_groups.get(name), new.port_groups.get(name)
        if group != later:
            had, has = (set(each.ports) if each else set() for each in (group, later))
            delta.sets[name] = Members(has - had, had - has)
    return delta
