"""`nqosd stats`: reads br-int's counters again and again, and serves what the rules gained to Prometheus.

In: `StatsOptions`. Out: /metrics, /healthz, /readyz, until SIGTERM or SIGINT. Rule: what can't be reached is waited for
and told, and the counters stand still meanwhile.
"""

import asyncio
import functools
import time
from collections.abc import Mapping

import msgspec
import structlog

from nqosd import __version__
from nqosd.runtime import signals
from nqosd.statistics.chassis import NORTHBOUND, SOUTHBOUND, ChassisReading, Databases, StatsOptions, read_chassis
from nqosd.statistics.rule_metrics import StatsMetrics
from nqosd.statistics.rules import Rule
from nqosd.statistics.switch import SwitchError
from nqosd.statistics.tally import Tally
from nqosd.telemetry.health import Health
from nqosd.telemetry.systemd import Notifier, watchdog
from nqosd.web.server import HttpServer

_log = structlog.get_logger()

KEPT = 3600.0
"""Seconds for which the series of a rule without rows stay."""
BRIDGE = "bridge"


class Exporter:
    """One exporter; `run` returns when it was told to end."""

    def __init__(self, options: StatsOptions) -> None:
        self._options = options
        self._health = Health()
        self._notifier = Notifier()
        self._metrics = StatsMetrics(options.node)
        tell = functools.partial(self._notifier.status, "http")
        self._http = HttpServer(options.http, self._metrics.registry, self._health, None, tell)
        self._databases = Databases(options, self._changed)
        self._tally = Tally()
        self._last_row: dict[Rule, float] = {}
        self._failure = ""
        self._without_meter: frozenset[Rule] = frozenset()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        SIGHUP lets it read its certificate again.
        """
        with signals.taken(reload=self._http.renew_certificate, ending=self._notifier.stopping):
            _log.info("starting", version=__version__, node=self._options.node)
            for name in (NORTHBOUND, SOUTHBOUND, BRIDGE):
                self._health.wait_for(name, "not read yet")
            async with self._http.serving(), asyncio.TaskGroup() as group:
                work = {name: mirror.run() for name, mirror in self._databases.mirrors.items()}
                work |= {"readings": self._read_for_ever(), "watchdog": watchdog(self._notifier, self._health)}
                for name, part in work.items():
                    self._health.supervise(name, group.create_task(part, name=name))
                self._notifier.ready()
        _log.info("stopped")

    async def _read_for_ever(self) -> None:
        await self._databases.filled()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._read()
            due = max(due + self._options.interval, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _read(self) -> None:
        began = time.perf_counter()
        try:
            found = await read_chassis(self._options, self._databases)
        except SwitchError as error:
            self._metrics.readings.failed()
            self._health.wait_for(BRIDGE, str(error))
            if str(error) != self._failure:
                _log.warning("the bridge's counters can't be read", why=str(error))
            self._failure = str(error)
            return
        limits, reading = self._databases.limits(), found.bridge
        for rule, gain in found.gains(self._tally).items():
            self._metrics.rules.gained(rule, gain, limits.get(rule))
            self._last_row.setdefault(rule, reading.at)
        self._forget(limits, reading.at)
        self._take_meters(found)
        self._metrics.readings.done(time.perf_counter() - began, time.time() - (time.monotonic() - reading.at))
        self._health.has(BRIDGE)
        self._failure = ""

    def _take_meters(self, found: ChassisReading) -> None:
        self._metrics.rules.without_meter(found.without_meter)
        self._metrics.readings.meters(len(found.bridge.meters), found.bridge.meter_limit, found.controller)
        for rule in sorted(found.without_meter - self._without_meter):
            _log.warning("a limit has no meter in the bridge", **msgspec.structs.asdict(rule))
        self._without_meter = found.without_meter

    def _forget(self, present: Mapping[Rule, object], now: float) -> None:
        """Drop the series of rules that had no row for a while."""
        for rule, last in list(self._last_row.items()):
            if rule in present:
                self._last_row[rule] = now
            elif now - last > KEPT:
                del self._last_row[rule]
                self._metrics.rules.forget(rule)

    def _changed(self, database: str, why: str) -> None:
        self._metrics.readings.connected(database, yes=not why)
        if why:
            self._health.wait_for(database, why)
        else:
            self._health.has(database)
        _log.info("following" if not why else "not following", database=database, why=why)
