"""Which pods the rows of a zone depend on: those of its nodes, and the peers of the policies with senders among them.

In: changes, as they are about to be compiled. Out: watches, as resources of the API. Rules: who hears of all pods that
these watches select compiles the same rows as who hears of every pod; a change costs no more than its namespace's
policies or pods, whatever all others are.
"""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import TypeVar

from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.labels import EVERYTHING, LabelSelector
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, Node, Pod
from nqosd.cache.selections import PodSelection, SelectionUse, namespace_labels
from nqosd.compiler.effective_policies import peers_of
from nqosd.compiler.pod_addresses import is_of_zone
from nqosd.informers.resources import RESOURCES, Resource

ALL_PODS = next(each for each in RESOURCES if each.kind is ResourceKind.POD)
MOST = 30
"""Watches; where more are needed, one hears all pods."""
FEW_NAMESPACES = 10
"""Of more, one watch of the whole cluster selects by the pods' labels alone."""
LONGEST = 2000
"""Characters of a selector that any proxy lets pass; one that is longer doesn't narrow a watch."""
_EVERY_POD = frozenset({PodSelection(SelectionUse.PEER, EVERYTHING, EVERYTHING)})

_T = TypeVar("_T")


class NeededPods:
    """Needs by policy; without a zone, nothing is narrowed."""

    def __init__(self) -> None:
        self.zone = ""
        self.is_moved = False
        """Whether other nodes are of the zone than `belong` was told."""
        self._namespaces: dict[str, Namespace] = {}
        self._nodes: dict[str, Node] = {}
        self._policies: dict[str, dict[str, NetworkQoS]] = {}
        self._peers: dict[str, frozenset[PodSelection]] = {}
        self._own: set[str] = set()
        self._pods: dict[str, dict[str, Pod]] = {}
        self._senders: dict[str, int] = {}
        self._selected: dict[LabelSelector, set[str]] = {}

    def watches(self) -> set[Resource]:
        """Give the watches that are needed."""
        if not self.zone:
            return {ALL_PODS}
        selections = self._selections()
        scopes = {each.namespaces for each in selections}
        self._selected = {scope: names for scope, names in self._selected.items() if scope in scopes}
        return {replace(ALL_PODS, node=name) for name in self._own} | self._watches(selections)

    def belong(self, zone: str, pods: Iterable[Pod]) -> None:
        """Be of another zone, or of other nodes; `pods` are those that have been told."""
        self.zone, self.is_moved = zone, False
        self._own = {name for name, node in self._nodes.items() if is_of_zone(node, zone)}
        self._pods, self._senders = {}, dict.fromkeys(self._peers, 0)
        for pod in pods:
            if self._is_own(pod):
                self._add(pod)

    def needs(self, change: Change) -> set[Resource]:
        """Give what a change needs, though what is needed without it may be among that."""
        match change.new:
            case NetworkQoS() as policy if any(_sends(policy, pod) for pod in self._pods_of(policy.namespace)):
                return self._watches(_peers(policy))
            case Pod() as pod if self._is_own(pod) and not self._is_known(pod):
                policies = self._policies.get(pod.namespace, {}).values()
                return self._watches(_union(self._peers[each.key] for each in policies if _sends(each, pod)))
            case Namespace() as namespace:
                if len(selections := self._selections()) > MOST:
                    return {ALL_PODS}
                known = {namespace.name: namespace}
                selections = {each for each in selections if each.covers(namespace.name, known)}
                return _union(watches_of(each, {*self._names(each), namespace.name}) for each in selections)
            case _:
                return set()

    def take(self, change: Change) -> None:
        """Take a change that is compiled now."""
        key, new = change.key, change.new
        match change.kind:
            case ResourceKind.NETWORK_QOS:
                self._take_policy(change.namespace, key, new)
            case ResourceKind.POD:
                self._take_pod(change.namespace, key, new)
            case ResourceKind.NAMESPACE:
                self._take_namespace(key, new)
            case ResourceKind.NODE:
                self._nodes.pop(key, None)
                if isinstance(new, Node):
                    self._nodes[key] = new
                self.is_moved |= (key in self._own) != (isinstance(new, Node) and is_of_zone(new, self.zone))

    def _take_policy(self, namespace: str, key: str, new: Object | None) -> None:
        self._policies.setdefault(namespace, {}).pop(key, None)
        self._senders.pop(key, None)
        self._peers.pop(key, None)
        if isinstance(new, NetworkQoS):
            self._policies[namespace][key] = new
            self._peers[key] = _peers(new)
            self._senders[key] = sum(_sends(new, pod) for pod in self._pods_of(namespace))

    def _take_pod(self, namespace: str, key: str, new: Object | None) -> None:
        sender = new if isinstance(new, Pod) and self._is_own(new) else None
        if sender is not None and self._is_known(sender):
            return
        before = self._pods.get(namespace, {}).pop(key, None)
        if before is not None:
            self._count(before, -1)
        if sender is not None:
            self._add(sender)

    def _take_namespace(self, name: str, new: Object | None) -> None:
        self._namespaces.pop(name, None)
        if isinstance(new, Namespace):
            self._namespaces[name] = new
        labels = namespace_labels(name, self._namespaces)
        for scope, names in self._selected.items():
            (names.add if new is not None and scope.matches(labels) else names.discard)(name)

    def _selections(self) -> set[PodSelection]:
        """Give the peers of all policies with senders."""
        return _union(self._peers[key] for key, number in self._senders.items() if number)

    def _watches(self, selections: Collection[PodSelection]) -> set[Resource]:
        """Give the watches for some selections: one of all pods, if there are many."""
        if len(selections) > MOST:
            return {ALL_PODS}
        return _union(watches_of(each, self._names(each)) for each in selections)

    def _names(self, selection: PodSelection) -> set[str]:
        """Give the namespaces that a selection means; those that a selector means are kept up to date from now on."""
        scope = selection.namespaces
        if isinstance(scope, str):
            return {scope}
        if scope not in self._selected:
            self._selected[scope] = {name for name in self._namespaces if selection.covers(name, self._namespaces)}
        return self._selected[scope]

    def _pods_of(self, namespace: str) -> Collection[Pod]:
        return self._pods.get(namespace, {}).values()

    def _is_own(self, pod: Pod) -> bool:
        """Say whether a pod may be a sender."""
        return pod.node in self._own and not pod.host_network and not pod.ended

    def _is_known(self, pod: Pod) -> bool:
        """Say whether a sender is known that all policies select as they do this one."""
        known = self._pods.get(pod.namespace, {}).get(pod.key)
        return known is not None and known.labels == pod.labels

    def _add(self, pod: Pod) -> None:
        self._pods.setdefault(pod.namespace, {})[pod.key] = pod
        self._count(pod, 1)

    def _count(self, pod: Pod, step: int) -> None:
        """Count a sender that came or went for all policies of which it is one."""
        for policy in self._policies.get(pod.namespace, {}).values():
            if _sends(policy, pod):
                self._senders[policy.key] += step


def watches_of(selection: PodSelection, names: Collection[str]) -> set[Resource]:
    """Give watches that select all pods of a selection and few others; `names` are the namespaces that it means."""
    labels = "" if selection.pods == EVERYTHING else str(selection.pods)
    narrowed = replace(ALL_PODS, labels=labels if len(labels) <= LONGEST else "")
    if selection.namespaces == EVERYTHING or (narrowed.labels and len(names) > FEW_NAMESPACES):
        return {narrowed}
    return {replace(narrowed, namespace=name) for name in names}


def _sends(policy: NetworkQoS, pod: Pod) -> bool:
    return policy.spec is not None and policy.spec.pod_selector.matches(pod.labels)


def _peers(policy: NetworkQoS) -> frozenset[PodSelection]:
    """Give the peers of a policy; all pods, if it selects many."""
    found = set[PodSelection]()
    for each in () if policy.spec is None else peers_of(policy.spec, policy.namespace):
        found.add(each)
        if len(found) > MOST:
            return _EVERY_POD
    return frozenset(found)


def _union(sets: Iterable[AbstractSet[_T]]) -> set[_T]:
    return set[_T]().union(*sets)
