"""Metrics of rounds and of what the daemon knows: policies, objects, selections, latencies.

In: what `nqosd.daemon` reports after each round. Out: series `nqosd_…`. Rule: the latency of an event is counted once,
when the transaction that carries its effect has been committed, and never for events that changed nothing.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nqosd.northbound.results import RoundOutcome
from nqosd.telemetry.gauges import GaugeFamily

DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RoundMetrics:
    """Rounds, and the state after the last one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rounds = Counter(
            "nqosd_rounds", "Rounds by outcome; a growing number of refused or timed_out ones needs a look at the log.",
            ["outcome"], registry=registry,
        )  # fmt: skip
        self._rounds_by_outcome = {outcome: self._rounds.labels(outcome.value) for outcome in RoundOutcome}
        self._duration = Histogram(
            "nqosd_round_duration_seconds", "Time of a round, from taking the changes to the end of its transaction.",
            registry=registry, buckets=DURATIONS,
        )  # fmt: skip
        self._latency = Histogram(
            "nqosd_event_to_commit_seconds",
            "Time from the arrival of a change from Kubernetes to the commit of its effect in the Northbound database.",
            registry=registry, buckets=LATENCIES,
        )  # fmt: skip
        self._differences = Counter(
            "nqosd_compile_differences",
            "Rounds whose incremental result wasn't that of a full compilation (option check_compile); report it.",
            registry=registry,
        )
        self._objects = GaugeFamily(registry, "nqosd_objects", "Objects in the cache by kind.", "kind")
        self._left_out = GaugeFamily(
            registry, "nqosd_left_out_objects",
            "Objects that are left out by kind, because the compiler fails on them; the log names them; report it.",
            "kind",
        )  # fmt: skip
        self._policies = GaugeFamily(
            registry, "nqosd_policies",
            "NetworkQoS policies by state, which is the reason of their condition; Applied and NoSourcePods are well; "
            "none on a standby.",
            "state",
        )  # fmt: skip
        self._desired = GaugeFamily(
            registry, "nqosd_desired_rows",
            "Rows that policies ask for by table. The replica may differ for a while: a missing switch is waited "
            "for, and a row that lost its pods is detached later.",
            "table",
        )  # fmt: skip
        self._selections = Gauge(
            "nqosd_selections", "Distinct selections of pods that policies refer to.", registry=registry
        )
        self._unconverged = Gauge(
            "nqosd_unconverged_seconds",
            "Age of the oldest change, from Kubernetes or the database, that isn't in the database; "
            "on a standby 0 as long as whoever holds the lock writes.",
            registry=registry,
        )
        self._out_of_touch = Gauge(
            "nqosd_out_of_touch_seconds",
            "For how long changes may have gone unheard, because the API server doesn't answer a watch; 0 in touch.",
            registry=registry,
        )

    def ask(
        self,
        *,
        unconverged: Callable[[], float],
        out_of_touch: Callable[[], float],
        objects: Callable[[], Mapping[str, int]],
        left_out: Callable[[], Mapping[str, int]],
        desired: Callable[[], Mapping[str, int]],
        selections: Callable[[], float],
    ) -> None:
        """Ask these whenever the metrics are read, from another thread."""
        self._unconverged.set_function(unconverged)
        self._out_of_touch.set_function(out_of_touch)
        self._objects.ask(objects)
        self._left_out.ask(left_out)
        self._desired.ask(desired)
        self._selections.set_function(selections)

    def ended(self, outcome: RoundOutcome, seconds: float) -> None:
        """Count a round that took so many seconds."""
        self._rounds_by_outcome[outcome].inc()
        self._duration.observe(seconds)

    def committed(self, latencies: Iterable[float]) -> None:
        """Count, for each change of a round that was committed, the seconds since it had arrived."""
        for seconds in latencies:
            self._latency.observe(seconds)

    def compile_differs(self) -> None:
        """Count a round in which the incremental result was not that of a full compilation."""
        self._differences.inc()

    def policies(self, by_state: Mapping[str, int]) -> None:
        """Set the numbers of policies in each state."""
        self._policies.set(by_state)
