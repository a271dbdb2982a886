"""Series of rules come, follow the limit, and go an hour after the last row."""

from nqosd.ovsdb.remotes import Remote
from nqosd.statistics.chassis import StatsOptions
from nqosd.statistics.exporter import KEPT, Exporter
from nqosd.statistics.figures import Figures
from nqosd.statistics.rule_metrics import StatsMetrics
from nqosd.statistics.rules import Rule
from nqosd.web.server import HttpOptions

RULE = Rule("shop", "gold", 2, "blue")
LABELS = {"namespace": "shop", "policy": "gold", "rule": "2", "network": "blue", "node": "n"}
NOWHERE = (Remote("unix:/nonexistent"),)


def value(metrics: StatsMetrics, name: str) -> float | None:
    """Give the value of the rule's series."""
    return metrics.registry.get_sample_value(f"nqosd_rule_{name}", LABELS)


def test_gains_are_added() -> None:
    """Each counter grows by its own gain; the first look at a rule without any makes series of 0."""
    metrics = StatsMetrics("n")
    metrics.rules.gained(RULE, Figures(), None)
    assert value(metrics, "marked_packets_total") == 0
    metrics.rules.gained(RULE, Figures(1, 2, 3, 4, 5, 6), None)
    metrics.rules.gained(RULE, Figures(1, 2, 3, 4, 5, 6), None)
    names = ("marked_packets", "marked_bytes", "passed_packets", "passed_bytes", "dropped_packets", "dropped_bytes")
    assert [value(metrics, f"{name}_total") for name in names] == [2, 4, 6, 8, 10, 12]


def test_the_limit_follows_the_rule() -> None:
    """A limit is shown while the rule has one, and no longer."""
    metrics = StatsMetrics("n")
    for limit in (None, 1000, 2000, None, None):
        metrics.rules.gained(RULE, Figures(), limit)
        assert value(metrics, "limit_bytes_per_second") == limit


def test_series_go_an_hour_after_the_last_row() -> None:
    """A rule that has rows keeps its series, and so does one that lost them less than an hour ago."""
    exporter = Exporter(StatsOptions(NOWHERE, NOWHERE, "/nonexistent", "", "nqosd", "n", 5.0, HttpOptions()))
    exporter._metrics.rules.gained(RULE, Figures(7), 1000)
    exporter._last_row[RULE] = 0.0
    exporter._forget({RULE: None}, 100.0)
    exporter._forget({}, 100.0 + KEPT - 1)
    assert value(exporter._metrics, "marked_packets_total") == 7
    exporter._forget({}, 100.0 + KEPT + 1)
    assert value(exporter._metrics, "marked_packets_total") is None
    assert value(exporter._metrics, "limit_bytes_per_second") is None
