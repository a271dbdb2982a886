"""Selections: which pods does a selector mean, and which selectors does a pod enter and leave.

In: selections to watch, namespaces' labels, a pod's namespace and labels. Out: the selections that the pod is in.
Rule: this module owns selector matching; `PodSelection.matches` is its definition, and `SelectionIndex` must give the
same answer without asking every selection: each one is filed under one label that it requires.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from nqosd.api.labels import Labels, LabelSelector, Operator
from nqosd.api.objects import Namespace, Pod


def namespace_labels(name: str, namespaces: Mapping[str, Namespace]) -> Labels:
    """Give a namespace's labels, and with them the one that an API server gives to every namespace.

    Manifests may leave it out, and the namespace with it.
    """
    known = namespaces.get(name)
    labels: Labels = {} if known is None else known.labels
    return labels if NAME_LABEL in labels else {**labels, NAME_LABEL: name}


def covers(scope: LabelSelector, namespace: str, namespaces: Mapping[str, Namespace]) -> bool:
    """Say whether a selector of namespaces matches one."""
    return scope.matches(namespace_labels(namespace, namespaces))


class SelectionUse(StrEnum):
    """What the selected pods are to a rule: the senders on one switch, or addresses anywhere in the cluster.

    `SOURCE` leaves out interfaces that a pod has for the kubelet alone, `ANY_SOURCE` doesn't.
    """

    SOURCE = "source"
    ANY_SOURCE = "any source"
    PEER = "peer"


class PodSelection(msgspec.Struct, frozen=True, cache_hash=True):
    """Pods by label in one namespace (a name) or in the namespaces that a selector matches."""

    role: SelectionUse
    namespaces: str | LabelSelector
    pods: LabelSelector

    def matches(self, pod: Pod, namespaces: Mapping[str, Namespace]) -> bool:
        """Say whether a pod is meant."""
        return self.covers(pod.namespace, namespaces) and self.pods.matches(pod.labels)

    def covers(self, namespace: str, namespaces: Mapping[str, Namespace]) -> bool:
        """Say whether pods of a namespace can be meant."""
        if isinstance(self.namespaces, str):
            return self.namespaces == namespace
        return covers(self.namespaces, namespace, namespaces)

    def __str__(self) -> str:
        if isinstance(self.namespaces, str):
            return f"pods {self.pods} in namespace {self.namespaces}"
        return f"pods {self.pods} in namespaces {self.namespaces}"


FEW = 20
"""Values of one requirement under each of which a selection is filed; one with more is filed under the key alone.

A policy may list tens of thousands, each of which would take 64 times its size.
"""

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server gives to each namespace."""

_Anchor: TypeAlias = tuple[str | None, str | None, str | None]
"""Where a selection is filed: namespace (None: by selector), label key and value (None: any)."""


class SelectionIndex(msgspec.Struct):
    """Finds the selections that a pod is in at a cost that doesn't grow with the number of selections."""

    _namespaces: Mapping[str, Namespace]
    """The live table of namespaces."""
    anchors: dict[PodSelection, tuple[_Anchor, ...]] = {}
    """Where each selection is filed."""
    _filed: dict[str | None, dict[str | None, dict[str | None, dict[PodSelection, int]]]] = {}
    """The selections by namespace, key and value, each with its weight."""
    weight: int = 0
    """How much it takes at most to compare a pod with all selections: their requirements, or 1 for one without any."""

    def __contains__(self, selection: PodSelection) -> bool:
        return selection in self.anchors

    def __iter__(self) -> Iterator[PodSelection]:
        return iter(self.anchors)

    def __len__(self) -> int:
        return len(self.anchors)

    def add(self, selection: PodSelection) -> None:
        """Watch a selection; watching it twice is once."""
        if selection in self.anchors:
            return
        anchors = min(_anchors(selection), key=self._load)
        self.anchors[selection] = anchors
        weight = _weight(selection)
        self.weight += weight
        for scope, key, value in anchors:
            self._filed.setdefault(scope, {}).setdefault(key, {}).setdefault(value, {})[selection] = weight

    def discard(self, selection: PodSelection) -> None:
        """Stop watching a selection."""
        if selection in self.anchors:
            self.weight -= _weight(selection)
        for scope, key, value in self.anchors.pop(selection, ()):
            del self._filed[scope][key][value][selection]
            if not self._filed[scope][key][value]:
                del self._filed[scope][key][value]
            if not self._filed[scope][key]:
                del self._filed[scope][key]
            if not self._filed[scope]:
                del self._filed[scope]

    def of(self, pod: Pod, namespaces: Mapping[str, Namespace] | None = None) -> tuple[PodSelection, ...]:
        """Give the selections that a pod is in.

        `namespaces` says what namespaces there were, if not those of now.
        """
        known = self._namespaces if namespaces is None else namespaces
        return tuple(each for mine in self.candidates(pod) for each in mine if each.matches(pod, known))

    def candidates(self, pod: Pod) -> Sequence[Mapping[PodSelection, int]]:
        """Give the selections that a pod may be in, in parts: each one that it is in is among them, once."""
        found: list[Mapping[PodSelection, int]] = []
        labels = pod.labels
        for scope in (pod.namespace, None):
            by_key = self._filed.get(scope)
            if by_key is None:
                continue
            if None in by_key:
                found.append(by_key[None][None])
            # A pod may have a hundred thousand labels that nobody asks for, or others many selectors by other labels.
            for key in by_key if len(by_key) < len(labels) else labels:
                if key is not None and key in by_key and key in labels:
                    by_value = by_key[key]
                    found += [by_value[value] for value in (None, labels[key]) if value in by_value]
        return found

    def weigh(self, pod: Pod) -> int:
        """Say how much it takes to compare a pod with its candidates."""
        return sum(sum(mine.values()) for mine in self.candidates(pod))

    def _load(self, anchors: tuple[_Anchor, ...]) -> tuple[bool, int]:
        """Prefer a required label, and of several the one under which the fewest selections are filed."""
        filed = (self._filed.get(scope, {}).get(key, {}).get(value, ()) for scope, key, value in anchors)
        return anchors[0][1] is None, sum(map(len, filed))


def _weight(selection: PodSelection) -> int:
    scope = selection.namespaces
    number = len(selection.pods.requirements) + (0 if isinstance(scope, str) else len(scope.requirements))
    return max(1, number)


def _anchors(selection: PodSelection) -> list[tuple[_Anchor, ...]]:
    """List the ways to file a selection: each makes sure that every pod it can match finds it, exactly once."""
    scope = selection.namespaces if isinstance(selection.namespaces, str) else None
    ways: list[tuple[_Anchor, ...]] = [((scope, None, None),)]
    for requirement in selection.pods.requirements:
        if requirement.operator is Operator.IN and len(requirement.values) <= FEW:
            ways.append(tuple((scope, requirement.key, value) for value in requirement.values))
        elif requirement.operator in (Operator.IN, Operator.EXISTS):
            ways.append(((scope, requirement.key, None),))
    return ways
