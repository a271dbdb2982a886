"""All metrics of the daemon, in a registry of their own.

In: what the parts report, each to its own group. Out: `registry`, which /metrics writes out. Rule: nothing is global;
two daemons in one process, as in tests, don't mix their numbers. Names and units follow Prometheus: `nqosd_…`, counters
end in `_total`, durations are in seconds.
"""

import platform

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, ProcessCollector

from nqosd import __version__
from nqosd.ovsdb.overrides import VERSION
from nqosd.telemetry.informer_metrics import InformerMetrics
from nqosd.telemetry.loop_metrics import LoopMetrics
from nqosd.telemetry.northbound_metrics import NorthboundMetrics
from nqosd.telemetry.round_metrics import RoundMetrics
from nqosd.telemetry.status_metrics import StatusMetrics


class Metrics:
    """The groups, each with the methods that its part of the daemon calls."""

    def __init__(self) -> None:
        # for the whole process, but it only drops the second series that each counter would have
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # the library doesn't type it
        self.registry = CollectorRegistry()
        self.informers = InformerMetrics(self.registry)
        self.northbound = NorthboundMetrics(self.registry)
        self.rounds = RoundMetrics(self.registry)
        self.status = StatusMetrics(self.registry)
        self.loop = LoopMetrics(self.registry)
        self._build = Gauge(
            "nqosd_build_info", "Always 1; the labels say which versions run.",
            ["version", "python", "ovs"], registry=self.registry,
        )  # fmt: skip
        self._build.labels(__version__, platform.python_version(), VERSION).set(1)
        self._reloads = Counter(
            "nqosd_config_reloads", "Reloads of the configuration by result; one that failed changed nothing.",
            ["result"], registry=self.registry,
        )  # fmt: skip
        for result in ("applied", "failed"):
            self._reloads.labels(result)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def config_reloaded(self, *, applied: bool) -> None:
        """Count a reload of the configuration."""
        self._reloads.labels("applied" if applied else "failed").inc()
