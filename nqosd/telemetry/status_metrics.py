"""Metrics of what is written back to Kubernetes; it implements the observers of `nqosd.status`."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from nqosd.status.summariser import Summed
from nqosd.telemetry.gauges import GaugeFamily

REPORT_RESULTS = ("answered", "refused")
STATUS_RESULTS = ("written", "refused", "gone", "undone")
EVENT_RESULTS = ("written", "limited", "dropped", "refused")


class StatusMetrics:
    """Status writes and Events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._writes = Counter(
            "nqosd_status_writes",
            "Attempts to write the status of a NetworkQoS by result: refused ones are tried again, see the log; "
            "gone means that the object was deleted, replaced or changed meanwhile; undone, besides written, that "
            "somebody else had changed what was written before.",
            ["result"], registry=registry,
        )  # fmt: skip
        self._pending = Gauge(
            "nqosd_status_pending", "NetworkQoS policies whose status waits to be written.", registry=registry
        )
        self._events = Counter(
            "nqosd_events",
            "Kubernetes Events by result: limited if a policy had too many, dropped if too many waited in all.",
            ["result"], registry=registry,
        )  # fmt: skip
        self._lost = GaugeFamily(
            registry, "nqosd_crd_lost_fields",
            "1 for each field that the API server drops from NetworkQoS objects, because it serves another "
            "CustomResourceDefinition than nqosd's.",
            "field",
        )  # fmt: skip
        self._reports = Counter(
            "nqosd_zone_reports",
            "Requests about Leases, in which zones report, by result: refused ones are tried again, see the log.",
            ["result"], registry=registry,
        )  # fmt: skip
        self._zones = Gauge(
            "nqosd_zones",
            "Zones as the daemon that sums up sees them: reporting, silent for a minute, or missing because they never "
            "reported. 0 in all other daemons.",
            ["state"], registry=registry,
        )  # fmt: skip
        self._sums_up = Gauge(
            "nqosd_status_summing", "Whether this daemon sums up the status of all policies.", registry=registry
        )
        for result in REPORT_RESULTS:
            self._reports.labels(result)
        self.summed(None)
        for result in STATUS_RESULTS:
            self._writes.labels(result)
        for result in EVENT_RESULTS:
            self._events.labels(result)

    def status_write(self, result: str) -> None:
        """Count an attempt to write a status."""
        self._writes.labels(result).inc()

    def zone_report(self, result: str) -> None:
        """Count a request about Leases."""
        self._reports.labels(result).inc()

    def summed(self, summed: Summed | None) -> None:
        """Set what a look at all zones came to."""
        self._sums_up.set(summed is not None)
        zones = summed or Summed(0, 0, 0)
        self._zones.labels("reporting").set(zones.reporting)
        self._zones.labels("silent").set(zones.silent)
        self._zones.labels("missing").set(zones.missing)

    def status_pending(self, number: int) -> None:
        """Set the number of policies that wait."""
        self._pending.set(number)

    def event(self, result: str) -> None:
        """Count an Event."""
        self._events.labels(result).inc()

    def lost_fields(self, fields: Iterable[str]) -> None:
        """Take which fields the API server drops."""
        self._lost.set(dict.fromkeys(fields, 1))
