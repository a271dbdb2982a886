"""A family of gauges that is set as a whole.

Rule: a label value that a new state doesn't name becomes 0 rather than keeping its old number, and a scrape at any time
finds each series either old or new, never missing.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge


class GaugeFamily:
    """Gauges under one name, told apart by one label."""

    def __init__(self, registry: CollectorRegistry, name: str, meaning: str, label: str) -> None:
        self._gauge = Gauge(name, meaning, [label], registry=registry)
        self._known: set[str] = set()

    def set(self, values: Mapping[str, float]) -> None:
        """Replace all numbers."""
        for value in self._known - values.keys():
            self._gauge.labels(value).set(0)
        for value, number in values.items():
            self._gauge.labels(value).set(number)
        self._known.update(values)
