"""Metrics follow the conventions of Prometheus and count what they say."""

import asyncio
import re
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nqosd.api.changes import ResourceKind
from nqosd.informers.transitions import RequestOutcome
from nqosd.northbound.plan.operations import OperationKind
from nqosd.northbound.results import DatabaseFacts, RoundOutcome
from nqosd.status.events import EventObserver
from nqosd.status.writer import StatusObserver
from nqosd.telemetry.metrics import Metrics
from nqosd.telemetry.status_metrics import StatusMetrics

OF_STATUS: type[StatusObserver] = StatusMetrics
OF_EVENTS: type[EventObserver] = StatusMetrics


def value(registry: CollectorRegistry, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    """Read one series."""
    return registry.get_sample_value(name, dict(labels or {}))


def test_names_units_and_help() -> None:
    """Every family has a prefix, a base unit where it has one, and a help text that is a sentence; none comes twice."""
    text = generate_latest(Metrics().registry).decode()
    names = re.findall(r"^# TYPE (\S+) (\S+)$", text, flags=re.MULTILINE)
    assert len(names) == len(dict(names)) > 20
    for name, kind in names:
        assert re.fullmatch(r"(nqosd|process|python)_[a-z_]+", name)
        assert not name.endswith("_created"), "the library's second series for each counter"
        assert name.endswith("_total") == (kind == "counter"), name
        assert (kind != "histogram") or name.endswith("_seconds"), name
    for name, meaning in re.findall(r"^# HELP (nqosd_\S+) (.*)$", text, flags=re.MULTILINE):
        assert len(meaning.split()) >= 5, f"{name} is not explained"
        assert meaning.endswith(".") or ";" in meaning, name


def test_known_series_exist_before_they_count() -> None:
    """A counter with known label values starts at 0, so that its first increase is seen as one."""
    registry = Metrics().registry
    assert value(registry, "nqosd_rounds_total", {"outcome": "refused"}) == 0
    assert value(registry, "nqosd_status_writes_total", {"result": "refused"}) == 0
    assert value(registry, "nqosd_events_total", {"result": "dropped"}) == 0
    assert value(registry, "nqosd_decode_problems_total", {"kind": "Pod"}) == 0
    assert value(registry, "nqosd_synced", {"kind": "NetworkQoS"}) == 0
    assert value(registry, "nqosd_config_reloads_total", {"result": "failed"}) == 0
    assert value(registry, "nqosd_last_commit_timestamp_seconds") == 0


def test_rounds() -> None:
    """A round counts by outcome and takes its time; each change counts with its own latency."""
    metrics = Metrics()
    metrics.rounds.ended(RoundOutcome.UNCHANGED, 0.0004)
    metrics.rounds.ended(RoundOutcome.COMMITTED, 0.02)
    metrics.rounds.committed([0.0009, 0.004, 31.0])
    assert value(metrics.registry, "nqosd_rounds_total", {"outcome": "committed"}) == 1
    assert value(metrics.registry, "nqosd_rounds_total", {"outcome": "unchanged"}) == 1
    assert value(metrics.registry, "nqosd_round_duration_seconds_count") == 2
    assert value(metrics.registry, "nqosd_round_duration_seconds_bucket", {"le": "0.0005"}) == 1
    assert value(metrics.registry, "nqosd_event_to_commit_seconds_bucket", {"le": "0.001"}) == 1
    assert value(metrics.registry, "nqosd_event_to_commit_seconds_bucket", {"le": "30.0"}) == 2
    assert value(metrics.registry, "nqosd_event_to_commit_seconds_count") == 3


def test_transactions() -> None:
    """A transaction counts by result; operations and the time of the last commit are those of committed ones."""
    metrics = Metrics()
    insert = OperationKind.ROW_INSERT.value
    metrics.northbound.transaction(RoundOutcome.REFUSED, {insert: 5}, 0.01)
    assert value(metrics.registry, "nqosd_operations_total", {"kind": insert}) == 0
    assert value(metrics.registry, "nqosd_last_commit_timestamp_seconds") == 0
    metrics.northbound.transaction(RoundOutcome.COMMITTED, {insert: 2}, 0.01)
    metrics.northbound.repaired(3)
    metrics.northbound.ask(rows=dict, blocked=lambda: {"row": 2}, contested=lambda: 1)
    assert value(metrics.registry, "nqosd_transactions_total", {"result": "refused"}) == 1
    assert value(metrics.registry, "nqosd_transactions_total", {"result": "committed"}) == 1
    assert value(metrics.registry, "nqosd_operations_total", {"kind": insert}) == 2
    assert value(metrics.registry, "nqosd_transaction_duration_seconds_count") == 2
    assert value(metrics.registry, "nqosd_repaired_rows_total") == 3
    assert value(metrics.registry, "nqosd_blocked_objects", {"kind": "row"}) == 2
    assert value(metrics.registry, "nqosd_blocked_objects", {"kind": "set"}) == 0
    last = value(metrics.registry, "nqosd_last_commit_timestamp_seconds")
    assert last is not None
    assert abs(last - time.time()) < 60


def test_the_database() -> None:
    """Connection, role and rows show as they are now, and the database is named only while connected to it."""
    metrics = Metrics()
    info = {"remote": "unix:/x", "zone": "node-1", "northd_version": "25.03.0"}
    known = DatabaseFacts(
        connected=True, synced=True, lock_held=True, remote="unix:/x", zone="node-1", northd_version="25.03.0"
    )
    metrics.northbound.facts(known)
    metrics.northbound.ask(rows=lambda: {"QoS": 4, "Address_Set": 9}, blocked=dict, contested=int)
    assert value(metrics.registry, "nqosd_northbound_connected") == 1
    assert value(metrics.registry, "nqosd_northbound_synced") == 1
    assert value(metrics.registry, "nqosd_lock_held") == 1
    assert value(metrics.registry, "nqosd_northbound_info", info) == 1
    assert value(metrics.registry, "nqosd_replica_rows", {"table": "QoS"}) == 4
    metrics.northbound.facts(DatabaseFacts(problem="connection refused"))
    assert value(metrics.registry, "nqosd_northbound_connected") == 0
    assert value(metrics.registry, "nqosd_lock_held") == 0
    assert value(metrics.registry, "nqosd_northbound_info", info) is None


def test_a_check_that_differs_counts() -> None:
    """The debugging option's finding is a counter that should stay 0."""
    metrics = Metrics()
    metrics.rounds.compile_differs()
    assert value(metrics.registry, "nqosd_compile_differences_total") == 1


def test_a_state_without_policies_is_zero() -> None:
    """Families are set or asked as a whole: one that no policy is in any more shows 0, not its last number."""
    metrics = Metrics()
    metrics.rounds.policies({"Applied": 3, "Invalid": 1})
    metrics.rounds.policies({"Applied": 4})
    left_out = {"NetworkQoS": 1}
    metrics.rounds.ask(
        unconverged=float,
        out_of_touch=float,
        objects=lambda: {"Pod": 7},
        left_out=lambda: left_out,
        desired=lambda: {"QoS": 5, "Port_Group": 0},
        selections=lambda: 2,
    )
    assert value(metrics.registry, "nqosd_left_out_objects", {"kind": "NetworkQoS"}) == 1
    left_out = {}
    assert value(metrics.registry, "nqosd_left_out_objects", {"kind": "NetworkQoS"}) == 0
    assert value(metrics.registry, "nqosd_policies", {"state": "Applied"}) == 4
    assert value(metrics.registry, "nqosd_policies", {"state": "Invalid"}) == 0
    assert value(metrics.registry, "nqosd_objects", {"kind": "Pod"}) == 7
    assert value(metrics.registry, "nqosd_desired_rows", {"table": "QoS"}) == 5
    assert value(metrics.registry, "nqosd_selections") == 2


def test_informers() -> None:
    """Lists, restarts, objects and missing resources count by kind."""
    metrics = Metrics()
    pods = {"kind": "Pod"}
    unsynced = set(ResourceKind)
    metrics.informers.ask(unsynced)
    metrics.informers.listed(ResourceKind.POD, 1000, 0.3)
    assert value(metrics.registry, "nqosd_synced", pods) == 0, "another watch of pods may have told nothing yet"
    unsynced.remove(ResourceKind.POD)
    metrics.informers.watch_restarted(ResourceKind.POD, RequestOutcome.BROKEN)
    metrics.informers.events(ResourceKind.POD, 1000)
    metrics.informers.events(ResourceKind.POD, 1)
    metrics.informers.undecodable(ResourceKind.POD)
    metrics.informers.installed(ResourceKind.USER_DEFINED_NETWORK, is_installed=False)
    assert value(metrics.registry, "nqosd_synced", pods) == 1
    assert value(metrics.registry, "nqosd_list_duration_seconds_sum", pods) == 0.3
    assert value(metrics.registry, "nqosd_watch_restarts_total", {**pods, "reason": "broken"}) == 1
    assert value(metrics.registry, "nqosd_events_received_total", pods) == 1001
    assert value(metrics.registry, "nqosd_decode_problems_total", pods) == 1
    assert value(metrics.registry, "nqosd_resource_installed", {"kind": "UserDefinedNetwork"}) == 0


def test_status_and_events() -> None:
    """Writes and Events count by result, and those that wait are a gauge."""
    metrics = Metrics()
    metrics.status.status_write("written")
    metrics.status.status_pending(3)
    metrics.status.event("limited")
    assert value(metrics.registry, "nqosd_status_writes_total", {"result": "written"}) == 1
    assert value(metrics.registry, "nqosd_status_pending") == 3
    assert value(metrics.registry, "nqosd_events_total", {"result": "limited"}) == 1


def test_reloads() -> None:
    """Reloads count by whether they could be applied."""
    metrics = Metrics()
    metrics.config_reloaded(applied=True)
    metrics.config_reloaded(applied=False)
    metrics.config_reloaded(applied=False)
    assert value(metrics.registry, "nqosd_config_reloads_total", {"result": "applied"}) == 1
    assert value(metrics.registry, "nqosd_config_reloads_total", {"result": "failed"}) == 2


def test_two_daemons_count_apart() -> None:
    """Nothing is shared between two sets of metrics."""
    one, other = Metrics(), Metrics()
    one.status.status_write("written")
    assert value(other.registry, "nqosd_status_writes_total", {"result": "written"}) == 0


def test_the_process_shows_itself() -> None:
    """Memory, descriptors, processor time and versions of this process are among the series."""
    text = generate_latest(Metrics().registry).decode()
    samples = {sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples}
    assert samples["process_resident_memory_bytes"].value > 1_000_000
    assert samples["process_open_fds"].value > 2
    assert samples["process_start_time_seconds"].value > time.time() - 86_400
    assert set(samples["nqosd_build_info"].labels) == {"version", "python", "ovs"}


async def test_a_blocked_loop_shows() -> None:
    """The lag of the loop is the time for which something has blocked it."""
    metrics = Metrics()
    task = asyncio.create_task(metrics.loop.run(interval=0.02))
    await asyncio.sleep(0.05)
    time.sleep(0.3)  # noqa: ASYNC251 - the fault itself
    await asyncio.sleep(0.05)
    task.cancel()
    total = value(metrics.registry, "nqosd_event_loop_lag_seconds_sum")
    count = value(metrics.registry, "nqosd_event_loop_lag_seconds_count")
    assert total is not None
    assert count is not None
    assert total > 0.25
    assert count >= 2
