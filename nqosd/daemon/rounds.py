"""Rounds: all changes since the last one become one transaction at most, and then what policies are told.

In: changes from informers, facts about the database. Out: the desired state handed to the northbound layer, statuses
and Events handed to Kubernetes, numbers for telemetry. Rules: nothing is compiled or written before every informer has
told all it has once; changes that come while a transaction is in flight wait for the next round, and those of policies
until their namespace has nothing more to write; a status says only what was committed; who is out of touch with
Kubernetes keeps the lock from nobody.
"""

import asyncio
import itertools
import math
import os
import platform
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec
import structlog
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.desired import Delta
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.pod_placement import SHARE
from nqosd.compiler.settings import Settings, parse_ovn_version, zone_name
from nqosd.config.options import Limits
from nqosd.daemon.contact import Contact
from nqosd.daemon.convergence import Convergence
from nqosd.daemon.first_plan import FirstPlan
from nqosd.daemon.inbox import Inbox
from nqosd.daemon.isolation import Isolation, first_culprit
from nqosd.daemon.large_sets import LargeSets
from nqosd.daemon.objections import Objections
from nqosd.daemon.publisher import Came, KubernetesWriters, Publisher
from nqosd.informers.resource_versions import as_number
from nqosd.northbound import shares
from nqosd.northbound.claim import WriterClaim
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.replica.writer_record import WriterRecord
from nqosd.northbound.results import RoundOutcome, RoundResult
from nqosd.runtime import garbage
from nqosd.runtime.threads import aside
from nqosd.telemetry.health import Health
from nqosd.telemetry.round_metrics import RoundMetrics
from nqosd.web.views import RoundState

RETRY = 1.0
"""Seconds until a daemon that writes nothing looks again: another one may have known more, or a round failed."""
LONGEST = 60.0
"""Seconds at most between two rounds that fail."""
MOST_AWAITING = 10_000
"""Changes on their way to the database whose times are kept; of more, while it is away, these speak for all."""

_log = structlog.get_logger()


class RoundOptions(msgspec.Struct, frozen=True):
    """What the rounds take from the configuration; `zone` empty: NB_Global.name. Times are in seconds."""

    instance: str = "nqosd"
    lock: str = "nqosd"
    zone: str = ""
    any_network: bool = True
    batch_window: float = 0.0
    yield_after: float = 10.0
    check_compile: bool = False
    limits: Limits = msgspec.field(default_factory=Limits)

    def settings(self, zone: str | None, northd_version: str | None) -> Settings | None:
        """Put the compiler's settings together from what the database says; None as long as its zone isn't known."""
        name = self.zone or zone
        if name is None:
            return None
        return Settings(
            owner=self.instance,
            zone=zone_name(name),
            ovn=None if northd_version is None else parse_ovn_version(northd_version),
            any_network=self.any_network,
            limits=self.limits,
        )


class Rounds:
    """Runs rounds, one at a time."""

    def __init__(
        self,
        options: RoundOptions,
        northbound: Northbound,
        metrics: RoundMetrics,
        health: Health,
        writers: KubernetesWriters,
    ) -> None:
        self.options = options
        self.publisher = Publisher(northbound, writers)
        self.inbox = Inbox(northbound.wake)
        self.first_plan = FirstPlan(northbound.wake.set)
        self.contact = Contact(northbound.wake.set, waits_since=lambda: self.inbox.elsewhere_since)
        self.convergence = Convergence(lambda: self.inbox.owed_since)
        self._northbound = northbound
        self._metrics = metrics
        self._health = health
        self._process = f"{os.getpid()}.{secrets.token_hex(4)}"
        self.told_zone: Callable[[str], None] = lambda _zone: None
        """Called with the zone, empty for the whole cluster, before anything is compiled for it."""
        self.last: RoundState | None = None
        self.compiling = asyncio.Lock()
        """Held while a thread may be compiling: nobody looks at the compiler then."""
        self._compiler: IncrementalCompiler | None = None
        self._zone: str | None = options.zone or None
        self._settings: tuple[object, Settings | None] = (None, None)
        self._has_settled = False
        self._awaiting: list[tuple[str, float]] = []
        self._left: AbstractSet[str] = frozenset()
        self._has_written = False
        self._large = LargeSets()
        self._objections = Objections()
        self._isolation = Isolation()
        self._timer: asyncio.TimerHandle | None = None
        self._withheld = ""
        self._failures = 0
        self._batch: list[Change] = []
        self._written_from: dict[str, str] = {}
        self._changed: set[str] = set()
        self._let_others_ask()

    @property
    def compiler(self) -> IncrementalCompiler | None:
        """What is compiled, to look at; None before the first round."""
        return self._compiler

    @property
    def zone(self) -> str | None:
        """The zone's name; None as long as it isn't known."""
        return self._zone

    def _let_others_ask(self) -> None:
        """Let health and metrics ask how it is now."""
        health = self._health
        health.await_part("informers", lambda: "; ".join(filter(None, (self._unlisted(), self.contact.problem))))
        health.await_part("convergence", lambda: self.convergence.problem)
        self._metrics.ask(
            unconverged=lambda: self.convergence.seconds,
            out_of_touch=lambda: self.contact.seconds,
            objects=lambda: {} if self._compiler is None else self._compiler.tables.sizes(),
            left_out=lambda: self._isolation.numbers,
            desired=lambda: {} if self._compiler is None else self._compiler.desired.sizes,
            selections=lambda: 0 if self._compiler is None else self._compiler.selections,
        )

    async def run(self) -> None:
        """Run a round whenever something has changed, for ever."""
        wake = self._northbound.wake
        while True:
            await wake.wait()
            pause = max(self.options.batch_window, self.inbox.pause)
            if pause and not self._left and not (self._compiler and self._compiler.left):
                await asyncio.sleep(pause)
            wake.clear()
            self._health.round_began()
            self.convergence.began()
            try:
                await self._round()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - one object must not end the daemon again and again
                await self._recover(error)
            self._health.round_ended()

    async def _recover(self, error: Exception) -> None:
        """Say why a round failed, and let the next one compile and compare everything anew.

        It does so without the object on which the compiler fails, if there is one, or else after a pause.
        """
        pause = min(RETRY * 2**self._failures, LONGEST)
        self._failures = min(self._failures + 1, 16)
        _log.error("a round failed; rows stay as they are", error=repr(error), again_in=pause, exc_info=error)
        self.convergence.awaits(f"a round failed: {error!r}; the log says where, please report it")
        self._northbound.compare_everything()
        self._left, self._has_written = frozenset(), False
        self._health.round_ended()
        if self._compiler is None or not await self._isolate(self._compiler):
            await asyncio.sleep(pause)
        self._northbound.wake.set()

    async def _isolate(self, compiler: IncrementalCompiler) -> bool:
        """Leave out the object on which the compiler fails; say whether there is one."""
        compiler.start_over(self._batch)
        self._batch = []
        async with self.compiling:
            culprit = await aside(lambda: first_culprit(compiler.tables, compiler.settings, compiler.switches))
        if culprit is None or not self._isolation.leave_out(culprit):
            return False
        _log.error("left out until it changes, please report it: the compiler fails on an object", culprit=str(culprit))
        # Not by way of the inbox: what came there meanwhile is newer.
        compiler.start_over(self._isolation.admit([culprit.change]))
        return True

    async def _round(self) -> None:
        started = time.monotonic()
        await self._yield_lock()
        facts = self._northbound.facts
        settings = self._settings_for(facts.zone, facts.northd_version)
        if settings is not None:
            self.told_zone(settings.zone)
        if settings is None or self.inbox.unsynced:
            self.convergence.awaits(self._unlisted() or "the database's zone isn't known yet")
            return
        changes = self._isolation.admit(self.inbox.take(self._policies_at_once, self._takes_much))
        known: dict[str, str] = {kind: version for kind, version in self.contact.versions().items() if version}
        came = Came(as_number(self.contact.reached()), self.inbox.held, self._isolation.policies)
        self._batch, self._zone = changes, settings.zone
        self.publisher.rows_of_theirs(facts.theirs)
        if self._compiler is None:
            self._compiler = IncrementalCompiler(settings)
        compiler = self._compiler
        compiler.switches, compiler.moment = facts.switches, started
        compiler.share = SHARE if self._has_written else math.inf
        delta = await self._compile(compiler, settings, changes)
        if delta:
            arrived = ((change.namespace, change.seen) for change in changes)
            self._awaiting += itertools.islice(arrived, MOST_AWAITING - len(self._awaiting))
        self._note_versions(changes, known)
        if compiler.lacks_zone:
            self._await_zone(settings.zone)
            return
        prune = self._may_prune(compiler)
        result = await self._northbound.reconcile(
            compiler.desired, delta, prune=prune, may_wait=compiler.may_wait, claim=self._claim(known)
        )
        self._left, self._has_written = result.left, result.succeeded
        result = _with_left(result, compiler.left)
        self.convergence.ended(result, pruned=prune)
        await self._take(result, compiler, delta, came)
        seconds = time.monotonic() - started
        self.last = RoundState(result.outcome.value, time.time(), seconds)
        self._metrics.ended(result.outcome, seconds)
        self.inbox.round_ended()

    async def _compile(self, compiler: IncrementalCompiler, settings: Settings, changes: list[Change]) -> Delta:
        """Compile changes, in a thread what takes long, and say what people should know of the objects."""
        delta = Delta()
        async with self.compiling:
            steps = compiler.steps(settings, changes, delta)
            try:
                if compiler.takes_long(settings, changes) or next(steps, False):
                    await aside(lambda: all(steps))
            finally:  # of a batch that fails, too, its changes count
                if compiler.is_zoned and any(change.kind is ResourceKind.NODE for change in changes):
                    self.publisher.zones_changed()
        self._large.look(delta, compiler.desired)
        events = self.publisher.writers.events if self._northbound.facts.lock_held else None
        self._objections.take(changes, delta.pods, compiler, events)
        if self.options.check_compile and not compiler.left:
            self._check(compiler)
        return delta

    def _settings_for(self, zone: str | None, northd_version: str | None) -> Settings | None:
        """Give the settings by what the database says; they are put together when something of that changes."""
        made_of = (self.options, zone, northd_version)
        if self._settings[0] != made_of:
            self._settings = made_of, self.options.settings(zone, northd_version)
        return self._settings[1]

    def _policies_at_once(self, namespace: str) -> float:
        """Say how many policies of a namespace a round may take: all, unless others would wait for their rows.

        Who hasn't written, and may in this round, must not write over rows of what it has heard of and not compiled.
        """
        if not self._has_written:
            return math.inf
        if namespace in self._left:
            return 0
        return 1 if self._takes_much(namespace) else math.inf

    def _takes_much(self, namespace: str) -> bool:
        """Say whether a change of a namespace may take so long that others would wait, if there is time to let them."""
        compiler = self._compiler
        return self._has_written and compiler is not None and compiler.weight(namespace) > shares.MOST

    def _may_prune(self, compiler: IncrementalCompiler) -> bool:
        """Say whether what isn't desired may be removed."""
        facts = self._northbound.facts
        if not (facts.synced and facts.lock_held):
            return True  # nothing will be written
        return self.first_plan.may_prune(compiler.desired.rows, self._northbound.row_keys())

    async def _yield_lock(self) -> None:
        """Give the lock up to whoever waits for it, if it is time to, and foresee when it is."""
        moment, now = self.contact.yields_at(self.options.yield_after), time.monotonic()
        if moment is not None and moment <= now and self._northbound.facts.lock_held:
            _log.warning("giving the lock up, to another daemon if one waits for it", why=self.contact.state)
            self.contact.yielded()
            await self._northbound.yield_lock()
            moment = self.contact.yields_at(self.options.yield_after)
        if moment is not None and moment > now:
            self._wake_at(moment)

    def _wake_at(self, moment: float) -> None:
        """Run a round at a moment, in monotonic seconds."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(moment - time.monotonic(), self._northbound.wake.set)

    def _note_versions(self, changes: Iterable[Change], known: Mapping[str, str]) -> None:
        """Note from which versions is written what these changes come to.

        Versions that only a bookmark told don't count: another daemon may hear of them later. A list tells changes
        before the version that it ends with, so a kind that changed stays noted until its version has.
        """
        self._changed.update(change.kind for change in changes)
        moved = {kind for kind in self._changed & known.keys() if known[kind] != self._written_from.get(kind)}
        self._written_from |= {kind: known[kind] for kind in moved}
        self._changed -= moved

    def _claim(self, known: Mapping[str, str]) -> WriterClaim:
        """Say who writes, and from which resource versions; `known`: up to which ones nothing has changed since."""
        process, versions = self._process, dict(self._written_from)
        return WriterClaim(
            WriterRecord(self.options.instance, self.options.lock, platform.node(), process, versions),
            lambda before, held_since: self.contact.refusal(known, process, before, held_since),
        )

    def _await_zone(self, zone: str) -> None:
        """Leave all rows as they are while no node is of the database's zone; then everything is compared."""
        why = f"no node is of the zone {zone} (daemon.zone, or else NB_Global.name), by its name or its zone annotation"
        self.convergence.awaits(f"{why}: rows stay as they are until one is")
        self._northbound.compare_everything()
        self._has_written = False

    def _unlisted(self) -> str:
        """Say which kinds haven't been listed yet, if any."""
        return f"not listed yet: {', '.join(sorted(self.inbox.unsynced))}" if self.inbox.unsynced else ""

    async def _take(self, result: RoundResult, compiler: IncrementalCompiler, delta: Delta, came: Came) -> None:
        """Take how a round ended: count it, and tell what can be told."""
        self.publisher.policies_changed(delta.policies | {policy for policy in result.policies if policy})
        if result.outcome in (RoundOutcome.STANDBY, RoundOutcome.LOST_LOCK):
            self.publisher.stand_by()
            self._awaiting.clear()
            self._metrics.policies({})
        self._say_withheld(result.problem if result.outcome is RoundOutcome.WITHHELD else "")
        if self.inbox.oldest is not None or compiler.left:
            self._northbound.wake.set()
        if not result.succeeded:
            return
        if not self._has_settled:
            self._has_settled = True
            garbage.resume()
        done = [seen for namespace, seen in self._awaiting if namespace not in result.left]
        self._awaiting = [each for each in self._awaiting if each[0] in result.left]
        if result.outcome is RoundOutcome.COMMITTED:
            now = time.monotonic()
            self._metrics.committed(now - seen for seen in done)
        published = await self.publisher.publish(
            compiler, self._zone, came, result.left, lambda: self.inbox.oldest is not None
        )
        self.publisher.publish_repaired(result, compiler)
        if published:
            self._metrics.policies(Counter(reason for reason, _message in self.publisher.states.values()))

    def _say_withheld(self, reason: str) -> None:
        """Say why nothing is written although the lock is held, and try again soon."""
        if reason:
            self._health.wait_for("writing", reason)
            self._wake_at(time.monotonic() + RETRY)
            if not self._withheld:
                _log.warning("writing nothing: the writer before may have known more", why=reason)
        else:
            self._health.has("writing")
        self._withheld = reason

    def _check(self, compiler: IncrementalCompiler) -> None:
        """Hold the incremental result against the definition; it costs what a restart costs."""
        whole = compile_everything(compiler.tables, compiler.settings, compiler.switches)
        if whole.desired != compiler.desired:
            self._metrics.compile_differs()
            _log.error("the incremental result differs from a full compilation; please report it")


def _with_left(result: RoundResult, pods: Mapping[str, float]) -> RoundResult:
    """Add to what a round left the namespaces of pods that the compiler hasn't moved yet, and since when."""
    if not pods:
        return result
    since = min(filter(None, (next(iter(pods.values())), result.left_since)))
    return replace(result, left=result.left | {key.partition("/")[0] for key in pods}, left_since=since)
