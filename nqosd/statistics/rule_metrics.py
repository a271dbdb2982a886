"""Counters by rule, and how well they can be read, for Prometheus.

In: what rules gained. Out: series with the labels namespace, policy, rule, network and node. Rule: a series begins at 0
when the rule has flows on this chassis, only grows, and goes when the rule has had no row for an hour.
"""

from collections.abc import Set as AbstractSet

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from nqosd import __version__
from nqosd.statistics.figures import Figures
from nqosd.statistics.rules import Rule

LABELS = ("namespace", "policy", "rule", "network", "node")
DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RuleMetrics:
    """What the rules did."""

    def __init__(self, registry: CollectorRegistry, node: str) -> None:
        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"nqosd_rule_{name}", meaning, LABELS, registry=registry)

        self._node = node
        self._limited: set[Rule] = set()
        self._marked_packets = counter(
            "marked_packets", "Packets that met the rule's mark, those included that its limit then dropped."
        )
        self._marked_bytes = counter("marked_bytes", "Bytes of these packets, from the Ethernet header on.")
        self._passed_packets = counter("passed_packets", "Packets that the rule's limit let through.")
        self._passed_bytes = counter("passed_bytes", "Bytes of these packets, from the Ethernet header on.")
        self._dropped_packets = counter("dropped_packets", "Packets that the rule's limit dropped.")
        self._dropped_bytes = counter("dropped_bytes", "Bytes of these packets, from the Ethernet header on.")
        self._limit = Gauge(
            "nqosd_rule_limit_bytes_per_second",
            "The limit of a rule that has flows here: of its pods on this node together, or of each (scope Pod).",
            LABELS, registry=registry,
        )  # fmt: skip
        self._meter_missing = Gauge(
            "nqosd_rule_meter_missing",
            "1 while the bridge has no meter for a rule's limit, which isn't enforced here then; else 0.",
            LABELS, registry=registry,
        )  # fmt: skip
        self._counters = (
            self._marked_packets, self._marked_bytes, self._passed_packets, self._passed_bytes, self._dropped_packets,
            self._dropped_bytes,
        )  # fmt: skip

    def gained(self, rule: Rule, gain: Figures, limit: int | None) -> None:
        """Take what a rule gained, and its limit in bytes per second."""
        labels = self._labels(rule)
        for counter, amount in zip(self._counters, gain.amounts, strict=True):
            counter.labels(*labels).inc(amount)
        if limit is not None:
            self._limit.labels(*labels).set(limit)
            self._meter_missing.labels(*labels)
            self._limited.add(rule)
        elif rule in self._limited:
            self._forget_limit(rule)

    def without_meter(self, rules: AbstractSet[Rule]) -> None:
        """Note which of the rules with a limit have no meter."""
        for rule in self._limited:
            self._meter_missing.labels(*self._labels(rule)).set(rule in rules)

    def forget(self, rule: Rule) -> None:
        """Drop the series of a rule."""
        for counter in self._counters:
            counter.remove(*self._labels(rule))
        if rule in self._limited:
            self._forget_limit(rule)

    def _forget_limit(self, rule: Rule) -> None:
        self._limited.discard(rule)
        for gauge in (self._limit, self._meter_missing):
            gauge.remove(*self._labels(rule))

    def _labels(self, rule: Rule) -> tuple[str, ...]:
        return rule.namespace, rule.policy, str(rule.index), rule.network, self._node


class ReadingMetrics:
    """How the readings go."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._readings = Counter(
            "nqosd_stats_readings", "Readings of the bridge's counters by result; the log says why one failed.",
            ["result"], registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "nqosd_stats_reading_duration_seconds", "Time of a reading of the bridge's counters.",
            registry=registry, buckets=DURATIONS,
        )  # fmt: skip
        self._last = Gauge(
            "nqosd_stats_last_reading_timestamp_seconds", "Unix time of the last reading that was done; 0 before it.",
            registry=registry,
        )  # fmt: skip
        self._connected = Gauge(
            "nqosd_stats_connected", "1 while a database is followed; while it isn't, new rules aren't counted.",
            ["database"], registry=registry,
        )  # fmt: skip
        self._meters = Gauge(
            "nqosd_stats_meters", "Meters that the bridge has, of rules and of others.", registry=registry
        )
        self._meter_limit = Gauge(
            "nqosd_stats_meters_limit", "Meters that the bridge says it can have; 0: no limit works on this chassis.",
            registry=registry,
        )  # fmt: skip
        self._controller = Gauge(
            "nqosd_stats_controller_answers",
            "1 while ovn-controller says which meters it wants; else those that the bridge refuses go unnoticed.",
            registry=registry,
        )  # fmt: skip
        for result in ("done", "failed"):
            self._readings.labels(result)
        for database in ("northbound", "southbound"):
            self._connected.labels(database)

    def done(self, seconds: float, moment: float) -> None:
        """Count a reading that took so long, and was there at a moment of Unix time."""
        self._readings.labels("done").inc()
        self._duration.observe(seconds)
        self._last.set(moment)

    def failed(self) -> None:
        """Count a reading that failed."""
        self._readings.labels("failed").inc()

    def meters(self, present: int, limit: int, controller: str) -> None:
        """Note how many meters there are and can be, and why ovn-controller can't be asked, empty if it can."""
        self._meters.set(present)
        self._meter_limit.set(limit)
        self._controller.set(not controller)

    def connected(self, database: str, *, yes: bool) -> None:
        """Note whether a database is followed."""
        self._connected.labels(database).set(yes)


class StatsMetrics:
    """All metrics of `nqosd stats`, in a registry of their own."""

    def __init__(self, node: str) -> None:
        # for the whole process, but it only drops the second series that each counter would have
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # the library doesn't type it
        self.registry = CollectorRegistry()
        self.rules = RuleMetrics(self.registry, node)
        self.readings = ReadingMetrics(self.registry)
        self._build = Gauge(
            "nqosd_stats_build_info", "Always 1; the labels say which version runs on which node.",
            ["version", "node"], registry=self.registry,
        )  # fmt: skip
        self._build.labels(__version__, node).set(1)
        ProcessCollector(registry=self.registry)
