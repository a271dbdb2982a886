"""The northbound half of a round: from what is dirty to one transaction, and back to what is so.

In: the desired state with its delta, and after each turn of the IDL what changed in the replica. Out: a `RoundResult`,
and `wake` when a round is needed for a reason that lies in the database. The rule: whatever was not found right by a
plan against the replica stays dirty. So our own echo needs no recognising: after a commit the same scope is planned
again, and a plan without operations is the proof.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

import attrs
import structlog

from nqosd.compiler.desired import Delta, Desired, RowKey
from nqosd.northbound.alarms import Alarms
from nqosd.northbound.dirty import Cause, Dirty
from nqosd.northbound.open_rows import OpenRows
from nqosd.northbound.ovsdb.options import Options
from nqosd.northbound.plan.circumstances import Circumstances
from nqosd.northbound.plan.lingering import Lingering
from nqosd.northbound.plan.operations import Operation, SetName, Subject, describe
from nqosd.northbound.plan.plan import Plan, make_plan
from nqosd.northbound.replica.changes import Changes
from nqosd.northbound.replica.conflicts import Conflicts
from nqosd.northbound.replica.driver import Driver
from nqosd.northbound.replica.scope import Scope
from nqosd.northbound.results import Lacking, Observer, Outcome, RoundResult
from nqosd.northbound.triage import note_changes, note_delta
from nqosd.northbound.writer import Commit, commit

_LIGHT = 200
"""Rows and sets that a plan may look at in the event loop: with sets of 500 members that takes about 5 ms."""

log = structlog.get_logger(__name__)


@attrs.frozen
class _Round:
    """One round on its way. `is_audit`: everything is compared although nothing is known to differ."""

    desired: Desired
    taken: Dirty
    scope: Scope
    circumstances: Circumstances
    is_audit: bool


class Reconciler:
    """Keeps what is dirty from one round to the next. One round at a time."""

    def __init__(
        self,
        options: Options,
        driver: Driver,
        observer: Observer,
        wake: Callable[[], None],
        write: Callable[[Driver, Sequence[Operation], float], Awaitable[Commit]] = commit,
    ) -> None:
        self.options = options
        self._driver = driver
        self._write = write
        self._replica = driver.idl.replica
        self._observer = observer
        self._wake = wake
        self._alarms = Alarms(wake)
        self._dirty = Dirty()
        self._open = OpenRows()
        self._lingering = Lingering()
        self._absent_ports: dict[str, set[str]] = {}
        self._conflicts = Conflicts(self._replica, options.owner, self._watch)
        self._refused: dict[Subject, str] = {}
        self._in_flight = False
        self._in_order = False  # everything was once found right, and we have been the writer since
        self._compared = self._alarms.now

    def take_changes(self, changes: Changes) -> None:
        """Take what changed in the replica, and wake if that needs a round."""
        awaited = self._dirty.everything  # then a round is on its way already
        theirs = self._conflicts.concerns(changes.sets.keys())
        note_changes(self._dirty, changes, self._open, self._absent_ports, theirs=theirs)
        if self._dirty and not awaited and not self._in_flight and self._driver.idl.holds_lock:
            self._wake()

    def doubt(self) -> None:
        """Compare everything in the next round: the connection or the lock was lost."""
        self._dirty.touch_everything()
        self._refused.clear()
        self._in_order = False

    def lacking(self, policy: str) -> Lacking:
        """Return what a policy lacks in the database."""
        return self._open.lacking(policy)

    def close(self) -> None:
        """Wake nobody any more."""
        self._alarms.close()

    async def reconcile(
        self, desired: Desired, delta: Delta, *, prune: bool, may_wait: Callable[[RowKey], bool]
    ) -> RoundResult:
        """Make the database equal to what is desired, in one transaction at most."""
        await self._driver.idle()
        note_delta(self._dirty, delta, self._lingering)
        if self._refused:
            changed: list[Subject] = [*delta.rows, *map(SetName, delta.sets)]
            for subject in changed:
                self._refused.pop(subject, None)
        idl = self._driver.idl
        if not idl.holds_lock:
            self.doubt()
            return self._complete(RoundResult(Outcome.STANDBY if idl.is_synced else Outcome.DISCONNECTED))
        round_ = self._begin(desired, prune=prune, may_wait=may_wait)
        started = time.perf_counter()
        plan = await self._plan(round_)
        plan_seconds = time.perf_counter() - started
        if not plan.operations:
            if plan.detaches:  # they are gone already
                self._lingering.clear()
            policies = self._settle(round_, plan)
            result = RoundResult(Outcome.UNCHANGED, policies=policies, plan_seconds=plan_seconds)
            return self._complete(result)
        started = time.perf_counter()
        answer = await self._commit(plan)
        commit_seconds = time.perf_counter() - started
        self._observer.transaction(answer.outcome, plan.counts, commit_seconds)
        policies = {each.policy for each in plan.subjects if isinstance(each, RowKey)}
        repaired: frozenset[Subject] = frozenset()
        if answer.outcome is Outcome.COMMITTED:
            repaired = self._find_repaired(round_, plan)
            policies |= await self._verify(round_, plan)
        else:
            self._fail(plan, answer)
        return self._complete(
            RoundResult(
                answer.outcome,
                operations=plan.counts,
                written=plan.subjects,
                policies=policies,
                repaired=repaired,
                problem=answer.problem,
                plan_seconds=plan_seconds,
                commit_seconds=commit_seconds,
            )
        )

    def _begin(self, desired: Desired, *, prune: bool, may_wait: Callable[[RowKey], bool]) -> _Round:
        now, oldest = self._alarms.now, self._lingering.oldest
        is_audit = not self._dirty.everything and now >= self._compared + self.options.audit_interval
        if is_audit:
            self._refused.clear()
        taken = self._dirty.take()
        taken.everything = taken.everything or is_audit
        circumstances = Circumstances(
            owner=self.options.owner,
            prune=prune,
            may_wait=may_wait,
            lingering=self._lingering,
            detach=oldest is not None and now >= oldest + self.options.detach_after,
            refused=self._refused,
        )
        return _Round(desired, taken, taken.scope(desired, self._replica), circumstances, is_audit)

    async def _plan(self, round_: _Round) -> Plan:
        """Plan; in a thread if it takes long."""
        arguments = (round_.desired, self._replica, round_.scope, round_.circumstances)
        if len(round_.scope.rows) + len(round_.scope.sets) <= _LIGHT:
            return make_plan(*arguments)
        return await self._driver.aside(lambda: make_plan(*arguments))

    async def _commit(self, plan: Plan) -> Commit:
        self._in_flight = True
        try:
            answer = await self._write(self._driver, plan.operations, self.options.transaction_timeout)
        except BaseException:
            self._dirty.touch_everything()
            raise
        finally:
            self._in_flight = False
        await self._driver.idle()
        return answer

    async def _verify(self, round_: _Round, plan: Plan) -> set[str]:
        """Hold what was committed against the replica; whatever isn't right stays dirty."""
        if plan.detaches:
            self._lingering.clear()
        if self._dirty.everything:  # the connection was lost right after the answer
            self._wake()
            return self._note_open(round_, plan)
        round_.taken.restore(self._dirty.take())
        scope = round_.taken.scope(round_.desired, self._replica)
        again = attrs.evolve(round_, scope=scope)
        rest = await self._plan(again)
        policies = self._settle(again, rest)
        if rest.operations:
            self._dirty.touch_rows(scope.rows, Cause.DATABASE)
            for name, members in scope.sets.items():
                self._dirty.touch_set(name, members, Cause.DATABASE)
            self._dirty.unreadable = scope.unreadable
            self._alarms.failed()
        return policies

    def _settle(self, round_: _Round, plan: Plan) -> set[str]:
        """Remember what a plan leaves open; return the policies of which something else is lacking now."""
        scope, everything = round_.scope, round_.taken.everything
        policies = self._note_open(round_, plan)
        for key in scope.rows if self._lingering else ():
            if key not in plan.lingering:
                self._lingering.discard(key)
        self._lingering.add(plan.lingering, self._alarms.now)
        if everything:
            self._absent_ports.clear()
            self._compared = self._alarms.now
            self._in_order = round_.circumstances.prune
        for port, groups in plan.absent_ports.items():
            self._absent_ports.setdefault(port, set()).update(groups)
        if everything:
            self._conflicts.narrow()
        if not round_.circumstances.prune:
            self._dirty.everything = True
        self._alarms.succeeded()
        self._foresee()
        return policies

    def _note_open(self, round_: _Round, plan: Plan) -> set[str]:
        scope, everything = round_.scope, round_.taken.everything
        sets = scope.sets.keys() | (self._conflicts.known.keys() if everything else ())
        self._conflicts.note(plan.conflicts, sets)
        looked_at = [*scope.rows, *(self._open.keys() if everything else ())]
        return self._open.update(looked_at, plan.waiting, plan.blocked)

    def _fail(self, plan: Plan, answer: Commit) -> None:
        """Learn what can be learnt from a transaction that wasn't committed."""
        log.warning(
            "northbound: transaction failed, comparing everything",
            outcome=answer.outcome.value,
            reason=answer.problem,
            object=describe(answer.subject) if answer.subject is not None else None,
            operations=dict(plan.counts),
        )
        if answer.is_hard and isinstance(answer.subject, RowKey | SetName):
            self._refused[answer.subject] = answer.problem
        elif answer.is_hard and plan.new_sets:
            self._conflicts.suspect(plan.new_sets)
        self._in_order = False
        self._dirty.touch_everything()
        self._alarms.failed()

    def _watch(self, names: frozenset[str]) -> None:
        self._driver.idl.watch(names)
        self._driver.kick()

    def _find_repaired(self, round_: _Round, plan: Plan) -> frozenset[Subject]:
        """Return what somebody else had changed: nobody desired it differently, no switch or port explains it."""
        if not self._in_order:
            return frozenset()
        unexpected: set[Cause | None] = {Cause.DATABASE}
        if round_.is_audit and not (plan.detaches and self._lingering):  # those are expected to go
            unexpected.add(None)
        found = {subject for subject in plan.subjects if round_.taken.cause_of(subject) in unexpected}
        for repaired in sorted(map(describe, found)):
            log.warning("northbound: repaired what somebody else had changed", object=repaired)
        if found:
            self._observer.repaired(len(found))
        return frozenset(found)

    def _foresee(self) -> None:
        moment = self._compared + self.options.audit_interval
        if self._lingering.oldest is not None:
            moment = min(moment, self._lingering.oldest + self.options.detach_after)
        self._alarms.foresee(moment)

    def _complete(self, result: RoundResult) -> RoundResult:
        return attrs.evolve(result, conflicts=self._conflicts.known, waiting=self._open.waiting)
