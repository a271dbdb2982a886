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
        self._numbers: dict[str, float] = {}

    def set(self, values: Mapping[str, float]) -> None:
        """Replace all numbers."""
        before, self._numbers = self._numbers, {**dict.fromkeys(self._numbers, 0.0), **values}
        for value, number in self._numbers.items():
            if before.get(value) != number:
                self._gauge.labels(value).set(number)
