"""A family of gauges that is set as a whole.

Rule: a label value that a new state doesn't name becomes 0 rather than keeping its old number, and a scrape at any time
finds each series either old or new, never missing.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.registry import Collector


class GaugeFamily(Collector):
    """Gauges under one name, told apart by one label."""

    def __init__(self, registry: CollectorRegistry, name: str, meaning: str, label: str) -> None:
        self._gauge = Gauge(name, meaning, [label], registry=None)
        self._numbers: dict[str, float] = {}
        self._question: Callable[[], Mapping[str, float]] | None = None
        registry.register(self)

    def ask(self, question: Callable[[], Mapping[str, float]]) -> None:
        """Ask for all numbers whenever the metrics are read, from another thread."""
        self._question = question

    def set(self, values: Mapping[str, float]) -> None:
        """Replace all numbers."""
        before, self._numbers = self._numbers, {**dict.fromkeys(self._numbers, 0.0), **values}
        for value, number in self._numbers.items():
            if before.get(value) != number:
                self._gauge.labels(value).set(number)

    def collect(self) -> Iterable[Metric]:
        """Give the series."""
        if self._question is not None:
            self.set(self._question())
        return self._gauge.collect()

    def describe(self) -> Iterable[Metric]:
        """Give the name, before there is anything to ask."""
        return self._gauge.describe()
