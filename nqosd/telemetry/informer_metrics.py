"""Metrics of the informers; it implements their observer."""

from collections.abc import Collection
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nqosd.api.changes import ResourceKind
from nqosd.informers.observer import InformerObserver
from nqosd.informers.transitions import RequestOutcome

LISTS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class InformerMetrics(InformerObserver):
    """Lists, watches and what they bring, by kind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._synced = Gauge(
            "nqosd_synced", "1 once all objects of a kind are known; nothing is deleted before it is 1 for every kind.",
            ["kind"], registry=registry,
        )  # fmt: skip
        self._installed = Gauge(
            "nqosd_resource_installed", "0 if the CustomResourceDefinition of a kind is missing, else 1.",
            ["kind"], registry=registry,
        )  # fmt: skip
        self._lists = Histogram(
            "nqosd_list_duration_seconds", "Time of a complete list of a kind, first or after a watch had expired.",
            ["kind"], registry=registry, buckets=LISTS,
        )  # fmt: skip
        self._restarts = Counter(
            "nqosd_watch_restarts",
            "Lists and watches that ended and were made anew, by reason: ended is everyday, the others tell of faults.",
            ["kind", "reason"], registry=registry,
        )  # fmt: skip
        self._events = Counter(
            "nqosd_events_received", "Objects that arrived in lists and watches.", ["kind"], registry=registry
        )
        self._undecodable = Counter(
            "nqosd_decode_problems",
            "Answers, events and objects that weren't what was asked for, so that nothing of them was believed.",
            ["kind"], registry=registry,
        )  # fmt: skip
        for kind in ResourceKind:
            self._synced.labels(kind.value)
            self._undecodable.labels(kind.value)
        self._events_by_kind = {kind: self._events.labels(kind.value) for kind in ResourceKind}

    def ask(self, unsynced: Collection[ResourceKind]) -> None:
        """Look there, whenever the metrics are read, for the kinds of which not all objects are known."""
        for kind in ResourceKind:
            self._synced.labels(kind.value).set_function(partial(_is_synced, kind, unsynced))

    def listed(self, kind: ResourceKind, objects: int, seconds: float) -> None:  # noqa: ARG002 - the cache counts objects
        """Take the time of a list."""
        self._lists.labels(kind.value).observe(seconds)

    def watch_restarted(self, kind: ResourceKind, reason: RequestOutcome) -> None:
        """Count a request or stream that came to an end."""
        self._restarts.labels(kind.value, reason.value).inc()

    def events(self, kind: ResourceKind, number: int) -> None:
        """Count objects that arrived."""
        self._events_by_kind[kind].inc(number)

    def undecodable(self, kind: ResourceKind) -> None:
        """Count an answer that wasn't believed."""
        self._undecodable.labels(kind.value).inc()

    def installed(self, kind: ResourceKind, *, is_installed: bool) -> None:
        """Note whether the resource exists."""
        self._installed.labels(kind.value).set(is_installed)


def _is_synced(kind: ResourceKind, unsynced: Collection[ResourceKind]) -> float:
    return kind not in unsynced
