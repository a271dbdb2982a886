"""Metrics of what is written back to Kubernetes; it implements the observers of `nqosd.status`."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from nqosd.telemetry.gauges import GaugeFamily

STATUS_RESULTS = ("written", "refused", "gone")
EVENT_RESULTS = ("written", "limited", "dropped", "refused")


class StatusMetrics:
    """Status writes and Events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._writes = Counter(
            "nqosd_status_writes",
            "Attempts to write the status of a NetworkQoS by result: refused ones are tried again, see the log; "
            "gone means that the object was deleted or replaced.",
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
        for result in STATUS_RESULTS:
            self._writes.labels(result)
        for result in EVENT_RESULTS:
            self._events.labels(result)

    def status_write(self, result: str) -> None:
        """Count an attempt to write a status."""
        self._writes.labels(result).inc()

    def status_pending(self, number: int) -> None:
        """Set the number of policies that wait."""
        self._pending.set(number)

    def event(self, result: str) -> None:
        """Count an Event."""
        self._events.labels(result).inc()

    def lost_fields(self, fields: Iterable[str]) -> None:
        """Take which fields the API server drops."""
        self._lost.set(dict.fromkeys(fields, 1))
