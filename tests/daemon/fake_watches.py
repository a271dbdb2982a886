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
    """What a watch has told: how many events of the log, or None while it lists what there was at one moment."""

    store: Store = attrs.field(factory=lambda: Store(ResourceKind.POD, keeps_versions=True))
    taken: int | None = None
    listing: "_List | None" = None
    is_synced: bool = False


@attrs.define
class _List:
    """What there was after so many events, with its versions, and which of it hasn't been told."""

    taken: int
    pods: dict[str, tuple[Pod, str]]
    untold: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.untold = list(self.pods)


class FakeWatches:
    """A server whose events are told one by one."""

    def __init__(self, inbox: Inbox, clock: "Clock", selectors: Mapping[str, LabelSelector]) -> None:
        self.truth = Tables()
        self.hearing = Hearing(self, inbox, clock)
        self._selectors = selectors
        self._merged = Merged(self.hearing)
        self._pods: list[Change] = []
        self._versions: dict[str, int] = {}
        """By pod, the event with which it came to be what it is."""
        self._others: dict[ResourceKind, list[Change]] = {kind: [] for kind in ResourceKind if kind != ResourceKind.POD}
        self._unlisted = set(self._others)
        self._watches: dict[Resource, _Watch] = {}
        self.policies: list[Change] = []
        """All that happened to policies; the resource versions of these are numbers of events."""
        self._told = 0

    @property
    def parts(self) -> Collection[Resource]:
        """What is watched."""
        return self._watches.keys()

    @property
    def versions(self) -> Mapping[ResourceKind, str]:
        """The version up to which policies have been told."""
        return {ResourceKind.NETWORK_QOS: str(self._told)}

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
        return resource in self._watches and self._watches[resource].is_synced

    def pods(self) -> Collection[Pod]:
        """Give all pods that were told."""
        return self._merged.objects()

    @property
    def copies(self) -> int:
        """How many pods several watches have told."""
        return sum(len(watch.store) for watch in self._watches.values()) - len(self.pods())

    def happen(self, change: Change) -> None:
        """Let something change on the server."""
        old = self.truth.objects()[change.kind].get(change.key)
        if old == change.new:
            return
        happened = replace(change, old=old)
        self.truth.apply(happened)
        if change.kind is ResourceKind.POD:
            self._pods.append(happened)
            self._versions[change.key] = len(self._pods)
        else:
            self._others[change.kind].append(happened)
            self.policies += [happened] if change.kind is ResourceKind.NETWORK_QOS else []

    def sources(self) -> list[ResourceKind | Resource]:
        """Give whoever has something to tell."""
        kinds = [kind for kind, told in self._others.items() if told or kind in self._unlisted]
        return [*kinds, *(each for each, watch in self._watches.items() if watch.taken != len(self._pods))]

    def list_anew(self, source: Resource) -> None:
        """Let a watch begin with a list again, whatever it has told."""
        self._watches[source].taken = self._watches[source].listing = None

    def restore(self, events: int) -> None:
        """Let the server's store of pods be what it was after so many events; whatever comes is numbered from there."""
        self._pods = self._pods[:events]
        self._versions = {}
        self.truth.pods.clear()
        for number, change in enumerate(self._pods, 1):
            self.truth.apply(change)
            self._versions[change.key] = number
        for each in self._watches:
            self.list_anew(each)

    @property
    def events(self) -> int:
        """How many events of pods there were."""
        return len(self._pods)

    def tell(self, source: ResourceKind | Resource, portion: int | None = None) -> None:
        """Let one tell of one event, or its list; of a list of pods so many of them."""
        if isinstance(source, ResourceKind):
            if source in self._unlisted:
                self._unlisted.discard(source)
                changes, self._others[source] = self._others[source], []
                self._tell(changes)
                self.hearing.synced(source)
            else:
                self._tell([self._others[source].pop(0)])
            return
        watch = self._watches[source]
        if watch.taken is None:
            self._list(source, watch, portion)
            return
        event = self._pods[watch.taken]
        watch.taken += 1
        if event.new is not None and self._chooses(source, event.new):
            change = watch.store.put(event.key, event.new, 0.0, f"{watch.taken}")
        else:
            change = watch.store.drop(event.key, 0.0)
        if change is not None:
            self._merged.changed([change])

    def _tell(self, changes: list[Change]) -> None:
        self._told += sum(change.kind is ResourceKind.NETWORK_QOS for change in changes)
        self.hearing.changed(changes)

    def _list(self, source: Resource, watch: _Watch, portion: int | None) -> None:
        """Tell a portion of a list; it is of the moment when it began, and what goes on is told afterwards."""
        if watch.listing is None:
            chosen = [pod for pod in self.truth.pods.values() if self._chooses(source, pod)]
            pods = {pod.key: (pod, str(self._versions[pod.key])) for pod in chosen}
            watch.listing = _List(len(self._pods), pods)
        listing = watch.listing
        number = len(listing.untold) if portion is None else portion
        told, listing.untold = listing.untold[:number], listing.untold[number:]
        changes = [watch.store.put(key, listing.pods[key][0], 0.0, listing.pods[key][1]) for key in told]
        is_first = False
        if not listing.untold:  # as with a reflector, it is synced before the last of it is told
            changes += watch.store.retain(listing.pods, 0.0)
            is_first = not watch.is_synced
            watch.taken, watch.listing, watch.is_synced = listing.taken, None, True
        if found := [change for change in changes if change is not None]:
            self._merged.changed(found)
        if is_first:
            self._merged.synced(ResourceKind.POD)

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
