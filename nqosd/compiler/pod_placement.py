"""Pods at their places: which of their addresses count where, and which pods have yet to be moved.

In: pods as they change, and those that may be elsewhere since nodes or networks changed. Out: a membership that has
them at their places. Rule: a pod that may be elsewhere keeps its place until it is moved, in shares, so that nobody
waits for all of them.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from nqosd.api.changes import Change
from nqosd.api.objects import DEFAULT_NETWORK, Pod
from nqosd.cache.tables import Tables
from nqosd.compiler.address_owners import AddressClaims, Refused, claimant_of
from nqosd.compiler.address_ranges import ANYTHING
from nqosd.compiler.pod_addresses import PodAddress, places
from nqosd.compiler.set_members import Membership
from nqosd.compiler.topology import ClusterTopology, TopologyChange

FEW = 100
"""How many pods with one address are few: they take some 5 ms."""
REQUIREMENTS = 10
"""Requirements of selectors that take as long, for one address, as another pod."""
SHARE = 4_000
"""The weight of pods that are moved at once where networks or nodes changed; they take some 25 ms."""


class PodPlacement:
    """Where all pods are."""

    def __init__(self, tables: Tables, topology: ClusterTopology, membership: Membership) -> None:
        self._tables = tables
        self._topology = topology
        self._membership = membership
        self._claims = AddressClaims()
        self._refused: dict[str, tuple[Refused, ...]] = {}
        self.left: dict[str, float] = {}
        """Pods that are yet to be moved, and since when they should be elsewhere; the oldest first."""

    def refused(self, key: str) -> tuple[Refused, ...]:
        """Say which addresses of a pod don't count; whose they are, as it was when that began."""
        return self._refused.get(key, ())

    def takes_long(self, changes: Sequence[Change]) -> bool:
        """Say whether it may take longer than others can wait to move pods that changed.

        A pod of any namespace takes long for each of its addresses, for each requirement of the selectors that may
        choose it, and for each other pod of which an address may begin or cease to count.
        """
        if self._claims.shared and sum(map(self._concerned, changes)) > FEW:
            return True
        pods = [pod for each in changes for pod in (each.old, each.new) if isinstance(pod, Pod)]
        most = sum(_weight(pod, self._membership.requirements) for pod in pods)
        return most > FEW and sum(map(self._weigh, pods)) > FEW

    def _concerned(self, change: Change) -> int:
        """Say at most of how many other pods an address begins or ceases to count by a change of a pod."""
        mine = self._places(change.new) if isinstance(change.new, Pod) else ()
        return self._claims.concerned(change.key, mine)

    def postpone(self, change: TopologyChange, moment: float) -> None:
        """Note which pods may be elsewhere since a moment."""
        moved: dict[str, None] = {}
        if change.ranges is not None:
            now = self._topology.ranges.get(DEFAULT_NETWORK, ANYTHING)
            moved = self._claims.moved(DEFAULT_NETWORK, change.ranges, now)
        for key in change.pods | moved:
            self.left.setdefault(key, moment)

    def move(self, pods: dict[str, None], share: float) -> AbstractSet[str]:
        """Take some pods as they are now, by key, and with them a share by weight of those that are left.

        Gives the pods of which other addresses are refused than before.
        """
        keys = self._with_left(pods, share) if self.left else pods
        affected = set[str]()
        for key in keys:
            pod = self._tables.pods.get(key)
            mine = () if pod is None else self._places(pod)
            affected |= self._claims.take(key, None if pod is None else claimant_of(key, pod), mine)
        counted, refused = [], set[str]()
        for key in (*keys, *sorted(affected - keys.keys())) if affected else keys:
            found = self._claims.count(key, self._topology.ranges)
            counted += [(key, self._tables.pods.get(key), found.places)]
            if found.refused != self._refused.get(key, ()):
                self._refused.pop(key, None)
                if found.refused:
                    self._refused[key] = found.refused
                refused.add(key)
        self._membership.refresh(counted)
        return refused

    def _places(self, pod: Pod) -> tuple[PodAddress, ...]:
        topology = self._topology
        return places(pod, topology.networks, topology.zone, topology.switch_ranges)

    def _with_left(self, pods: dict[str, None], share: float) -> dict[str, None]:
        """Add to some pods a share of those that are left, those first that have waited longest."""
        taken, weight = dict(pods), 0
        for key in self.left:
            if weight >= share:
                break
            taken[key] = None
            if (pod := self._tables.pods.get(key)) is not None:
                weight += self._weigh(pod)
        for key in taken:
            self.left.pop(key, None)
        return taken

    def _weigh(self, pod: Pod) -> int:
        return _weight(pod, self._membership.requirements_for(pod))


def _weight(pod: Pod, requirements: int) -> int:
    """Weigh a pod by its places, and each of these by the requirements of selectors that it is compared with."""
    number = sum(max(1, len(each.addresses)) for each in pod.attachments)
    return max(1, number) * (1 + requirements // REQUIREMENTS)
