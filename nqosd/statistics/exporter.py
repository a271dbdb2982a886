"""`nqosd stats`: reads br-int's counters again and again, and serves what the rules gained to Prometheus.

In: `StatsOptions`. Out: /metrics, /healthz, /readyz, until SIGTERM or SIGINT. Rule: what can't be reached is waited for
and told, and the counters stand still meanwhile.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Mapping

import attrs
import structlog

from nqosd import __version__
from nqosd.compiler.desired import OWNER
from nqosd.ovsdb import schema, wire
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.remotes import Remote
from nqosd.runtime import signals
from nqosd.statistics import switch
from nqosd.statistics.mirror import Mirror, MonitorRequest
from nqosd.statistics.rule_metrics import StatsMetrics
from nqosd.statistics.rules import (
    FLOW_MAPS,
    FLOW_VALUES,
    ROW_MAPS,
    ROW_VALUES,
    STAGES,
    Purpose,
    Rule,
    limits_of,
    purposes,
)
from nqosd.statistics.switch import SwitchError
from nqosd.statistics.tally import Figures, Tally
from nqosd.telemetry.health import Health
from nqosd.telemetry.systemd import Notifier, watchdog
from nqosd.web.server import HttpOptions, HttpServer

_log = structlog.get_logger()

TIMEOUT = 10.0
"""Seconds for one reading, and for `--once` to reach the databases."""
KEPT = 3600.0
"""Seconds for which the series of a rule without rows stay."""
NORTHBOUND, SOUTHBOUND, BRIDGE = "northbound", "southbound", "bridge"


class StatsError(Exception):
    """The counters can't be read; the message says what is in the way."""


@attrs.frozen
class StatsOptions:
    """What the exporter must be told; `owner` as in external_ids:nqosd.io/owner, `interval` in seconds."""

    northbound: tuple[Remote, ...]
    southbound: tuple[Remote, ...]
    openflow: str
    owner: str
    node: str
    interval: float
    http: HttpOptions
    tls: TlsFiles | None = None


class Databases:
    """The rows of one owner and the logical flows of QoS, followed for as long as `following` lasts."""

    def __init__(self, options: StatsOptions, changed: Callable[[str, str], None] = lambda _name, _why: None) -> None:
        mine = ["external_ids", "includes", wire.string_map({OWNER: options.owner})]
        stages = [["external_ids", "includes", wire.string_map({"stage-name": stage})] for stage in STAGES]
        rows = MonitorRequest(schema.DATABASE, schema.QOS, ROW_MAPS, ROW_VALUES, (mine,))
        flows = MonitorRequest("OVN_Southbound", "Logical_Flow", FLOW_MAPS, FLOW_VALUES, tuple(stages))
        self.mirrors = {
            NORTHBOUND: Mirror(options.northbound, rows, options.tls, lambda why: changed(NORTHBOUND, why)),
            SOUTHBOUND: Mirror(options.southbound, flows, options.tls, lambda why: changed(SOUTHBOUND, why)),
        }

    def purposes(self) -> dict[int, Purpose]:
        """Join both tables as they are now."""
        return purposes(self.mirrors[NORTHBOUND].rows, self.mirrors[SOUTHBOUND].rows)

    def limits(self) -> dict[Rule, int | None]:
        """Give every rule that has rows, and its limit in bytes per second."""
        return limits_of(self.mirrors[NORTHBOUND].rows)

    async def filled(self) -> None:
        """Wait until both tables have been read once."""
        for mirror in self.mirrors.values():
            await mirror.filled.wait()


async def read_once(options: StatsOptions) -> Mapping[Rule, Figures]:
    """Give what the flows and meters that are there now have counted since each of them was made.

    Raises:
        StatsError: a database or the bridge can't be reached.
    """
    failures: dict[str, str] = {}
    databases = Databases(options, failures.__setitem__)
    tasks = [asyncio.create_task(mirror.run()) for mirror in databases.mirrors.values()]
    try:
        async with asyncio.timeout(TIMEOUT):
            await databases.filled()
        found = databases.purposes()
        return Tally(whole=True).take(await switch.read(options.openflow, found, TIMEOUT), found)
    except TimeoutError:
        told = [f"{name}: {why or 'no answer'}" for name, why in failures.items() if why] or ["no answer"]
        raise StatsError("; ".join(told)) from None
    except SwitchError as error:
        raise StatsError(str(error)) from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
        found = self._databases.purposes()
        try:
            reading = await switch.read(self._options.openflow, found, TIMEOUT)
        except SwitchError as error:
            self._metrics.readings.failed()
            self._health.wait_for(BRIDGE, str(error))
            if str(error) != self._failure:
                _log.warning("the bridge's counters can't be read", why=str(error))
            self._failure = str(error)
            return
        limits = self._databases.limits()
        for rule, gain in self._tally.take(reading, found).items():
            self._metrics.rules.gained(rule, gain, limits.get(rule))
            self._last_row.setdefault(rule, reading.at)
        self._forget(limits, reading.at)
        self._metrics.readings.done(time.perf_counter() - began, time.time() - (time.monotonic() - reading.at))
        self._health.has(BRIDGE)
        self._failure = ""

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
