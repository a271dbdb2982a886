"""Metrics of the Northbound database; it implements the observer of `nqosd.northbound`."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nqosd.northbound.plan.operations import OperationKind
from nqosd.northbound.results import DatabaseFacts, RoundOutcome
from nqosd.telemetry.gauges import GaugeFamily

COMMITS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OF_SUBJECTS = ("row", "set", "switch", "record")
OF_TRANSACTIONS = (
    RoundOutcome.COMMITTED,
    RoundOutcome.REFUSED,
    RoundOutcome.LOST_LOCK,
    RoundOutcome.TIMED_OUT,
    RoundOutcome.DISCONNECTED,
)


class NorthboundMetrics:
    """The connection, the replica and the transactions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connected = Gauge(
            "nqosd_northbound_connected", "1 while connected to the Northbound database (of a cluster: to its leader).",
            registry=registry,
        )  # fmt: skip
        self._synced = Gauge(
            "nqosd_northbound_synced", "1 while the replica is in step with the database.", registry=registry
        )
        self._lock = Gauge(
            "nqosd_lock_held", "1 while this daemon holds the lock and so is the one that writes; 0 on a standby.",
            registry=registry,
        )  # fmt: skip
        self._info = Gauge(
            "nqosd_northbound_info", "Always 1; the labels say which database it is.",
            ["remote", "zone", "northd_version"], registry=registry,
        )  # fmt: skip
        self._rows = GaugeFamily(
            registry, "nqosd_replica_rows", "Rows in the replica of the Northbound database by table.", "table"
        )
        self._theirs = Gauge(
            "nqosd_ovn_kubernetes_rows",
            "QoS rows that ovn-kubernetes' own NetworkQoS controller has in the database; they act where ours don't.",
            registry=registry,
        )
        self._transactions = Counter(
            "nqosd_transactions",
            "Transactions by result; after any but a committed one everything it was about is compared again.",
            ["result"], registry=registry,
        )  # fmt: skip
        self._operations = Counter(
            "nqosd_operations", "Operations in committed transactions by kind; converged means that none is added.",
            ["kind"], registry=registry,
        )  # fmt: skip
        self._commit = Histogram(
            "nqosd_transaction_duration_seconds", "Time from sending a transaction to its answer.",
            registry=registry, buckets=COMMITS,
        )  # fmt: skip
        self._last_commit = Gauge(
            "nqosd_last_commit_timestamp_seconds", "Unix time of the last transaction that was committed; 0 before it.",
            registry=registry,
        )  # fmt: skip
        self._blocked = GaugeFamily(
            registry,
            "nqosd_blocked_objects",
            "Rows, sets and logical switches that the database refuses and that are left out, by kind; the log and the "
            "policies' conditions have its words.",
            "kind",
        )
        self._contested = Gauge(
            "nqosd_contested_objects",
            "Rows and sets that wait, or that were just written once more, because somebody else undoes again and "
            "again what is written there; the log has their names and what to look for.",
            registry=registry,
        )  # fmt: skip
        self._repaired = Counter(
            "nqosd_repaired_rows",
            "Rows and sets that somebody else had changed or deleted, and that were put right; look for who does that.",
            registry=registry,
        )
        for outcome in OF_TRANSACTIONS:
            self._transactions.labels(outcome.value)
        self._operations_by_kind = {kind.value: self._operations.labels(kind.value) for kind in OperationKind}
        self._blocked.set(dict.fromkeys(OF_SUBJECTS, 0))

    def ask(
        self,
        *,
        rows: Callable[[], Mapping[str, int]],
        blocked: Callable[[], Mapping[str, int]],
        contested: Callable[[], float],
    ) -> None:
        """Ask these whenever the metrics are read, from another thread."""
        self._rows.ask(rows)
        self._blocked.ask(blocked)
        self._contested.set_function(contested)

    def facts(self, facts: DatabaseFacts) -> None:
        """Take what is known of the database now."""
        self._connected.set(facts.connected)
        self._synced.set(facts.synced)
        self._lock.set(facts.lock_held)
        self._theirs.set(sum(facts.theirs.values()))
        self._info.clear()
        if facts.connected:
            self._info.labels(facts.remote, facts.zone or "", facts.northd_version or "").set(1)

    def transaction(self, outcome: RoundOutcome, operations: Mapping[str, int], seconds: float) -> None:
        """Count a transaction; its operations count only if it was committed."""
        self._transactions.labels(outcome.value).inc()
        self._commit.observe(seconds)
        if outcome is RoundOutcome.COMMITTED:
            self._last_commit.set_to_current_time()
            for kind, number in operations.items():
                self._operations_by_kind[kind].inc(number)

    def repaired(self, number: int) -> None:
        """Count rows and sets that were put right."""
        self._repaired.inc(number)
