"""Tells how policies stand: their conditions and Events to Kubernetes, a line for each change to the log.

In: what was committed, and the compiler's reports. Out: statuses and Events for those who write them. Rule: nothing is
told while another daemon writes the rows.
"""

import asyncio
import time

import attrs
import structlog

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Node
from nqosd.api.text import shortened
from nqosd.compiler.desired import RowKey
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.results import RoundResult
from nqosd.status.conditions import TRUE, condition, condition_type
from nqosd.status.events import EventRecorder
from nqosd.status.transitions import repaired
from nqosd.status.writer import StatusWriter

WHOLE_CLUSTER = "global"
"""What the zone is called where the database has no name: it is one for the whole cluster."""

TURN = 0.005
"""Seconds after which others have their turn."""

_log = structlog.get_logger()


@attrs.frozen
class Tellers:
    """Who tells Kubernetes; None where there is none, or it isn't wanted."""

    status: StatusWriter | None = None
    events: EventRecorder | None = None


class Telling:
    """Remembers what was told, and what is to be told with the next commit."""

    def __init__(self, northbound: Northbound, tellers: Tellers) -> None:
        self.tellers = tellers
        self.states: dict[str, tuple[str, str]] = {}
        """By policy, the reason and message of its condition."""
        self._northbound = northbound
        self._untold: set[str] = set()
        self._tell_all = True
        self._alive: frozenset[str] | None = None
        self._zone: str | None = None

    def policies_changed(self, keys: set[str]) -> None:
        """Take policies of which something else is to be told."""
        self._untold |= keys

    def zones_changed(self) -> None:
        """Note that another zone's word counts now, or no more."""
        self._tell_all, self._alive = True, None

    def stand_by(self) -> None:
        """Write no status while another daemon writes rows; tell all of them when this one does."""
        self._tell_all = True
        if self.tellers.status is not None:
            self.tellers.status.clear()

    async def tell(self, compiler: IncrementalCompiler, zone: str | None) -> bool:
        """Tell how policies stand, now that the database says the same; say whether there was anything to tell.

        Others have their turn in between: some reports take milliseconds.
        """
        self._zone = zone
        untold, self._untold = self._untold, set()
        if self._tell_all:
            self._tell_all = False
            untold |= compiler.tables.policies.keys()
        begun = time.monotonic()
        for key in sorted(untold):
            self._tell(key, compiler)
            if time.monotonic() - begun > TURN:
                await asyncio.sleep(0)
                begun = time.monotonic()
        return bool(untold)

    def tell_repaired(self, result: RoundResult, compiler: IncrementalCompiler) -> None:
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
                self.tellers.events.record(policy, repaired(", ".join(shortened(sorted(texts)))))

    def _tell(self, key: str, compiler: IncrementalCompiler) -> None:
        """Tell how a policy stands."""
        policy, report = compiler.tables.policies.get(key), compiler.report(key)
        if policy is None or report is None:
            self.states.pop(key, None)
            if self.tellers.status is not None:
                self.tellers.status.forget(key)
            return
        lacking = self._northbound.lacking(key)
        zone = self._zone or WHOLE_CLUSTER
        now = condition(policy, report, zone, lacking)
        if self.states.get(key) != (now.reason, now.message):
            self.states[key] = (now.reason, now.message)
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
