"""`docs/metrics.md`: every metric of the daemon, and of the exporter of statistics.

In: the registries of a daemon and an exporter that have counted nothing yet. Out: the page. Rule: names, types,
labels, buckets and meaning are those that /metrics gives; this file knows none of them.
"""

import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics import MetricWrapperBase

from nqosd.statistics.rule_metrics import StatsMetrics
from nqosd.telemetry.gauges import GaugeFamily
from nqosd.telemetry.metrics import Metrics

TOP = """\
# Metrics

`/metrics` gives them in Prometheus's text format, on the port of the option `http.listen` (127.0.0.1:17476). Where
`http.bearer_token_file` is set, it asks for that token. All durations are in seconds. A counter whose label values are
known from the start begins at 0 for each of them, so that its first increase is seen as one.

A job for Prometheus, on the same machine:

```yaml
scrape_configs:
- job_name: nqosd
  static_configs:
  - targets: ["127.0.0.1:17476"]
```

[Alerts](alerts.md) says which rules come with nqosd and what to do when one fires.
"""
STATISTICS = """\
All of the above is the daemon's. The rest comes from `nqosd stats` on each chassis, on the port of `stats.listen`
(17477); [Statistics](statistics.md) says what the figures mean.
"""
GROUPS = {
    "rounds": "Rounds and policies",
    "northbound": "The Northbound database",
    "informers": "Informers",
    "status": "Status and Events",
    "loop": "The event loop",
}
"""The attributes of `Metrics` that are groups, and their headings."""


def page() -> str:
    """Write the page."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    metrics = Metrics()
    yield TOP
    shown = set()
    for group, title in GROUPS.items():
        collectors = list(_collectors(getattr(metrics, group)))
        shown.update(collectors)
        yield from _table(title, collectors)
    yield from _table("The daemon", [each for each in _collectors(metrics) if each not in shown])
    yield from _process(metrics.registry)
    yield from _statistics()


def _statistics() -> Iterator[str]:
    """Name what `nqosd stats` serves."""
    metrics = StatsMetrics("node")
    yield STATISTICS
    yield from _table("Statistics of the rules", list(_collectors(metrics.rules)))
    yield from _table("The exporter", [*_collectors(metrics.readings), *_collectors(metrics)])


def _collectors(group: object) -> Iterator[MetricWrapperBase]:
    """Give the metrics that an object of the telemetry holds, in the order in which it made them."""
    for value in vars(group).values():
        metric = value._gauge if isinstance(value, GaugeFamily) else value
        if isinstance(metric, MetricWrapperBase):
            yield metric


def _table(title: str, collectors: list[MetricWrapperBase]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| metric | type | labels | meaning |"
    yield "|---|---|---|---|"
    for each in collectors:
        (family,) = each.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {_labels(each)} | {_meaning(family.documentation)}{_buckets(each)} |"
    yield ""


def _labels(metric: MetricWrapperBase) -> str:
    """Name the labels, with the values that are known from the start."""
    samples = [sample for family in metric.collect() for sample in family.samples]
    found = []
    for label in metric._labelnames:
        values = list(dict.fromkeys(sample.labels[label] for sample in samples if label in sample.labels))
        fixed = len(values) > 1
        found.append(f"`{label}`: {', '.join(values)}" if fixed else f"`{label}`")
    return "; ".join(found) or "none"


def _buckets(metric: MetricWrapperBase) -> str:
    if not isinstance(metric, Histogram):
        return ""
    bounds = ", ".join(f"{bound:g}" for bound in metric._upper_bounds[:-1])
    return f" Buckets: {bounds}."


def _meaning(documentation: str) -> str:
    """Make a sentence of a help text that can stand in a table."""
    text = re.sub(r"\s+", " ", documentation).replace("|", "\\|")
    return text if text.endswith(".") else f"{text}."


def _process(registry: CollectorRegistry) -> Iterator[str]:
    """Name what the library adds about every process."""
    yield "## The process\n"
    yield "These come from the Prometheus client library.\n"
    yield "| metric | type | meaning |"
    yield "|---|---|---|"
    families = [family for family in registry.collect() if not family.name.startswith("nqosd_")]
    for family in sorted(families, key=lambda each: each.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {_meaning(family.documentation)} |"
    yield ""
