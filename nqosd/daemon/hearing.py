"""Hearing: watches of the pods that a zone's rows depend on, instead of all pods of the cluster.

In: changes of all kinds from the informers, and the zone. Out: the same changes to the inbox; watches begun and left.
Rules: what makes a policy need pods that haven't been listed waits until they have been, and its old rows stay; where
the database is for the whole cluster, or many watches are needed, one watch hears all pods; a watch that isn't needed
any more is left after a while, and never before all that are needed have told what they select.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from msgspec.structs import replace

from nqosd.api.changes import Change, ObjectKey, ResourceKind
from nqosd.api.objects import Pod
from nqosd.daemon.inbox import Inbox
from nqosd.daemon.needed_pods import ALL_PODS, NeededPods
from nqosd.daemon.peer_needs import MOST
from nqosd.informers.resources import RESOURCES, Resource

LINGER = 60.0
"""Seconds for which a watch that isn't needed goes on: the last sender of a policy is often replaced by another."""
MOST_COPIES = 50_000
"""Pods that several watches tell, again for each but one of these: 40 MiB. Any more, and one watch hears all pods."""
ALL_FOR = 1800.0
"""Seconds for which it then does at least: all pods are listed for it, and whoever chooses peers can make it needed."""
ALL_BUT_PODS = tuple(each for each in RESOURCES if each != ALL_PODS)
"""What is watched whole, by whoever hears of some pods only."""
_FIRST = {ResourceKind.NETWORK_QOS, ResourceKind.NAMESPACE, ResourceKind.NODE}
"""What says which pods are needed."""
_OF_POLICIES = {ResourceKind.NETWORK_QOS, ResourceKind.POD}
"""What concerns policies of its namespace alone as long as it waits: a pod does so as the first sender of one."""


class Watches(Protocol):
    """Who watches pods."""

    @property
    def parts(self) -> Collection[Resource]:
        """What is watched."""

    def watch(self, resource: Resource) -> None:
        """Begin a watch."""

    def leave(self, resource: Resource) -> None:
        """End a watch."""

    def is_synced(self, resource: Resource) -> bool:
        """Say whether a watch has told all that there is."""

    def pods(self) -> Iterable[Pod]:
        """Give all pods that were told."""

    @property
    def copies(self) -> int:
        """How many pods were told by several watches, again for each but one of these."""


class Hearing:
    """The sink of the informers, before the inbox."""

    def __init__(self, watches: Watches, inbox: Inbox, clock: Callable[[], float] = time.monotonic) -> None:
        self._watches = watches
        self._inbox = inbox
        self._clock = clock
        self._needed = NeededPods()
        self._zone: str | None = None
        self._handed_on: Mapping[ResourceKind, str] = {}
        self._reached = ""
        self._held: dict[ObjectKey, Change] = {}
        self._awaited: dict[ObjectKey, set[Resource]] = {}
        """For which watches what is held waits, as of when it came or the last watch had told all."""
        self._unneeded: dict[Resource, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._all_until = -math.inf
        """Until when one watch hears all pods, whatever is needed."""

    def versions(self, told: Mapping[ResourceKind, str]) -> Mapping[ResourceKind, str]:
        """Give the versions up to which all was handed on: those that were told, if nothing is held back."""
        if self._held:
            return self._handed_on or dict.fromkeys(told, "0")
        self._handed_on = told
        return told

    def reached(self, told: Mapping[ResourceKind, str]) -> str:
        """Give the version up to which policies were handed on, but for those of the namespaces `elsewhere`.

        It stays as long as a namespace waits, whose pods policies of any namespace may select.
        """
        if all(kind is not ResourceKind.NAMESPACE for kind, _key in self._held):
            self._reached = told.get(ResourceKind.NETWORK_QOS, "")
        return self._reached

    def zone_is(self, zone: str) -> None:
        """Take which zone the database is of; empty for the whole cluster."""
        if zone != self._zone:
            self._zone, self._all_until = zone, -math.inf
            self._begin_anew()
            self._settle()

    def changed(self, changes: list[Change]) -> None:
        """Take changes, and hand on all that need nothing which hasn't been listed."""
        came: dict[ObjectKey, None] = {}
        for change in changes:
            place = change.kind, change.key
            held = self._held.pop(place, None)
            self._awaited.pop(place, None)
            merged = change if held is None else replace(change, old=held.old, seen=held.seen)
            if merged.old != merged.new:
                self._held[place] = merged
                came[place] = None
            else:
                self._needed.take(merged)  # what was read of it while it waited is no more
        self._look_at(came)
        waiting = (change for change in self._held.values() if change.kind in _OF_POLICIES)
        self._inbox.elsewhere = frozenset(change.namespace for change in waiting)
        self._inbox.elsewhere_since = min((change.seen for change in self._held.values()), default=None)
        if self._needed.is_moved:
            self._begin_anew()
        self._settle()

    def synced(self, kind: ResourceKind) -> None:
        """Take note that a kind, or one watch of pods, has told all that there is."""
        if kind is not ResourceKind.POD:
            self._inbox.synced(kind)
        self._look_at(self._held)
        self.changed([])

    def _look_at(self, places: Iterable[ObjectKey]) -> None:
        """Hand on what lacks nothing of what is held in some places; what else there is waits for a watch anyway."""
        left = [place for place in places if place in self._held]
        while passed := [self._held[place] for place in left if self._passes(place)]:
            for change in passed:
                del self._held[change.kind, change.key]
                self._awaited.pop((change.kind, change.key), None)
            left = [place for place in left if place in self._held]
            self._inbox.changed(passed)

    def _passes(self, place: ObjectKey) -> bool:
        change = self._held[place]
        if lacking := self._lacking(change):
            self._awaited[place] = lacking
            return False
        self._needed.take(change)
        return True

    def _begin_anew(self) -> None:
        """Let nothing be compiled until the pods of these nodes have been listed."""
        self._inbox.unsynced.add(ResourceKind.POD)
        self._needed.belong(self._zone or "", self._watches.pods())
        if self._held:
            self._look_at(self._held)
            self.changed([])

    def _lacking(self, change: Change) -> set[Resource]:
        """Give the watches that must have told all they select before a change can be compiled."""
        if ResourceKind.POD in self._inbox.unsynced or self._watches.is_synced(ALL_PODS):
            return set()
        return {each for each in self._needed.needs(change) if not self._watches.is_synced(each)}

    def _wanted(self, needed: set[Resource]) -> set[Resource]:
        """Give the watches to have, by those needed: one of all pods, if these are many, or tell the same pods.

        After more than MOST were needed, not before half as many would do.
        """
        wanted, now = needed.union(*self._awaited.values()), self._clock()
        hears_all = ALL_PODS in self._watches.parts
        many = len(wanted) > (MOST // 2 if hears_all else MOST) or (
            not hears_all and self._watches.copies > MOST_COPIES
        )
        if many or ALL_PODS in wanted:
            self._all_until = now + ALL_FOR
        return {ALL_PODS} if now < self._all_until else wanted

    def _settle(self) -> None:
        """Begin the watches that are needed now, and leave those that haven't been for a while."""
        if self._zone is None or not _FIRST.isdisjoint(self._inbox.unsynced):
            return
        needed = self._needed.watches()
        wanted, is_synced = self._wanted(needed), self._watches.is_synced
        for each in wanted.difference(self._watches.parts):
            self._watches.watch(each)
        unneeded = set(self._watches.parts) - wanted
        if wanted == {ALL_PODS} and (begun := [each for each in unneeded if not is_synced(each)]):
            self._watches.leave(begun[0])  # or it goes on telling what all pods are as well
            self._settle()
        elif all(map(is_synced, wanted)):
            if ResourceKind.POD in self._inbox.unsynced:
                self._inbox.synced(ResourceKind.POD)
            self._leave(unneeded, unneeded)
        elif ResourceKind.POD in self._inbox.unsynced or is_synced(ALL_PODS) or all(map(is_synced, needed)):
            # What is compiled has all it needs without them: only who waits for something needs more.
            self._leave(unneeded, unneeded - needed - {ALL_PODS})

    def _leave(self, unneeded: set[Resource], may_go: set[Resource]) -> None:
        """Leave what hasn't been needed for a while, and of more than MOST the first, as far as they may go."""
        now = self._clock()
        self._unneeded = {each: self._unneeded.get(each, now) for each in unneeded}
        oldest = sorted(may_go, key=self._unneeded.__getitem__)
        if oldest and (len(oldest) > MOST or now - self._unneeded[oldest[0]] >= LINGER):
            self._watches.leave(oldest[0])
            self._settle()  # what it alone has told may have been what others were needed for
            return
        if (self._unneeded or ALL_PODS in self._watches.parts) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._settle()
