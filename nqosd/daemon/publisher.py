"""Publishes how policies stand: their conditions and Events to Kubernetes, a line for each change to the log.

In: what was committed, and the compiler's reports. Out: statuses and Events for those who write them. Rule: nothing is
told while another daemon writes the rows.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec
import structlog
from msgspec.structs import replace

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Node
from nqosd.api.text import shortened
from nqosd.compiler.desired import RowKey
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.daemon.log_budget import LogBudget
from nqosd.informers.served_schema import lost_of
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.results import RoundResult
from nqosd.status.condition_changes import repaired
from nqosd.status.conditions import TRUE, condition, fails_everywhere
from nqosd.status.events import EventRecorder
from nqosd.status.turns import fewest_first
from nqosd.status.zone_state import PolicyStanding, Progress
from nqosd.status.zone_status import ZoneStatus

WHOLE_CLUSTER = "global"
"""What the zone is called where the database has no name: it is one for the whole cluster."""

TURN = 0.005
"""Seconds after which others have their turn."""
MOST = 4_000
"""Policies of which a round publishes how they stand, at most: to take note of as many takes some 15 ms in a row."""

_log = structlog.get_logger()


class KubernetesWriters(msgspec.Struct, frozen=True):
    """What writes to Kubernetes; None where there is no API server, or it isn't wanted."""

    status: ZoneStatus | None = None
    events: EventRecorder | None = None


class Came(msgspec.Struct, frozen=True):
    """How far a round came: all policies up to a resource version, but for those of the `pending` namespaces.

    The compiler fails on the policies in `left_out`.
    """

    version: int = 0
    pending: AbstractSet[str] = frozenset()
    left_out: frozenset[str] = frozenset()


class Publisher:
    """Remembers what was published, and what is due with the next commit."""

    def __init__(self, northbound: Northbound, writers: KubernetesWriters) -> None:
        self.writers = writers
        self.hears_all_pods = True
        """Whether pods of other zones are heard of: who hears of some only can't say where senders are."""
        self.states: dict[str, tuple[str, str]] = {}
        """By policy, the reason and message of its condition."""
        self._lines = LogBudget("policies turn too often to log each time: their statuses say it")
        self._northbound = northbound
        self._lost_fields: tuple[str, ...] = ()
        self._theirs: Mapping[str, int] = {}
        self._due: set[str] = set()
        self._all_due = True
        self._zones: frozenset[str] | None = None
        self._zone = WHOLE_CLUSTER

    def policies_changed(self, keys: set[str]) -> None:
        """Take policies of which something else is to be published."""
        self._due |= keys

    def zones_changed(self) -> None:
        """Note that another zone's word counts now, or no more."""
        self._all_due, self._zones = True, None

    def use(self, writers: KubernetesWriters) -> None:
        """Take who writes from now on."""
        if writers != self.writers:
            self.stand_by()
            self.writers = writers

    def fields_lost(self, fields: tuple[str, ...]) -> None:
        """Take which fields of policies the API server drops."""
        self._all_due, self._lost_fields = True, fields

    def rows_of_theirs(self, numbers: Mapping[str, int]) -> None:
        """Take how many rows ovn-kubernetes' own controller has for each policy."""
        before, self._theirs = self._theirs, numbers
        if before is not numbers:
            self._due |= {key for key, _number in before.items() ^ numbers.items()}

    def stand_by(self) -> None:
        """Write no status while another daemon writes rows; all are due when this one does."""
        self._all_due = True
        if self.writers.status is not None:
            self.writers.status.clear()

    async def publish(
        self,
        compiler: IncrementalCompiler,
        zone: str | None,
        came: Came,
        left: AbstractSet[str] = frozenset(),
        others_wait: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Publish how policies stand, now that the database says the same; say whether anything was due.

        Those of the namespaces `left` have something to write still. Others have their turn in between: some reports
        take milliseconds. When `others_wait` for the next round, the rest comes after it.
        """
        if (zone or WHOLE_CLUSTER) != self._zone:
            self._zone, self._zones = zone or WHOLE_CLUSTER, None
        due, self._due = self._due, set()
        if self._all_due:
            self._all_due = False
            due |= compiler.tables.policies.keys()
        if left:
            self._due |= {key for key in due if key.partition("/")[0] in left}
            due -= self._due
        keys = _first(due)
        if len(keys) < len(due):
            self._due |= due.difference(keys)
            self._northbound.wake.set()
        standings, gone = await self._stand(keys, compiler, others_wait)
        if self.writers.status is not None:
            pending = frozenset(came.pending | left) | {key.partition("/")[0] for key in self._due}
            progress = Progress(self._zone, came.version, self._all_zones(compiler), pending, came.left_out)
            self.writers.status.publish(progress, standings, gone)
        return bool(due)

    async def _stand(
        self, keys: Sequence[str], compiler: IncrementalCompiler, others_wait: Callable[[], bool]
    ) -> tuple[Sequence[PolicyStanding], Sequence[str]]:
        """Say how some policies stand, one after the other, and which are gone."""
        standings, gone = [], []
        begun = time.monotonic()
        for position, key in enumerate(keys, 1):
            if (standing := self._standing(key, compiler)) is None:
                gone.append(key)
            else:
                standings.append(standing)
            if time.monotonic() - begun > TURN:
                if others_wait():
                    self._due.update(keys[position:])
                    break
                await asyncio.sleep(0)
                begun = time.monotonic()
        return standings, gone

    def publish_repaired(self, result: RoundResult, compiler: IncrementalCompiler) -> None:
        """Publish whose rows another hand had changed."""
        if self.writers.events is None or not result.repaired:
            return
        rows: dict[str, list[str]] = {}
        for subject in result.repaired:
            if isinstance(subject, RowKey):
                rows.setdefault(subject.policy, []).append(f"rule {subject.rule} on switch {subject.switch}")
        for key, texts in rows.items():
            policy: NetworkQoS | None = compiler.tables.policies.get(key)
            if policy is not None:
                self.writers.events.record(policy, repaired(", ".join(shortened(sorted(texts)))))

    def _standing(self, key: str, compiler: IncrementalCompiler) -> PolicyStanding | None:
        """Say how a policy stands, and log it; None if it is gone."""
        policy, report = compiler.tables.policies.get(key), compiler.report(key)
        if policy is None or report is None:
            self.states.pop(key, None)
            return None
        if noted := tuple(self._noted(policy)):
            report = replace(report, warnings=(*report.warnings, *noted))
        now = condition(policy, report, self._zone, self._northbound.lacking(key))
        if self.states.get(key) != (now.reason, now.message):
            self.states[key] = (now.reason, now.message)
            if self._lines.spend(policy.namespace):
                (_log.info if now.status == TRUE else _log.warning)(
                    "policy", policy=key, reason=now.reason, detail=now.message, generation=policy.generation
                )
        sources = self._sources(key, compiler, has_senders=bool(report.networks))
        return PolicyStanding(policy, now, sources, fails_everywhere=fails_everywhere(report))

    def _noted(self, policy: NetworkQoS) -> Iterator[str]:
        """Say what a person should know of a policy besides what its own objects tell."""
        if lost := lost_of(policy, self._lost_fields):
            yield (
                f"the API server drops {', '.join(shortened(lost))}, because its CustomResourceDefinition is not "
                "nqosd's, so rules may cover more than was written: apply config/crd, then this object again"
            )

        if number := self._theirs.get(policy.key):
            yield (
                f"ovn-kubernetes' own controller has {number} row{'' if number == 1 else 's'} for this policy in the "
                "database, which act where no row of nqosd does, and on OVN before 24.09 beside it: turn it off, then "
                "nqosd takeover --from ovn-kubernetes"
            )

    def _all_zones(self, compiler: IncrementalCompiler) -> frozenset[str]:
        """Name all zones that there are; where this is the only database, it knows of no others."""
        if self._zones is None:
            nodes = compiler.tables.nodes.values() if compiler.is_zoned else ()
            reporting = (each for each in nodes if not each.is_hybrid)  # where no OVN runs, nobody does
            self._zones = frozenset({self._zone, *map(self._zone_of, reporting)})
        return self._zones

    def _sources(self, key: str, compiler: IncrementalCompiler, *, has_senders: bool) -> frozenset[str] | None:
        """Name the zones that have senders of a policy; None where that isn't known."""
        is_known = self.hears_all_pods and compiler.knows_senders(key)
        if not is_known and len(self._all_zones(compiler)) > 1:
            return None
        nodes, known = compiler.source_nodes(key), compiler.tables.nodes
        if nodes is None:
            return frozenset({self._zone}) if has_senders else frozenset()
        return frozenset(self._zone_of(known[name]) for name in nodes if name in known)

    def _zone_of(self, node: Node) -> str:
        """Name a node's zone as its own daemon does: by NB_Global.name, the annotation or else the node's name."""
        mine = self._zone if self._zone in (node.name, node.zone) else None
        return mine or node.zone or node.name


def _first(due: Iterable[str]) -> Sequence[str]:
    """Give so many of some policies as a round publishes, those of namespaces with few of them first."""
    found: list[str] = []
    for mine in fewest_first(due):
        found += sorted(mine[: MOST - len(found)])
    return found
