"""Which peers matter in a zone: those of the policies that may have senders among the zone's own pods.

In: policies, and the zone's own pods. Out: the peers that are needed, at most MOST of them or else all pods. Rules: a
policy has senders, as far as is looked here, if a pod has one label that its podSelector asks for, or is there at all
where it asks for none; that may be too many peers, and never too few. What users write at any length is read once, so
that a change costs what it brings, whatever policies there are.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

import msgspec

from nqosd.api.labels import EVERYTHING, LabelSelector, Operator
from nqosd.api.networkqos import NetworkQoS, NetworkQoSSpec
from nqosd.api.objects import Pod
from nqosd.cache.selections import PodSelection
from nqosd.compiler.effective_policies import peers_of

MOST = 30
"""Peers, or watches; where more are needed, one watch hears all pods."""
LONGEST = 2000
"""Characters of a selector that any proxy lets pass; one that is longer doesn't narrow a watch."""
FEW = 10
"""Requirements of a selector of namespaces; one with more counts as if it selected all."""

_Mark: TypeAlias = tuple[str | None, str | None]
"""The key of a label and its value; None: any."""


class Peers(msgspec.Struct, frozen=True, cache_hash=True):
    """Pods that a policy names: by namespace, or a selector of these, and by labels in kubectl's notation.

    All of what the policy selects is among them; `labels` are empty where they are all, or too long to say.
    """

    namespaces: str | LabelSelector
    labels: str = ""


EVERY_POD = Peers(EVERYTHING)


class _Need(msgspec.Struct, frozen=True):
    """What a policy needs: `peers`, if there is a pod with one of the `marks`."""

    marks: tuple[_Mark, ...]
    peers: frozenset[Peers]


class _Group(msgspec.Struct):
    """The policies of a namespace with one mark: how many pods have it, and how many policies need which peers."""

    pods: int = 0
    policies: int = 0
    peers: Counter[Peers] = msgspec.field(default_factory=Counter)
    told: frozenset[Peers] = frozenset()
    """What of that is needed now: nothing without pods."""

    @property
    def few(self) -> frozenset[Peers]:
        """The peers; all pods, if they are many."""
        return frozenset(self.peers) if len(self.peers) <= MOST else frozenset({EVERY_POD})


class PeerNeeds:
    """The needs of all policies."""

    def __init__(self) -> None:
        self.needed: Counter[Peers] = Counter()
        """What is needed, and for how many marks."""
        self._read: dict[str, tuple[NetworkQoSSpec | None, _Need | None]] = {}
        self._needs: dict[str, _Need] = {}
        self._groups: dict[str, dict[str | None, dict[str | None, _Group]]] = {}
        self._pods: dict[str, dict[str, Pod]] = {}

    def of_policy(self, policy: NetworkQoS) -> frozenset[Peers]:
        """Give the peers that a policy needs with the pods that there are."""
        need = self._need(policy)
        if need is None or not any(_has(pod, need.marks) for pod in self._pods_of(policy.namespace)):
            return frozenset()
        return need.peers

    def of_pod(self, pod: Pod) -> frozenset[Peers]:
        """Give the peers that the policies need of which a pod is a sender; all pods, if they are many."""
        found = frozenset[Peers]()
        for group in self._groups_of(pod):
            found |= group.few
            if len(found) > MOST:
                return frozenset({EVERY_POD})
        return found

    def is_known(self, pod: Pod) -> bool:
        """Say whether a pod is known that all policies select as they do this one."""
        known = self._pods.get(pod.namespace, {}).get(pod.key)
        return known is not None and known.labels == pod.labels

    def take_policy(self, namespace: str, key: str, policy: NetworkQoS | None) -> None:
        """Take a policy as it is now; None where it is gone."""
        before, now = self._needs.pop(key, None), None
        if policy is None:
            self._read.pop(key, None)
        elif (now := self._need(policy)) is not None:
            self._needs[key] = now
        for need, step in ((before, -1), (now, 1)) if before != now else ():
            if need is not None:
                for mark in need.marks:
                    self._ask(namespace, mark, need.peers, step)

    def add(self, pod: Pod) -> None:
        """Take a pod of the zone's own."""
        self._pods.setdefault(pod.namespace, {})[pod.key] = pod
        self._count(pod, 1)

    def remove(self, namespace: str, key: str) -> None:
        """Take note that a pod is gone, or isn't the zone's own."""
        pod = self._pods.get(namespace, {}).pop(key, None)
        if pod is not None:
            if not self._pods[namespace]:
                del self._pods[namespace]
            self._count(pod, -1)

    def clear_pods(self) -> None:
        """Forget all pods."""
        for namespace, mine in list(self._pods.items()):
            for key in list(mine):
                self.remove(namespace, key)

    def _need(self, policy: NetworkQoS) -> _Need | None:
        """Read what a policy needs, once; None where it isn't valid."""
        known = self._read.get(policy.key)
        if known is None or known[0] is not policy.spec:
            need = None if policy.spec is None else _read(policy.spec, policy.namespace)
            known = self._read[policy.key] = policy.spec, need
        return known[1]

    def _ask(self, namespace: str, mark: _Mark, peers: Collection[Peers], step: int) -> None:
        """Note that one policy more, or less, needs some peers if there are pods with a mark."""
        by_key = self._groups.setdefault(namespace, {})
        by_value = by_key.setdefault(mark[0], {})
        if mark[1] not in by_value:
            by_value[mark[1]] = _Group(sum(_has(pod, (mark,)) for pod in self._pods_of(namespace)))
        group = by_value[mark[1]]
        group.policies += step
        for each in peers:
            _tally(group.peers, each, step)
        self._tell(group)
        if not group.policies:
            del by_value[mark[1]]
            if not by_value:
                del by_key[mark[0]]
            if not by_key:
                del self._groups[namespace]

    def _count(self, pod: Pod, step: int) -> None:
        for group in self._groups_of(pod):
            group.pods += step
            self._tell(group)

    def _tell(self, group: _Group) -> None:
        """See what is needed for a group now."""
        before, now = group.told, group.few if group.pods else frozenset()
        if before != now:
            group.told = now
            for each in now - before:
                _tally(self.needed, each, 1)
            for each in before - now:
                _tally(self.needed, each, -1)

    def _groups_of(self, pod: Pod) -> Iterator[_Group]:
        """Give the groups with a mark that a pod has."""
        by_key, labels = self._groups.get(pod.namespace, {}), pod.labels
        if None in by_key:
            yield by_key[None][None]
        for key in by_key if len(by_key) < len(labels) else labels:
            if key is not None and key in by_key and key in labels:
                by_value = by_key[key]
                yield from (by_value[value] for value in (None, labels[key]) if value in by_value)

    def _pods_of(self, namespace: str) -> Collection[Pod]:
        return self._pods.get(namespace, {}).values()


def peers_among(selection: PodSelection) -> Peers:
    """Give the peers that a selection's are among: those that a short request can ask for."""
    scope, pods = selection.namespaces, selection.pods
    is_long = not isinstance(scope, str) and len(scope.requirements) > FEW
    labels = ""
    if pods != EVERYTHING and sum(1 + len(each.values) for each in pods.requirements) <= LONGEST:
        labels = str(pods)
    return Peers(EVERYTHING if is_long else scope, labels if len(labels) <= LONGEST else "")


def _read(spec: NetworkQoSSpec, namespace: str) -> _Need:
    """Read what a policy needs: all pods, if its peers are many."""
    read: dict[PodSelection, Peers] = {}
    for each in peers_of(spec, namespace):
        if each not in read:
            read[each] = peers_among(each)
            if len(read) > MOST:
                return _Need(_marks(spec.pod_selector), frozenset({EVERY_POD}))
    return _Need(_marks(spec.pod_selector), frozenset(read.values()))


def _marks(selector: LabelSelector) -> tuple[_Mark, ...]:
    """Give labels of which each pod that a selector chooses has one."""
    asked = [each for each in selector.requirements if each.operator in (Operator.IN, Operator.EXISTS)]
    few = [each for each in asked if each.operator is Operator.IN and len(each.values) <= FEW]
    if few:
        first = min(few, key=lambda each: len(each.values))
        return tuple((first.key, value) for value in first.values)
    return ((asked[0].key, None),) if asked else ((None, None),)


def _has(pod: Pod, marks: tuple[_Mark, ...]) -> bool:
    """Say whether a pod has one of some marks."""
    labels: Mapping[str, str] = pod.labels
    return any(key is None or (key in labels and value in (None, labels[key])) for key, value in marks)


def _tally(counts: Counter[Peers], each: Peers, step: int) -> None:
    counts[each] += step
    if not counts[each]:
        del counts[each]
