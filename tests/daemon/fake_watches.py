"""Watches of a made-up API server that lag behind it, each as far as a test likes.

It is a fake because the order in which real watches deliver can't be chosen. What it merges with is real.
"""

from collections.abc import Collection, Mapping

import attrs
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.labels import LabelSelector
from nqosd.api.objects import Pod
from nqosd.cache.tables import Tables
from nqosd.daemon.hearing import Hearing
from nqosd.daemon.inbox import Inbox
from nqosd.informers.merged import Merged
from nqosd.informers.resources import Resource
from nqosd.informers.store import Store


@attrs.define(eq=False)
class _Watch:
    """What a watch has told, and how many events of the log it has taken; None before its list."""

    store: Store = attrs.field(factory=lambda: Store(ResourceKind.POD, keeps_versions=True))
    taken: int | None = None


class FakeWatches:
    """A server whose events are told one by one."""

    def __init__(self, inbox: Inbox, clock: "Clock", selectors: Mapping[str, LabelSelector]) -> None:
        self.truth = Tables()
        self.hearing = Hearing(self, inbox, clock)
        self._selectors = selectors
        self._merged = Merged(self.hearing)
        self._pods: list[Change] = []
        self._others: dict[ResourceKind, list[Change]] = {kind: [] for kind in ResourceKind if kind != ResourceKind.POD}
        self._unlisted = set(self._others)
        self._watches: dict[Resource, _Watch] = {}

    @property
    def parts(self) -> Collection[Resource]:
        """What is watched."""
        return self._watches.keys()

    def watch(self, resource: Resource) -> None:
        """Begin a watch."""
        assert resource not in self._watches
        watch = self._watches[resource] = _Watch()
        self._merged.add(watch.store)

    def leave(self, resource: Resource) -> None:
        """End a watch."""
        self._merged.remove(self._watches.pop(resource).store)

    def is_synced(self, resource: Resource) -> bool:
        """Say whether a watch has told its list."""
        return resource in self._watches and self._watches[resource].taken is not None

    def pods(self) -> Collection[Pod]:
        """Give all pods that were told."""
        return self._merged.objects()

    def happen(self, change: Change) -> None:
        """Let something change on the server."""
        old = self.truth.objects()[change.kind].get(change.key)
        if old == change.new:
            return
        happened = replace(change, old=old)
        self.truth.apply(happened)
        (self._pods if change.kind is ResourceKind.POD else self._others[change.kind]).append(happened)

    def sources(self) -> list[ResourceKind | Resource]:
        """Give whoever has something to tell."""
        kinds = [kind for kind, told in self._others.items() if told or kind in self._unlisted]
        return [*kinds, *(each for each, watch in self._watches.items() if watch.taken != len(self._pods))]

    def tell(self, source: ResourceKind | Resource) -> None:
        """Let one tell of one event, or its list."""
        if isinstance(source, ResourceKind):
            if source in self._unlisted:
                self._unlisted.discard(source)
                self.hearing.changed(self._others[source])
                self._others[source] = []
                self.hearing.synced(source)
            else:
                self.hearing.changed([self._others[source].pop(0)])
            return
        watch = self._watches[source]
        if watch.taken is None:
            watch.taken = len(self._pods)
            chosen = [pod for pod in self.truth.pods.values() if self._chooses(source, pod)]
            changes = [watch.store.put(pod.key, pod, 0.0, f"{watch.taken}") for pod in chosen]
            self._merged.changed([change for change in changes if change is not None])
            self._merged.synced(ResourceKind.POD)
            return
        event = self._pods[watch.taken]
        watch.taken += 1
        if event.new is not None and self._chooses(source, event.new):
            change = watch.store.put(event.key, event.new, 0.0, f"{watch.taken}")
        else:
            change = watch.store.drop(event.key, 0.0)
        if change is not None:
            self._merged.changed([change])

    def _chooses(self, watch: Resource, pod: Object) -> bool:
        assert isinstance(pod, Pod)
        is_within = watch.namespace in ("", pod.namespace) and watch.node in ("", pod.node)
        return is_within and (not watch.labels or self._selectors[watch.labels].matches(pod.labels))


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now
