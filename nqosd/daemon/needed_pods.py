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
from nqosd.cache.selections import covers, namespace_labels
from nqosd.compiler.pod_addresses import is_of_zone
from nqosd.daemon.peer_needs import MOST, PeerNeeds, Peers
from nqosd.informers.resources import RESOURCES, Resource

ALL_PODS = next(each for each in RESOURCES if each.kind is ResourceKind.POD)
FEW_NAMESPACES = 10
"""Of more, one watch of the whole cluster selects by the pods' labels alone."""
COMPARED = 50_000
"""Requirements of selectors with which namespaces are compared for one change; it takes some 20 ms."""
REMEMBERED = 10 * MOST
"""Selectors of which it is kept which namespaces they mean."""

_T = TypeVar("_T")


class NeededPods:
    """The watches that are needed; without a zone, nothing is narrowed."""

    def __init__(self) -> None:
        self.zone = ""
        self.is_moved = False
        """Whether other nodes are of the zone than `belong` was told."""
        self._peers = PeerNeeds()
        self._namespaces: dict[str, Namespace] = {}
        self._nodes: dict[str, Node] = {}
        self._own: set[str] = set()
        self._selected: dict[LabelSelector, set[str]] = {}

    def watches(self) -> set[Resource]:
        """Give the watches that are needed."""
        if not self.zone:
            return {ALL_PODS}
        return {replace(ALL_PODS, node=name) for name in self._own} | self._watches(self._peers.needed.keys())

    def belong(self, zone: str, pods: Iterable[Pod]) -> None:
        """Be of another zone, or of other nodes; `pods` are those that have been told."""
        self.zone, self.is_moved = zone, False
        self._own = {name for name, node in self._nodes.items() if is_of_zone(node, zone)}
        self._peers.clear_pods()
        for pod in pods:
            if self._is_own(pod):
                self._peers.add(pod)

    def needs(self, change: Change) -> set[Resource]:
        """Give what a change needs, though what is needed without it may be among that."""
        match change.new:
            case NetworkQoS() as policy:
                return self._watches(self._peers.of_policy(policy))
            case Pod() as pod if self._is_own(pod) and not self._peers.is_known(pod):
                return self._watches(self._peers.of_pod(pod))
            case Namespace() as namespace:
                return self._watches_with(namespace)
            case _:
                return set()

    def take(self, change: Change) -> None:
        """Take a change that is compiled now."""
        key, new = change.key, change.new
        match change.kind:
            case ResourceKind.NETWORK_QOS:
                self._peers.take_policy(change.namespace, key, new if isinstance(new, NetworkQoS) else None)
            case ResourceKind.POD:
                self._take_pod(change.namespace, key, new)
            case ResourceKind.NAMESPACE:
                self._take_namespace(key, new)
            case ResourceKind.NODE:
                self._nodes.pop(key, None)
                if isinstance(new, Node):
                    self._nodes[key] = new
                self.is_moved |= (key in self._own) != (isinstance(new, Node) and is_of_zone(new, self.zone))

    def _take_pod(self, namespace: str, key: str, new: Object | None) -> None:
        sender = new if isinstance(new, Pod) and self._is_own(new) else None
        if sender is None or not self._peers.is_known(sender):
            self._peers.remove(namespace, key)
            if sender is not None:
                self._peers.add(sender)

    def _take_namespace(self, name: str, new: Object | None) -> None:
        self._namespaces.pop(name, None)
        if isinstance(new, Namespace):
            self._namespaces[name] = new
        labels = namespace_labels(name, self._namespaces)
        for scope, names in self._selected.items():
            (names.add if new is not None and scope.matches(labels) else names.discard)(name)

    def _watches_with(self, namespace: Namespace) -> set[Resource]:
        """Give the watches that are needed for peers in a namespace as it is now."""
        needed = self._peers.needed
        if len(needed) > MOST:
            return {ALL_PODS}
        name, known = namespace.name, {namespace.name: namespace}
        mine = [each for each in needed if each.namespaces == name or _selects(each.namespaces, name, known)]
        return self._watches(mine, {name})

    def _watches(self, peers: Collection[Peers], more: AbstractSet[str] = frozenset()) -> set[Resource]:
        """Give the watches for some peers, those in `more` namespaces included: one of all pods, if there are many."""
        scopes = {each.namespaces for each in peers} if len(peers) <= MOST else set()
        new = [each for each in scopes - self._selected.keys() if not isinstance(each, str) and each != EVERYTHING]
        if len(peers) > MOST or len(self._namespaces) * sum(len(each.requirements) for each in new) > COMPARED:
            return {ALL_PODS}
        if len(self._selected) + len(new) > REMEMBERED:
            kept = {each.namespaces for each in self._peers.needed} if len(self._peers.needed) <= MOST else set()
            self._selected = {scope: names for scope, names in self._selected.items() if scope in kept | scopes}
        for scope in new:
            self._selected[scope] = {name for name in self._namespaces if covers(scope, name, self._namespaces)}
        return _union(watches_of(each, self._names(each.namespaces) | more) for each in peers)

    def _names(self, scope: str | LabelSelector) -> AbstractSet[str]:
        """Give the namespaces that are meant; those that a selector means have been looked for."""
        return {scope} if isinstance(scope, str) else self._selected.get(scope, frozenset())

    def _is_own(self, pod: Pod) -> bool:
        """Say whether a pod may be a sender."""
        return pod.node in self._own and not pod.host_network and not pod.ended


def watches_of(peers: Peers, names: Collection[str]) -> set[Resource]:
    """Give watches that select some peers and few other pods; `names` are the namespaces that they mean."""
    narrowed = replace(ALL_PODS, labels=peers.labels)
    is_wide = len(names) > (FEW_NAMESPACES if peers.labels else MOST)
    if peers.namespaces == EVERYTHING or is_wide:
        return {narrowed}
    return {replace(narrowed, namespace=name) for name in names}


def _selects(scope: str | LabelSelector, name: str, namespaces: dict[str, Namespace]) -> bool:
    return not isinstance(scope, str) and covers(scope, name, namespaces)


def _union(sets: Iterable[AbstractSet[_T]]) -> set[_T]:
    return set[_T]().union(*sets)
