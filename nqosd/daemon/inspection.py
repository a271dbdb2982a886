"""The state of the running daemon, put together from its parts when somebody asks.

In: rounds, the northbound layer, health, metrics; exporters of statistics. Out: the values of `nqosd.web.views`.
Rule: it reads in the event loop, a piece at a time, and keeps nothing.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec
from prometheus_client import CollectorRegistry

from nqosd import __version__
from nqosd.api.changes import ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.compiler.desired import Desired, QosRow
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.daemon.publisher import WHOLE_CLUSTER
from nqosd.daemon.rounds import Rounds
from nqosd.explain.classifier_text import described
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.results import RoundOutcome
from nqosd.statistics.endpoints import Counts, EndpointOptions, collect, total
from nqosd.statistics.rules import Rule
from nqosd.status.conditions import TRUE, condition
from nqosd.telemetry.health import Health
from nqosd.web.views import (
    MOST_RIVALS,
    DatabaseState,
    InformerState,
    NetworkState,
    Overview,
    PolicyDetail,
    PolicyState,
    RivalState,
    RowState,
    RuleState,
    RuleTotals,
    SelectionState,
    Statistics,
)

PIECE = 100
"""How many entries are read before others get their turn; a hundred reports take a few milliseconds."""
SOURCES = re.compile(r"(?:ip[46]\.src == \$|inport == @)(\w+)")
EXPORTERS = 1.0
"""Seconds that exporters have for their answer."""

T = TypeVar("T")


class DaemonState:
    """A `StateSource`."""

    def __init__(
        self,
        rounds: Rounds,
        northbound: Northbound,
        health: Health,
        registry: CollectorRegistry,
        lock: str,
        *,
        exporters: EndpointOptions | None = None,
    ) -> None:
        self._rounds = rounds
        self._northbound = northbound
        self._health = health
        self._registry = registry
        self._lock = lock
        self._exporters = exporters
        self._started = time.time()

    def overview(self) -> Overview:
        """See `StateSource`."""
        facts, compiler = self._northbound.facts, self._rounds.compiler
        sizes = {} if compiler is None else compiler.tables.sizes()
        unsynced = self._rounds.inbox.unsynced
        return Overview(
            version=__version__,
            instance=self._rounds.options.instance,
            started=self._started,
            role=self._health.role.value,
            zone=self._rounds.zone or "",
            remote=facts.remote,
            northd_version=facts.northd_version or "",
            connected=facts.connected,
            synced=facts.synced,
            lock=self._lock,
            lock_held=facts.lock_held,
            problems=self._health.problems(),
            waiting_for=dict(self._health.readiness().waiting_for),
            last_round=self._rounds.last,
            rounds={each.value: self._counter("nqosd_rounds_total", outcome=each.value) for each in RoundOutcome},
            transactions={
                each.value: self._counter("nqosd_transactions_total", result=each.value) for each in RoundOutcome
            },
            repaired=self._counter("nqosd_repaired_rows_total"),
            informers=tuple(
                InformerState(kind.value, kind not in unsynced, sizes.get(kind, 0)) for kind in ResourceKind
            ),
        )

    async def policies(self) -> list[PolicyState]:
        """See `StateSource`."""
        compiler = await self._compiler()
        keys = [] if compiler is None else sorted(compiler.tables.policies)
        return [state async for key in self._pieces(keys) if (state := self._policy(key)) is not None]

    async def policy(self, key: str) -> PolicyDetail | None:
        """See `StateSource`."""
        state, statistics = self._policy(key), await self.statistics()
        compiler = await self._compiler()
        if state is None or compiler is None or (policy := compiler.tables.policies.get(key)) is None:
            return None
        rows = [row async for row in self._pieces(list(compiler.desired.rows.values())) if row.key.policy == key]
        rivals = await self._rivals(rows, compiler.desired)
        return PolicyDetail(
            policy=state,
            rules=tuple(_rules(policy)),
            rows=tuple(sorted(map(self._row, rows), key=_order)),
            selections=tuple(await self.selections({name for row in rows for name in row.sets})),
            rivals=tuple(rivals[:MOST_RIVALS]),
            more_rivals=len(rivals) > MOST_RIVALS,
            statistics=tuple(each for each in statistics.totals if each.policy == key) if statistics else (),
        )

    async def _rivals(self, rows: Sequence[QosRow], desired: Desired) -> list[RivalState]:
        """Find rows of other policies that win where both match: one more than are shown, if there are more."""
        ours: dict[str, list[QosRow]] = {}
        for row in rows:
            ours.setdefault(row.key.switch, []).append(row)
        members, found = desired.members(), list[RivalState]()
        async for other in self._pieces(list(desired.rows.values())):
            key = other.key
            for row in ours.get(key.switch, ()) if key.policy else ():
                if key.policy == row.key.policy or other.priority <= row.priority:
                    continue
                if both := sum(len(one & two) for one in _sources(row, members) for two in _sources(other, members)):
                    found.append(RivalState(key.policy, key.rule, key.switch, other.priority, row.priority, both))
                    if len(found) > MOST_RIVALS:
                        return found
                await asyncio.sleep(0)  # to compare the senders of large networks takes milliseconds
        return found

    async def selections(self, names: Container[str] | None = None) -> list[SelectionState]:
        """See `StateSource`; with names, only the sets that have one of them."""
        compiler = await self._compiler()
        if compiler is None:
            return []
        desired = compiler.desired
        sets = [("address set", each.name, each.selection, each.addresses) for each in desired.address_sets.values()]
        sets += [("port group", each.name, each.selection, each.ports) for each in desired.port_groups.values()]
        wanted = [each for each in sets if names is None or each[1] in names]
        return [
            SelectionState(name, kind, selection, tuple(sorted(members)))
            async for kind, name, selection, members in self._pieces(sorted(wanted, key=lambda each: each[1]))
        ]

    async def rows(self) -> list[RowState]:
        """See `StateSource`; to sort all of them at once would hold up the event loop."""
        compiler, found = await self._compiler(), defaultdict[str, list[RowState]](list)
        async for row in self._pieces([] if compiler is None else list(compiler.desired.rows.values())):
            found[row.key.policy].append(self._row(row))
        return [each async for key in self._pieces(sorted(found)) for each in sorted(found[key], key=_order)]

    async def networks(self) -> list[NetworkState]:
        """See `StateSource`."""
        compiler = await self._compiler()
        found = []
        async for nad in self._pieces([] if compiler is None else list(compiler.tables.attachments.values())):
            ignored = nad.problem or ("" if compiler is None else compiler.ignores(nad))
            if nad.network or ignored:
                topology, role = (nad.topology.value, nad.role.value) if nad.network else ("", "")
                found.append(NetworkState(nad.key, nad.network, topology, role, nad.subnets, nad.accepted, ignored))
        return sorted(found, key=lambda each: (each.network, each.definition))

    async def database(self) -> DatabaseState | None:
        """See `StateSource`."""
        tables: dict[str, dict[str, msgspec.Raw]] = {}
        async for table, uuid, row in self._northbound.copied():
            tables.setdefault(table, {})[uuid] = msgspec.Raw(msgspec.json.encode(row))
        facts = self._northbound.facts
        settings = self._rounds.options.settings(facts.zone, facts.northd_version)
        return DatabaseState(settings, tables) if settings is not None and facts.synced else None

    async def statistics(self) -> Statistics | None:
        """See `StateSource`."""
        if self._exporters is None:
            return None
        collected = await collect(self._exporters, EXPORTERS)
        by_rule: dict[Rule, list[Counts]] = {}
        for place, counts in collected.counts().items():
            by_rule.setdefault(place.rule, []).append(counts)
        totals = tuple(_totals(rule, nodes) for rule, nodes in sorted(by_rule.items()))
        return Statistics(totals, dict(collected.failures))

    async def _compiler(self) -> IncrementalCompiler | None:
        """Give the compiler as soon as no thread works with it; who has it may look until others have their turn."""
        async with self._rounds.compiling:
            return self._rounds.compiler

    async def _pieces(self, entries: Sequence[T]) -> AsyncIterator[T]:
        """Give entries one by one, and others their turn after every `PIECE` of them."""
        for number, entry in enumerate(entries, 1):
            yield entry
            if number % PIECE == 0:
                await asyncio.sleep(0)
                await self._compiler()

    def _policy(self, key: str) -> PolicyState | None:
        compiler = self._rounds.compiler
        if compiler is None:
            return None
        policy, report = compiler.tables.policies.get(key), compiler.report(key)
        if policy is None or report is None:  # it went while others had their turn
            return None
        now = condition(policy, report, self._rounds.zone or WHOLE_CLUSTER, self._northbound.lacking(key))
        return PolicyState(
            namespace=policy.namespace,
            name=policy.name,
            generation=policy.generation,
            ready=now.status == TRUE,
            reason=now.reason,
            message=now.message,
            problems=tuple(map(str, report.problems)),
            warnings=report.warnings,
            networks=report.networks,
            switches=report.switches,
            rows=report.rows,
        )

    def _row(self, row: QosRow) -> RowState:
        key = row.key
        return RowState(
            policy=key.policy,
            rule=key.rule,
            part=key.part,
            network=key.network,
            switch=key.switch,
            direction=row.direction.value,
            priority=row.priority,
            dscp=row.dscp,
            rate=row.rate,
            burst=row.burst,
            match=row.match,
            waits=key.switch in self._northbound.lacking(key.policy).switches,
        )

    def _counter(self, name: str, **labels: str) -> int:
        return round(self._registry.get_sample_value(name, labels) or 0)


def _rules(policy: NetworkQoS) -> Iterator[RuleState]:
    for index, rule in enumerate(policy.spec.egress if policy.spec else ()):
        rate, burst = (None, None) if rule.limit is None else (rule.limit.rate, rule.limit.burst)
        yield RuleState(index, described(rule.classifier, policy.namespace), rule.dscp, rate, burst)


def _sources(row: QosRow, members: Mapping[str, AbstractSet[str]]) -> list[AbstractSet[str]]:
    """Give the sets that a row's match names as its source."""
    return [members[name] for name in SOURCES.findall(row.match) if name in members]


def _order(row: RowState) -> tuple[str, int, str, str, str]:
    return row.policy, row.rule, row.network, row.switch, row.part


def _totals(rule: Rule, nodes: Sequence[Counts]) -> RuleTotals:
    limited = any(each.limit is not None for each in nodes)
    without_meter = sum(each.meter_missing for each in nodes)
    policy = f"{rule.namespace}/{rule.policy}"
    return RuleTotals(policy, rule.index, rule.network, len(nodes), limited, without_meter, *total(nodes).amounts)
