"""The running whole: builds every part from the configuration, starts them, and ends them in order.

In: a configuration, and how to read it again. Out: nothing; it runs until SIGTERM or SIGINT. Rules: wiring only; a task
that ends by an error ends the daemon, and systemd starts it anew; rows stay in the database when it ends.
"""

import asyncio
import contextlib
import functools
import platform
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

import structlog

from nqosd import __version__
from nqosd.api.changes import Sink
from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.config import Config, ConfigError, Reload, diff
from nqosd.daemon.daemon_options import (
    kube_options,
    northbound_options,
    reflector_options,
    report_namespace,
    round_options,
)
from nqosd.daemon.hearing import ALL_BUT_PODS, Hearing
from nqosd.daemon.inspection import DaemonState
from nqosd.daemon.publisher import KubernetesWriters
from nqosd.daemon.rounds import Rounds
from nqosd.daemon.schema_watch import watch_schema
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.manifests.source import ManifestSource
from nqosd.informers.resources import RESOURCES
from nqosd.kube.client import KubeClient
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.results import DatabaseFacts, Observer, RoundOutcome
from nqosd.runtime import garbage, signals
from nqosd.statistics.stats_options import endpoint_options
from nqosd.status.events import EventRecorder
from nqosd.status.zone_status import ZoneStatus
from nqosd.telemetry import logs
from nqosd.telemetry.health import Health, LockRole
from nqosd.telemetry.metrics import Metrics
from nqosd.telemetry.northbound_metrics import NorthboundMetrics
from nqosd.telemetry.systemd import Notifier, watchdog
from nqosd.web.server import HttpOptions, HttpServer

SWITCH = 0.0001
"""Seconds that a thread which works keeps the event loop waiting, each time that it has read or written something.

Python's own 5 ms come to a tenth of a second for ten small writes beside two threads.
"""

_log = structlog.get_logger()


class Daemon:
    """One daemon; `run` returns when it was told to end."""

    def __init__(self, config: Config, read_again: Callable[[], Config]) -> None:
        self._config = config
        self._read_again = read_again
        self._hangup = asyncio.Event()
        self._metrics = Metrics()
        self._health = Health()
        self._notifier = Notifier()
        self._northbound = Northbound(
            northbound_options(config), _DatabaseWatch(self._metrics.northbound, self._health, self._notifier)
        )
        self._metrics.northbound.ask(
            rows=lambda: self._northbound.size,
            blocked=lambda: self._northbound.blocked,
            contested=lambda: self._northbound.contested,
        )
        self._health.ask(lambda: self._northbound.stuck)
        self._health.transaction_timeout = config.northbound.transaction_timeout
        self._rounds = Rounds(
            round_options(config), self._northbound, self._metrics.rounds, self._health, KubernetesWriters()
        )
        self._metrics.informers.ask(self._rounds.inbox.unsynced)
        self._http: HttpServer | None = None
        self._writers = KubernetesWriters()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            Exception: a part has failed in a way that it doesn't know how to bear.
        """
        sys.setswitchinterval(SWITCH)
        with signals.taken(reload=self._hangup.set, ending=self._ending):
            garbage.expect(asyncio.get_running_loop())
            _log.info("starting", version=__version__, instance=self._config.daemon.instance)
            self._health.wait_for("northbound", "not connected yet")
            async with self._serving():
                if self._config.kubernetes.source == "manifests":
                    source = ManifestSource(
                        self._config.kubernetes.manifests, observer=self._metrics.informers, say=self._manifests_say
                    )
                    self._rounds.first_plan.list_again = source.list_again
                    await self._work(source.run(self._rounds.inbox))
                else:
                    async with KubeClient(kube_options(self._config)) as client:
                        await self._work_in_cluster(client)
        _log.info("stopped")

    def _ending(self) -> None:
        self._notifier.stopping()
        _log.info("stopping; rows stay in the database")

    async def _work_in_cluster(self, client: KubeClient) -> None:
        options = reflector_options(self._config)
        is_narrow = self._config.kubernetes.pods == "auto"
        source = ApiServerSource(
            client,
            options=options,
            observer=self._metrics.informers,
            resources=ALL_BUT_PODS if is_narrow else RESOURCES,
            in_touch=self._rounds.contact.in_touch,
        )
        sink: Sink = self._rounds.inbox
        if is_narrow:
            sink = hearing = Hearing(source, self._rounds.inbox)
            self._rounds.told_zone = hearing.zone_is
            self._rounds.publisher.hears_all_pods = False
            self._rounds.contact.versions = lambda: hearing.versions(source.resource_versions)
            self._rounds.contact.reached = lambda: hearing.reached(source.resource_versions)
        else:
            self._rounds.contact.versions = lambda: source.resource_versions
        self._rounds.first_plan.list_again = source.list_again
        self._rounds.contact.noticed = options.watch_time + options.grace
        events = EventRecorder(client, self._metrics.status, instance=platform.node())
        contact = self._rounds.contact
        status = ZoneStatus(
            client,
            self._metrics.status,
            namespace=report_namespace(self._config),
            holder=f"{platform.node()}_{secrets.token_hex(4)}",
            in_touch=lambda: not contact.problem,
            may_report=lambda: not contact.problem and self._northbound.facts.lock_held,
            listener=self._condition_changed,
            say=functools.partial(self._health.note, "status"),
            refresh=self._northbound.wake.set,
        )
        self._writers = KubernetesWriters(status, events)
        self._choose_writers()
        schema = watch_schema(client, options.absence, self._fields_lost, source.list_again)
        await self._work(source.run(sink), status.run(), events.run(), schema)

    def _fields_lost(self, fields: tuple[str, ...]) -> None:
        """Take which fields of policies the API server drops."""
        self._metrics.status.lost_fields(fields)
        self._rounds.publisher.fields_lost(fields)
        self._northbound.wake.set()

    def _manifests_say(self, problem: str) -> None:
        """Take what is wrong with the manifests, if anything."""
        if problem:
            self._health.wait_for("manifests", problem)
        else:
            self._health.has("manifests")

    def _condition_changed(self, policy: NetworkQoS, old: Condition | None, new: Condition) -> None:
        if self._rounds.publisher.writers.events is not None:
            self._rounds.publisher.writers.events.condition_changed(policy, old, new)

    def _choose_writers(self) -> None:
        """Tell Kubernetes what the configuration wants it to be told."""
        wanted = self._config.status
        self._rounds.publisher.use(
            KubernetesWriters(
                self._writers.status if wanted.enabled else None,
                self._writers.events if wanted.enabled and wanted.events else None,
            )
        )

    async def _work(self, *parts: Coroutine[object, object, None]) -> None:
        """Run all parts until this is cancelled, or until one of them fails."""
        work = {
            "northbound": self._northbound.run(),
            "rounds": self._rounds.run(),
            "watchdog": watchdog(self._notifier, self._health),
            "loop": self._metrics.loop.run(),
            "reload": self._reload_for_ever(),
        } | dict(zip(("informers", "status", "events", "schema"), parts, strict=False))
        async with asyncio.TaskGroup() as group:
            for name, part in work.items():
                self._health.supervise(name, group.create_task(part, name=name))
            self._notifier.ready()

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        """Serve the status page, /metrics and the probes meanwhile, if that is wanted."""
        section = self._config.http
        if section.address is None:
            yield
            return
        host, port = section.address
        options = HttpOptions(host, port, section.certificate, section.private_key, section.bearer_token_file)
        state = DaemonState(
            self._rounds,
            self._northbound,
            self._health,
            self._metrics.registry,
            self._config.northbound.lock,
            exporters=endpoint_options(self._config) if self._config.stats.endpoints else None,
        )
        self._http = HttpServer(
            options, self._metrics.registry, self._health, state, functools.partial(self._notifier.status, "http")
        )
        async with self._http.serving():
            yield

    async def _reload_for_ever(self) -> None:
        """At each SIGHUP read the configuration again, and use what can be changed while running."""
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            self._notifier.reloading()
            try:
                change = diff(self._config, await asyncio.to_thread(self._read_again))
            except ConfigError as error:
                self._metrics.config_reloaded(applied=False)
                _log.error("the configuration was not reloaded; the old one stays in effect", why=str(error))
            else:
                self._use(change)
            self._notifier.ready()

    def _use(self, change: Reload) -> None:
        self._config = change.config
        logs.configure(self._config.log.level, self._config.log.format)
        self._rounds.options = round_options(self._config)
        section = self._config.northbound
        self._northbound.tune(
            transaction_timeout=section.transaction_timeout,
            detach_after=section.detach_after,
            audit_interval=section.audit_interval,
        )
        self._health.transaction_timeout = section.transaction_timeout
        self._choose_writers()
        self._northbound.wake.set()
        if self._http is not None:
            self._http.renew_certificate()
        self._metrics.config_reloaded(applied=True)
        _log.info("configuration reloaded", applied=change.applied, needs_restart=change.needs_restart)


class _DatabaseWatch(Observer):
    """The observer of the database: what is known about it goes to metrics, health and systemd."""

    def __init__(self, metrics: NorthboundMetrics, health: Health, notifier: Notifier) -> None:
        self.metrics = metrics
        self.health = health
        self.notifier = notifier

    def facts(self, facts: DatabaseFacts) -> None:
        """Take what is known now."""
        self.metrics.facts(facts)
        if facts.synced:
            self.health.has("northbound")
            if facts.other_holder:
                self.health.wait_for("lock", facts.other_holder)
            else:
                self.health.has("lock")
            self.health.role = LockRole.ACTIVE if facts.lock_held else LockRole.STANDBY
        else:
            self.health.wait_for("northbound", facts.problem or "not in step with the database yet")
            self.health.role = LockRole.UNKNOWN
        self.notifier.status("northbound", f"{self.health.role}, {facts.remote or 'no database'}")

    def transaction(self, outcome: RoundOutcome, operations: Mapping[str, int], seconds: float) -> None:
        """Take a transaction."""
        self.metrics.transaction(outcome, operations, seconds)

    def repaired(self, number: int) -> None:
        """Take the number of rows and sets that were put right."""
        self.metrics.repaired(number)
