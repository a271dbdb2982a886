"""The northbound half of a round: from what is dirty to one transaction, and back to what is so.

In: the desired state with its delta, and after each turn of the IDL what changed in the replica. Out: a `RoundResult`,
and `wake` when a round is needed for a reason that lies in the database. The rule: whatever was not found right by a
plan against the replica stays dirty. So our own echo needs no recognising: after a commit the same scope is planned
again, and a plan without operations is the proof.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import structlog
from msgspec.structs import replace

from nqosd.compiler.desired import Delta, Desired, RowKey
from nqosd.northbound import shares
from nqosd.northbound.claim import NO_CLAIM, Permit, WriterClaim
from nqosd.northbound.commit import Commit, commit
from nqosd.northbound.contested import Contested
from nqosd.northbound.dirty import Cause, Dirty, is_there, note_changes, note_delta
from nqosd.northbound.idle_groups import IdleGroups
from nqosd.northbound.pending_rows import PendingRows
from nqosd.northbound.plan.idle_rows import IdleRows
from nqosd.northbound.plan.operations import Operation, SetName, Subject, SwitchName, describe
from nqosd.northbound.plan.plan import Plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan_writer import PlanWriter, Written
from nqosd.northbound.refusals import Refusals
from nqosd.northbound.repairs import repairs
from nqosd.northbound.replica.conflicts import Conflicts
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.replica.updates import Changes
from nqosd.northbound.results import Lacking, Observer, RoundOutcome, RoundResult
from nqosd.northbound.round_planner import OpenRound, RoundPlanner
from nqosd.northbound.shares import Backlog, weight_of
from nqosd.northbound.standby import StandbyView
from nqosd.northbound.timers import Timers
from nqosd.ovsdb.connection_options import Options

_STALE = 6
"""Transactions in a row, in about 3 s, that find something else than the replica has: it has missed a change."""

log = structlog.get_logger(__name__)


class Reconciler:
    """Keeps what is dirty from one round to the next. One round at a time."""

    def __init__(
        self,
        options: Options,
        driver: IdlDriver,
        observer: Observer,
        wake: Callable[[], None],
        send: Callable[[IdlDriver, Sequence[Operation], float], Awaitable[Commit]] = commit,
    ) -> None:
        self.options = options
        self._driver = driver
        self._send = send
        self._replica = driver.idl.replica
        self._observer = observer
        self._wake = wake
        self._timers = Timers(wake)
        self._dirty = Dirty()
        self._pending_rows = PendingRows()
        self._idle_rows = IdleRows()
        self._absent_ports: dict[str, AbstractSet[str]] = {}
        self._idle_groups = IdleGroups()
        self._conflicts = Conflicts(self._replica, options.owner, self._watch)
        self._refusals = Refusals()
        self._contested = Contested()
        self._planner = RoundPlanner(driver, self._refusals, self._contested, lambda: self._timers.now)
        self._backlog = Backlog()
        self._unsettled: frozenset[str] = frozenset()  # namespaces of which a commit left something to write
        self._standby: StandbyView | None = None
        self._writer = PlanWriter(
            self._commit, self._refusals, self._conflicts.suspect, observer, lambda: self._timers.now
        )
        self._in_flight = False
        self._stale = 0
        self._in_order = False  # everything was once found right, and we have been the writer since
        self._permit = Permit(self._replica, options.owner)
        self._compared = self._timers.now
        self.blocked: Mapping[str, int] = {}
        """The number of objects that the server refuses by kind, as of the last round."""
        self.contested = 0
        """The number of objects that wait because somebody else undoes what is written, as of the last round."""

    def take_changes(self, changes: Changes) -> None:
        """Take what changed in the replica, and wake if that needs a round."""
        awaited = self._dirty.everything  # then a round is on its way already
        theirs = self._conflicts.concerns(changes.sets.keys())
        if self._refusals and not changes.cleared:
            changed: list[Subject] = [*changes.rows, *map(SetName, changes.sets), *map(SwitchName, changes.switches)]
            self._retry(self._refusals.forget(changed))
        if not changes.cleared:
            gone = [name for name in changes.sets if not is_there(name, self._replica)]
            self._idle_groups.vanished(gone, self._timers.now)
        standby = None if self._driver.idl.holds_lock else self._stand_back()
        for dirty in (self._dirty,) if standby is None else (self._dirty, standby.dirty):
            note_changes(dirty, changes, self._pending_rows, self._absent_ports, self._replica, theirs=theirs)
        if standby is not None:
            standby.wrote(changes)
            self._foresee_look(standby)
        if self._dirty and not awaited and not self._in_flight and self._driver.idl.holds_lock:
            self._wake()

    def doubt(self) -> None:
        """Compare everything in the next round: the connection or the lock was lost."""
        self._dirty.touch_everything()
        self._idle_groups = IdleGroups()
        self._refusals.hasten(self._timers.now)
        self._backlog.clear()
        self._in_order = False
        self._permit.forget()

    def compare_everything(self) -> None:
        """Compare everything in the next round: what was said of changes can't be relied on."""
        self._dirty.touch_everything()

    def lacking(self, policy: str) -> Lacking:
        """Return what a policy lacks in the database."""
        return self._pending_rows.lacking(policy)

    def close(self) -> None:
        """Wake nobody any more."""
        self._timers.close()

    async def reconcile(
        self,
        desired: Desired,
        delta: Delta,
        *,
        prune: bool,
        may_wait: Callable[[RowKey], bool],
        claim: WriterClaim = NO_CLAIM,
    ) -> RoundResult:
        """Make the database equal to what is desired, in one transaction at most; much of it is left for the next."""
        self._unsettled = frozenset()
        await self._driver.idle()
        note_delta(self._dirty, delta, self._idle_rows, self._pending_rows, self._replica)
        if self._refusals or self._contested:
            changed: list[Subject] = [*delta.rows, *map(SetName, delta.sets)]
            self._retry(self._refusals.forget(changed))
            self._contested.forget(changed)
        idl = self._driver.idl
        if not idl.holds_lock:
            self.doubt()
            if not idl.is_synced:
                return self._complete(RoundResult(RoundOutcome.DISCONNECTED))
            return self._complete(await self._stand_by(desired, delta, may_wait))
        self._standby = None
        if reason := self._permit.withheld(claim, self._timers.now):
            return self._complete(RoundResult(RoundOutcome.WITHHELD, problem=reason))
        round_ = await self._begin(desired, prune=prune, may_wait=may_wait, claim=claim)
        try:
            return await self._run(round_)
        finally:
            round_.later.restore(self._dirty)
            self._dirty = round_.later
            if self._backlog.namespaces:
                self._wake()

    async def _run(self, round_: OpenRound) -> RoundResult:
        """Plan a round, write it and look at what came of it."""
        started = time.perf_counter()
        plan = await self._planner.plan(round_)
        policies: set[str] = set()
        if (narrow := await self._narrow(round_, plan, policies)) is not None:
            round_, plan = narrow, await self._planner.plan(narrow)
        plan_seconds = time.perf_counter() - started
        if not plan.operations:
            if plan.detaches:  # they are gone already
                self._idle_rows.clear()
            policies |= self._settle(round_, plan)
            result = RoundResult(RoundOutcome.UNCHANGED, policies=policies, plan_seconds=plan_seconds)
            return self._complete(result)
        written = await self._write(round_, plan)
        await round_.give_way()
        subjects = written.subjects
        policies |= {each.policy for each in subjects if isinstance(each, RowKey)}
        repaired: frozenset[Subject] = frozenset()
        if written.is_complete:
            await round_.give_way()
            repaired = self._find_repaired(round_, subjects, idle_rows_go=written.tried.detaches)
            self._contested.wrote(subjects, repaired, self._timers.now)
            await round_.give_way()
            policies |= await self._verify(round_, written)
        else:
            self._fail(written)
        await round_.give_way()
        return self._complete(
            RoundResult(
                written.outcome,
                operations=written.operations,
                written=subjects,
                policies=policies,
                repaired=repaired,
                problem=written.answer.problem,
                plan_seconds=plan_seconds,
                commit_seconds=written.seconds,
            )
        )

    async def _stand_by(self, desired: Desired, delta: Delta, may_wait: Callable[[RowKey], bool]) -> RoundResult:
        """Write nothing, and see now and then whether the holder of the lock does."""
        standby, now = self._stand_back(), self._timers.now
        note_delta(standby.dirty, delta, IdleRows(), self._pending_rows, self._replica)
        policies: AbstractSet[str] = frozenset()
        if (taken := standby.take(now)) is not None:
            plan_options = PlanOptions(self.options.owner, may_wait=may_wait)
            later = Dirty(everything=False)
            scope = taken.scope(desired, self._replica, later)
            round_ = OpenRound(desired, taken, later, scope, plan_options, is_audit=False, begun=now)
            plan = await self._planner.plan_without(round_, {})
            policies = self._note_open(round_, plan)
            standby.found(plan.operations, taken, now)
        self._foresee_look(standby)
        return RoundResult(RoundOutcome.STANDBY, policies=policies, problem=standby.words)

    def _stand_back(self) -> StandbyView:
        """Give what is seen of the holder of the lock since another one holds it."""
        if self._standby is None:
            self._standby = StandbyView(self.options.lock)
        return self._standby

    def _foresee_look(self, standby: StandbyView) -> None:
        if (moment := standby.next_look(self._timers.now)) is not None:
            self._timers.foresee(moment)

    async def _begin(
        self, desired: Desired, *, prune: bool, may_wait: Callable[[RowKey], bool], claim: WriterClaim
    ) -> OpenRound:
        now, oldest = self._timers.now, self._idle_rows.oldest
        is_audit = not self._dirty.everything and now >= self._compared + self.options.audit_interval
        later = self._dirty.take()
        later.everything = later.everything or is_audit
        taken = await self._share(later, desired, shares.MOST)
        if self._refusals or self._contested:
            self._retry([*self._refusals.begin(now), *self._contested.due(now)])
        spent = self._idle_groups.spent(now)
        for name in spent:
            self._dirty.touch_set(name, None, Cause.DESIRED)
        for name in self._idle_groups.back(desired.port_groups, now):
            self._dirty.touch_set(name, None, Cause.DATABASE)
            self._dirty.touch_rows(self._pending_rows.without_ports.get(name, ()), Cause.SURROUNDINGS)
        if self._dirty:
            taken.restore(self._dirty.take())
        obstructed = self._pending_rows.obstructed
        if obstructed and not all(
            is_there(name, self._replica) for name in taken.sets
        ):  # one that a row lacked may come
            taken.touch_rows(obstructed, Cause.SURROUNDINGS)
        plan_options = PlanOptions(
            owner=self.options.owner,
            prune=prune,
            may_wait=may_wait,
            idle_rows=self._idle_rows,
            detach=oldest is not None and now >= oldest + self.options.detach_after,
            record=claim.record,
            spent=spent,
            pausing=self._idle_groups.pausing,
        )
        scope = taken.scope(desired, self._replica, later)
        return OpenRound(desired, taken, later, scope, plan_options, is_audit, now)

    async def _share(self, dirty: Dirty, desired: Desired, least: int) -> Dirty:
        """Take out of what is dirty what this round writes: all of it, unless that is much."""
        weight = weight_of(len(dirty.rows), dirty.members, desired)
        if dirty.everything or weight <= (shares.MOST if self._backlog.namespaces else shares.COMPARED):
            self._backlog.clear()
            return dirty.take()
        return await self._cut(dirty, desired, least, weight)

    async def _cut(self, dirty: Dirty, desired: Desired, least: int, weight: int) -> Dirty:
        """Take a share out of what is dirty."""
        most, is_due = self._backlog.size(weight, least), self._backlog.has_passed
        share = await self._driver.aside(lambda: shares.share_of(dirty, desired, self._replica, most, is_due=is_due))
        taken = dirty.part(share.rows, share.sets)
        taken.unreadable, dirty.unreadable, taken.surroundings = dirty.unreadable, False, set(dirty.surroundings)
        self._backlog.left(share, dirty, self._timers.now)
        dirty.restore(self._dirty.take())  # what came meanwhile
        return taken

    async def _narrow(self, round_: OpenRound, plan: Plan, policies: set[str]) -> OpenRound | None:
        """Turn a look at much into a round of what differs, or of a first share of that; all else is settled.

        Adds the policies of which something else is lacking now. None: the round goes on as it is, as one that has a
        share already does.
        """
        taken, desired, most = round_.taken, round_.desired, shares.MOST
        if self._backlog.namespaces or not round_.plan_options.prune or round_.is_audit or not plan.operations:
            return None
        if taken.everything:
            most, differing = shares.LARGEST, Dirty(everything=False, unreadable=True)
            differing.touch(plan.subjects, Cause.SURROUNDINGS)
        else:
            differing = taken.only(plan.subjects)
        weight = weight_of(len(differing.rows), differing.members, desired)
        if weight <= most and (taken.everything or weight_of(len(taken.rows), taken.members, desired) <= most):
            return None
        policies |= self._settle(round_, plan)
        taken = differing.take() if weight <= most else await self._cut(differing, desired, most, weight)
        round_.later.restore(differing)
        return replace(round_, taken=taken, scope=taken.scope(desired, self._replica, differing))

    def _retry(self, subjects: Sequence[Subject]) -> None:
        """Look at what was refused again, and at the rows that something stands in the way of.

        Of those that don't say what they are for none is known by name.
        """
        if not subjects:
            return
        self._dirty.unreadable = True
        self._dirty.touch(subjects, Cause.SURROUNDINGS)
        self._dirty.touch_rows(self._pending_rows.obstructed, Cause.SURROUNDINGS)

    async def _write(self, round_: OpenRound, plan: Plan) -> Written:
        self._in_flight = True
        try:
            return await self._writer.write(plan, lambda rest: self._planner.plan(round_, rest))
        except BaseException:
            self._dirty.touch_everything()
            raise
        finally:
            self._in_flight = False

    async def _commit(self, operations: Sequence[Operation]) -> Commit:
        answer = await self._send(self._driver, operations, self.options.transaction_timeout)
        await self._driver.idle()
        return answer

    async def _verify(self, round_: OpenRound, written: Written) -> set[str]:
        """Hold what was committed against the replica; whatever isn't right stays dirty."""
        if written.answer.outcome is RoundOutcome.COMMITTED and written.tried.detaches:
            self._idle_rows.clear(but=written.tried.blocked)
        if self._dirty.everything:  # the connection was lost right after the answer, or a set of others came into view
            self._wake()
            return self._note_open(round_, written.last)
        since = self._dirty.take()
        round_.taken.restore(since)
        later = round_.later
        later.restore(round_.taken.part(later.rows.keys(), later.sets.keys()))
        await round_.give_way()
        scope = round_.taken.scope(round_.desired, self._replica, later)
        again = replace(round_, scope=scope)
        rest = await self._planner.plan(again)
        policies = self._settle(again, rest)  # at once: what comes in between would find nothing that waits for it
        await round_.give_way()
        if rest.operations:
            rows = {each for each in rest.subjects if isinstance(each, RowKey)}
            names = (each.name for each in rest.subjects if isinstance(each, SetName))
            rows.update(*map(self._replica.rows.keys_of_users, names))
            self._unsettled = frozenset(key.policy.partition("/")[0] for key in rows)

            # What the database told of what is given up was our own change.
            given_up = {each for each in written.subjects if not _is_wanted(each, round_.desired)}

            def cause_of(subject: Subject) -> Cause:
                return (None if subject in given_up else since.cause_of(subject)) or Cause.SURROUNDINGS

            for key in scope.rows:
                self._dirty.touch_rows([key], cause_of(key))
            for name, members in scope.sets.items():
                self._dirty.touch_set(name, members, cause_of(SetName(name)))
            self._dirty.unreadable |= scope.unreadable
            self._dirty.surroundings |= round_.taken.surroundings
            self._timers.failed()
        return policies

    def _settle(self, round_: OpenRound, plan: Plan) -> set[str]:
        """Remember what a plan leaves open; return the policies of which something else is lacking now."""
        scope, everything = round_.scope, round_.taken.everything
        policies = self._note_open(round_, plan)
        for key in scope.rows if self._idle_rows else ():
            if key not in plan.idle_rows:
                self._idle_rows.discard(key)
        self._idle_rows.add(plan.idle_rows, self._timers.now)
        self._idle_groups.note(plan.spare, scope.sets.keys(), self._timers.now)
        if everything:
            self._absent_ports.clear()
            self._compared = self._timers.now
            self._in_order = round_.plan_options.prune
        for name in scope.sets:
            if name not in round_.desired.port_groups:
                self._absent_ports.pop(name, None)
        for group, ports in plan.absent_ports.items():
            is_whole = self._replica.port_groups.get(group) is None  # then the plan has looked at all of its ports
            self._absent_ports[group] = ports if is_whole else self._absent_ports.get(group, frozenset()) | ports
        if everything:
            self._conflicts.narrow()
        if not round_.plan_options.prune:
            self._dirty.everything = True
        self._refusals.accepted()
        self._stale = 0
        self._idle_groups.forget_all_but(round_.desired.port_groups)
        self._timers.succeeded()
        self._foresee()
        return policies

    def _note_open(self, round_: OpenRound, plan: Plan) -> set[str]:
        scope, everything = round_.scope, round_.taken.everything
        sets = scope.sets.keys() | (self._conflicts.known.keys() if everything else ())
        self._conflicts.note(plan.conflicts, sets)
        looked_at = [*scope.rows, *plan.blocked, *(self._pending_rows.keys() if everything else ())]
        return self._pending_rows.update(looked_at, plan)

    def _fail(self, written: Written) -> None:
        """Compare everything after a transaction that wasn't committed."""
        answer = written.answer
        log.warning(
            "northbound: transaction failed, comparing everything",
            outcome=written.outcome.value,
            reason=answer.problem,
            object=describe(answer.subject) if answer.subject is not None else None,
            operations=dict(written.tried.counts),
        )
        self._in_order = False
        self._backlog.clear()
        self._dirty.touch_everything()
        if answer.is_hard:  # the round found objects to blame, and the next one goes on from there
            self._timers.succeeded()
        self._timers.failed()
        self._stale = self._stale + 1 if answer.is_stale else 0
        if self._stale >= _STALE:
            self._stale = 0
            self._driver.idl.resync(f"{answer.problem}, {_STALE} times in a row")
            self._driver.kick()

    def _watch(self, names: frozenset[str]) -> None:
        self._driver.idl.watch(names)
        self._driver.kick()

    def _find_repaired(
        self, round_: OpenRound, subjects: AbstractSet[Subject], *, idle_rows_go: bool
    ) -> frozenset[Subject]:
        """Return and log what somebody else had changed; nothing before all was once found right."""
        if not self._in_order:
            return frozenset()
        found = repairs(round_, subjects, idle_rows_go=idle_rows_go and bool(self._idle_rows))
        for repaired in sorted(map(describe, found)):
            log.warning("northbound: repaired what somebody else had changed", object=repaired)
        if found:
            self._observer.repaired(len(found))
        return found

    def _foresee(self) -> None:
        moment = min(self._compared + self.options.audit_interval, self._idle_groups.due)
        for next_try in (self._refusals.next_try, self._contested.next_try):
            if next_try is not None:
                moment = min(moment, next_try)
        if self._idle_rows.oldest is not None:
            moment = min(moment, self._idle_rows.oldest + self.options.detach_after)
        self._timers.foresee(moment)

    def _complete(self, result: RoundResult) -> RoundResult:
        writes = result.outcome is not RoundOutcome.STANDBY  # what is left out is for the writer to say
        contested = self._contested.words if writes else {}
        self.blocked, self.contested = self._refusals.counts if writes else {}, len(contested)
        blocked = {**self._refusals.words, **contested} if writes else {}
        return replace(
            result,
            conflicts=self._conflicts.known,
            waiting=self._pending_rows.waiting,
            blocked=blocked,
            left=self._backlog.namespaces | self._unsettled,
            left_since=self._backlog.since if writes else self._stand_back().since,
        )


def _is_wanted(subject: Subject, desired: Desired) -> bool:
    if isinstance(subject, SetName):
        return subject.name in desired.address_sets or subject.name in desired.port_groups
    return subject in desired.rows
