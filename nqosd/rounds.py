"""Rounds: all changes since the last one become one transaction at most, and then what policies are told.

In: changes from informers, facts about the database. Out: the desired state handed to the northbound layer, statuses
and Events handed to Kubernetes, numbers for telemetry. Rules: nothing is compiled or written before every informer has
told all it has once; changes that come while a transaction is in flight wait for the next round; a status says only
what was committed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

import attrs
import structlog

from nqosd import collector
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Node
from nqosd.caution import Caution
from nqosd.compiler.compile import compile_everything
from nqosd.compiler.desired import Delta, RowKey
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.first_plan import FirstPlan
from nqosd.inbox import Inbox
from nqosd.informers.changes import Change, Kind
from nqosd.large_sets import LargeSets
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.results import Outcome, RoundResult
from nqosd.status.conditions import TRUE, condition, condition_type
from nqosd.status.events import EventRecorder
from nqosd.status.transitions import repaired
from nqosd.status.writer import StatusWriter
from nqosd.telemetry.health import Health
from nqosd.telemetry.rounds import RoundMetrics
from nqosd.telemetry.state import RoundState

WHOLE_CLUSTER = "global"
"""What the zone is called where the database has no name: it is one for the whole cluster."""

_log = structlog.get_logger()


@attrs.frozen
class RoundOptions:
    """What the rounds take from the configuration; `zone` empty: NB_Global.name. Times are in seconds."""

    instance: str = "nqosd"
    zone: str = ""
    any_network: bool = True
    batch_window: float = 0.0
    check_compile: bool = False


@attrs.frozen
class Tellers:
    """Who tells Kubernetes; None where there is none, or it isn't wanted."""

    status: StatusWriter | None = None
    events: EventRecorder | None = None


class Rounds:
    """Runs rounds, one at a time."""

    def __init__(
        self, options: RoundOptions, northbound: Northbound, metrics: RoundMetrics, health: Health, tellers: Tellers
    ) -> None:
        self.options = options
        self.tellers = tellers
        self.inbox = Inbox(northbound.wake)
        self.caution = Caution(northbound.wake.set)
        self.first_plan = FirstPlan(northbound.wake.set)
        self._northbound = northbound
        self._metrics = metrics
        self._health = health
        self.last: RoundState | None = None
        self._compiler: IncrementalCompiler | None = None
        self._zone: str | None = options.zone or None
        self._untold: set[str] = set()
        self._tell_all = True
        self._has_settled = False
        self._awaiting: list[float] = []
        self._alive: frozenset[str] | None = None
        self._large = LargeSets()
        self._states: dict[str, tuple[str, str]] = {}

    @property
    def compiler(self) -> IncrementalCompiler | None:
        """What is compiled, to look at; None before the first round."""
        return self._compiler

    @property
    def zone(self) -> str | None:
        """The zone's name; None as long as it isn't known."""
        return self._zone

    async def run(self) -> None:
        """Run a round whenever something has changed, for ever."""
        wake = self._northbound.wake
        while True:
            await wake.wait()
            if pause := max(self.options.batch_window, self.inbox.pause):
                await asyncio.sleep(pause)
            wake.clear()
            self._health.round_began()
            await self._round()
            self._health.round_ended()

    async def _round(self) -> None:
        started = time.monotonic()
        settings = self._settings()
        if settings is None or self.inbox.unsynced:
            self._say_what_is_awaited()
            return
        if pause := self.caution.wait(lock_held=self._northbound.facts.lock_held):
            self._wait_for_informers(pause)
            return
        self._health.has("informers")
        changes = self.inbox.take()
        if self._compiler is None:
            self._compiler = IncrementalCompiler(settings)
        compiler = self._compiler
        delta = compiler.configure(settings, changes)
        if compiler.is_zoned and any(change.kind is Kind.NODE for change in changes):
            self._tell_all, self._alive = True, None  # another zone's word counts now, or no more
        self._large.look(delta, compiler.desired)
        _report_unreadable(changes)
        if self.options.check_compile:
            self._check(compiler)
        if delta:
            self._awaiting += [change.seen for change in changes]
        prune = self._may_prune(compiler)
        result = await self._northbound.reconcile(compiler.desired, delta, prune=prune, may_wait=compiler.may_wait)
        self._take(result, compiler, delta)
        seconds = time.monotonic() - started
        self.last = RoundState(result.outcome.value, time.time(), seconds)
        self._metrics.ended(result.outcome, seconds)
        self.inbox.round_ended()

    def _may_prune(self, compiler: IncrementalCompiler) -> bool:
        """Say whether what isn't desired may be removed."""
        facts = self._northbound.facts
        if not (facts.synced and facts.lock_held):
            return True  # nothing will be written
        return self.first_plan.may_prune(compiler.desired.rows, self._northbound.row_keys())

    def _settings(self) -> Settings | None:
        """Put the compiler's settings together; None as long as the database's zone isn't known."""
        facts = self._northbound.facts
        if not self.options.zone and facts.zone is not None:
            self._zone = facts.zone
        if self._zone is None:
            return None
        version = facts.northd_version
        return Settings(
            owner=self.options.instance,
            zone=self._zone,
            ovn=None if version is None else parse_ovn_version(version),
            any_network=self.options.any_network,
        )

    def _wait_for_informers(self, pause: float) -> None:
        """Write nothing yet: the writer before this one may have known more."""
        kinds = ", ".join(f"{kind} ({why})" for kind, why in self.caution.out_of_touch.items()) or "catching up"
        self._health.wait_for("informers", f"out of touch with the API server: {kinds}")
        asyncio.get_running_loop().call_later(pause, self._northbound.wake.set)

    def _say_what_is_awaited(self) -> None:
        if self.inbox.unsynced:
            self._health.wait_for("informers", f"not listed yet: {', '.join(sorted(self.inbox.unsynced))}")
        else:
            self._health.has("informers")

    def _take(self, result: RoundResult, compiler: IncrementalCompiler, delta: Delta) -> None:
        """Take how a round ended: count it, and tell what can be told."""
        self._untold |= delta.policies | {policy for policy in result.policies if policy}
        if result.outcome in (Outcome.STANDBY, Outcome.LOST_LOCK):
            self._stand_by()
        if result.outcome in (Outcome.STANDBY, Outcome.LOST_LOCK, Outcome.DISCONNECTED):
            self.caution.doubt()
        if not result.settled:
            return
        if not self._has_settled:
            self._has_settled = True
            collector.resume()
        if result.outcome is Outcome.COMMITTED:
            now = time.monotonic()
            self._metrics.committed(now - seen for seen in self._awaiting)
        self._awaiting.clear()
        untold, self._untold = self._untold, set()
        if self._tell_all:
            self._tell_all = False
            untold |= compiler.tables.policies.keys()
        for key in sorted(untold):
            self._tell(key, compiler)
        self._tell_repaired(result, compiler)
        self._count(compiler, told=bool(untold))

    def _stand_by(self) -> None:
        """Write no status while another daemon writes rows."""
        self._tell_all = True
        self._awaiting.clear()
        if self.tellers.status is not None:
            self.tellers.status.clear()

    def _tell(self, key: str, compiler: IncrementalCompiler) -> None:
        """Tell how a policy stands."""
        policy, report = compiler.tables.policies.get(key), compiler.report(key)
        if policy is None or report is None:
            self._states.pop(key, None)
            if self.tellers.status is not None:
                self.tellers.status.forget(key)
            return
        lacking = self._northbound.lacking(key)
        zone = self._zone or WHOLE_CLUSTER
        now = condition(policy, report, zone, lacking)
        if self._states.get(key) != (now.reason, now.message):
            self._states[key] = (now.reason, now.message)
            (_log.info if now.status == TRUE else _log.warning)(
                "policy", policy=key, reason=now.reason, detail=now.message, generation=policy.generation
            )
        if self.tellers.status is not None:
            self.tellers.status.submit(
                policy,
                report,
                zone,
                lacking,
                zones_with_sources=self._zones_with_sources(key, compiler),
                alive=self._conditions_alive(compiler),
            )

    def _conditions_alive(self, compiler: IncrementalCompiler) -> frozenset[str] | None:
        """Give the types of all zones' conditions; None where this is the only database, and knows of no zones."""
        if not compiler.is_zoned:
            return None
        if self._alive is None:
            zones = map(self._zone_of, compiler.tables.nodes.values())
            self._alive = frozenset(condition_type(zone) for zone in zones)
        return self._alive

    def _zones_with_sources(self, key: str, compiler: IncrementalCompiler) -> frozenset[str] | None:
        """Name the zones that have source pods of a policy."""
        nodes, known = compiler.source_nodes(key), compiler.tables.nodes
        return None if nodes is None else frozenset(self._zone_of(known[name]) for name in nodes if name in known)

    def _zone_of(self, node: Node) -> str:
        """Name a node's zone as its own daemon does: by NB_Global.name, the annotation or else the node's name."""
        mine = self._zone if self._zone in (node.name, node.zone) else None
        return mine or node.zone or node.name

    def _tell_repaired(self, result: RoundResult, compiler: IncrementalCompiler) -> None:
        """Tell whose rows another hand had changed."""
        if self.tellers.events is None or not result.repaired:
            return
        rows: dict[str, list[str]] = {}
        for subject in result.repaired:
            if isinstance(subject, RowKey):
                rows.setdefault(subject.policy, []).append(f"rule {subject.rule} on switch {subject.switch}")
        for key, texts in rows.items():
            policy: NetworkQoS | None = compiler.tables.policies.get(key)
            if policy is not None:
                self.tellers.events.record(policy, repaired(", ".join(sorted(texts))))

    def _count(self, compiler: IncrementalCompiler, *, told: bool) -> None:
        tables, desired = compiler.tables, compiler.desired
        self._metrics.objects({kind.value: number for kind, number in tables.sizes().items()})
        self._metrics.selections(compiler.selections)
        self._metrics.desired(
            {
                "QoS": len(desired.rows),
                "Address_Set": len(desired.address_sets),
                "Port_Group": len(desired.port_groups),
            }
        )
        if told:
            self._metrics.policies(Counter(reason for reason, _message in self._states.values()))

    def _check(self, compiler: IncrementalCompiler) -> None:
        """Hold the incremental result against the definition; it costs what a restart costs."""
        whole = compile_everything(compiler.tables, compiler.settings)
        if whole.desired != compiler.desired:
            self._metrics.compile_differs()
            _log.error("the incremental result differs from a full compilation; please report it")


def _report_unreadable(changes: Iterable[Change]) -> None:
    """Log, once for each, what can't be read of objects and so counts for nothing."""
    for change in changes:
        new, old = change.new, change.old
        if new is None or isinstance(new, NetworkQoS) or new.problem is None:
            continue
        if old is None or isinstance(old, NetworkQoS) or old.problem != new.problem:
            _log.warning(
                "a part of an object can't be read and counts for nothing",
                kind=change.kind,
                key=new.key,
                why=new.problem,
            )
