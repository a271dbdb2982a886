"""Metrics of what is written back to Kubernetes; it implements the observers of `nqosd.status`."""

from prometheus_client import CollectorRegistry, Counter, Gauge

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
