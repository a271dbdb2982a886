"""Which pods the rows of a zone depend on: those of its nodes, and the peers of the policies with senders among them.

In: changes, as they are about to be compiled. Out: watches, as resources of the API. Rule: who hears of all pods that
these watches select compiles the same rows as who hears of every pod.
"""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import EVERYTHING
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Namespace, Node, Pod
from nqosd.cache.selections import PodSelection
from nqosd.compiler.effective_policies import peers_of
from nqosd.compiler.pod_addresses import is_of_zone
from nqosd.informers.resources import RESOURCES, Resource

ALL_PODS = next(each for each in RESOURCES if each.kind is ResourceKind.POD)
FEW_NAMESPACES = 10
"""Of more, one watch of the whole cluster selects by the pods' labels alone."""
LONGEST = 2000
"""Characters of a selector that any proxy lets pass; one that is longer doesn't narrow a watch."""


class NeededPods:
    """Needs by policy; without a zone, nothing is narrowed."""

    def __init__(self) -> None:
        self.zone = ""
        self.is_moved = False
        """Whether other nodes are of the zone than `belong` was told."""
        self._namespaces: dict[str, Namespace] = {}
        self._nodes: dict[str, Node] = {}
        self._policies: dict[str, dict[str, NetworkQoS]] = {}
        self._own: set[str] = set()
        self._pods: dict[str, dict[str, Pod]] = {}
        self._needed: dict[str, frozenset[Resource]] = {}

    def watches(self) -> set[Resource]:
        """Give the watches that are needed."""
        nodes = {attrs.evolve(ALL_PODS, node=name) for name in self._own}
        return nodes.union(*self._needed.values()) if self.zone else {ALL_PODS}

    def belong(self, zone: str, pods: Iterable[Pod]) -> None:
        """Be of another zone, or of other nodes; `pods` are those that have been told."""
        self.zone, self.is_moved = zone, False
        self._own = {name for name, node in self._nodes.items() if is_of_zone(node, zone)}
        self._pods, self._needed = {}, {}
        for pod in pods:
            self._file(pod)
        for policies in self._policies.values():
            self._note(policies.values())

    def needs(self, change: Change) -> set[Resource]:
        """Give what a change needs, besides what is needed without it."""
        match change.new:
            case NetworkQoS() as policy:
                return set(self._of(policy, self._pods.get(policy.namespace, {}).values()))
            case Pod() as pod if self._is_sender(pod) and not self._is_known(pod):
                policies = self._policies.get(pod.namespace, {}).values()
                return set().union(*(self._of(policy, [pod]) for policy in policies))
            case Namespace() as namespace:
                known = {**self._namespaces, namespace.name: namespace}
                return set().union(*(_watches(policy, known) for policy in self._by_namespaces()))
            case _:
                return set()

    def take(self, change: Change) -> None:
        """Take a change that is compiled now."""
        key, new = change.key, change.new
        match change.kind:
            case ResourceKind.NETWORK_QOS:
                self._needed.pop(key, None)
                self._policies.setdefault(change.namespace, {}).pop(key, None)
                if isinstance(new, NetworkQoS):
                    self._policies[change.namespace][key] = new
                    self._note([new])
            case ResourceKind.POD:
                before = self._pods.get(change.namespace, {}).pop(key, None)
                if isinstance(new, Pod):
                    self._file(new)
                if before is None or not self._is_known(before):
                    after = self._pods.get(change.namespace, {}).get(key)
                    pods = [each for each in (before, after) if each is not None]
                    policies = self._policies.get(change.namespace, {}).values()
                    self._note([each for each in policies if any(_sends(each, pod) for pod in pods)])
            case ResourceKind.NAMESPACE:
                self._namespaces.pop(key, None)
                if isinstance(new, Namespace):
                    self._namespaces[key] = new
                self._note(self._by_namespaces())
            case ResourceKind.NODE:
                self._nodes.pop(key, None)
                if isinstance(new, Node):
                    self._nodes[key] = new
                self.is_moved |= (key in self._own) != (isinstance(new, Node) and is_of_zone(new, self.zone))

    def _by_namespaces(self) -> list[NetworkQoS]:
        """Give the policies with senders that select peers by their namespaces' labels."""
        found = (self._policies[key.partition("/")[0]][key] for key in self._needed)
        return [policy for policy in found if any(not isinstance(each.namespaces, str) for each in _peers(policy))]

    def _is_sender(self, pod: Pod) -> bool:
        return pod.node in self._own and not pod.host_network and not pod.ended

    def _is_known(self, pod: Pod) -> bool:
        """Say whether a sender is known that all policies select as they do this one."""
        known = self._pods.get(pod.namespace, {}).get(pod.key)
        return known is not None and known.labels == pod.labels

    def _file(self, pod: Pod) -> None:
        if self._is_sender(pod):
            self._pods.setdefault(pod.namespace, {})[pod.key] = pod

    def _of(self, policy: NetworkQoS, pods: Iterable[Pod]) -> frozenset[Resource]:
        """Give what a policy needs if any of some pods are senders of it."""
        return _watches(policy, self._namespaces) if any(_sends(policy, pod) for pod in pods) else frozenset()

    def _note(self, policies: Iterable[NetworkQoS]) -> None:
        """Note anew what some policies need."""
        for policy in policies:
            self._needed.pop(policy.key, None)
            pods = self._pods.get(policy.namespace, {}).values()
            if any(_sends(policy, pod) for pod in pods):
                self._needed[policy.key] = _watches(policy, self._namespaces)


def _sends(policy: NetworkQoS, pod: Pod) -> bool:
    return policy.spec is not None and policy.spec.pod_selector.matches(pod.labels)


def _peers(policy: NetworkQoS) -> frozenset[PodSelection]:
    return frozenset() if policy.spec is None else peers_of(policy.spec, policy.namespace)


def _watches(policy: NetworkQoS, namespaces: Mapping[str, Namespace]) -> frozenset[Resource]:
    return frozenset(watch for peers in _peers(policy) for watch in watches_of(peers, namespaces))


def watches_of(selection: PodSelection, namespaces: Mapping[str, Namespace]) -> Iterator[Resource]:
    """Give watches that select all pods of a selection, and few others."""
    labels = "" if selection.pods == EVERYTHING else str(selection.pods)
    narrowed = attrs.evolve(ALL_PODS, labels=labels if len(labels) <= LONGEST else "")
    if isinstance(selection.namespaces, str):
        yield attrs.evolve(narrowed, namespace=selection.namespaces)
        return
    names = [name for name in namespaces if selection.covers(name, namespaces)]
    if selection.namespaces == EVERYTHING or (narrowed.labels and len(names) > FEW_NAMESPACES):
        yield narrowed
    else:
        yield from (attrs.evolve(narrowed, namespace=name) for name in names)
