"""Oldest definitions: of very many in one namespace only the first are looked at.

In: definitions of networks by key, and how many of a namespace may be looked at. Out: those. Rules: those that
ovn-kubernetes accepted come first, then the older ones; a definition that renders no network takes nobody's place.
`oldest_definitions` is the definition; `OldestDefinitions` keeps it up to date at the cost of the namespaces in which
something changed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from nqosd.api.objects import NetworkAttachment
from nqosd.compiler.network_switches import seniority
from nqosd.compiler.precedence import KeysByAge
from nqosd.config.options import Limits


def oldest_definitions(attachments: Mapping[str, NetworkAttachment], limits: Limits) -> Mapping[str, NetworkAttachment]:
    """Give the definitions that are looked at, by key."""
    by_namespace: defaultdict[str, list[NetworkAttachment]] = defaultdict(list)
    for nad in attachments.values():
        if nad.network:
            by_namespace[nad.namespace].append(nad)
    first = (sorted(mine, key=seniority)[: limits.definitions] for mine in by_namespace.values())
    return {nad.key: nad for mine in first for nad in mine}


def too_many_definitions(namespace: str, limits: Limits) -> str:
    """Say why a definition isn't looked at."""
    return (
        f"namespace {namespace} has more definitions of networks than the {limits.definitions} that "
        "limits.definitions allows; those that ovn-kubernetes accepted and the oldest count, and this one does not"
    )


class OldestDefinitions:
    """The definitions that are looked at, by key."""

    def __init__(self, attachments: Mapping[str, NetworkAttachment], limits: Limits) -> None:
        self._attachments = attachments
        self._limits = limits
        self._ages = KeysByAge()
        self._oldest: dict[str, dict[str, NetworkAttachment]] = {}
        self.by_key: dict[str, NetworkAttachment] = {}
        self.crowded: frozenset[str] = frozenset()
        """The namespaces that have more."""

    def take(self, changed: Iterable[str]) -> set[str]:
        """Take definitions, by key, as they are now; gives the keys of those that are looked at otherwise now."""
        namespaces: dict[str, None] = {}
        news = set[str]()
        most = self._limits.definitions
        for key in changed:
            nad = self._attachments.get(key)
            self._ages.put(key, seniority(nad) if nad is not None and nad.network else None)
            namespaces[key.partition("/")[0]] = None
        for namespace in namespaces:
            before = self._oldest.pop(namespace, {})
            oldest = self._ages.oldest(namespace, most + 1)
            self.crowded = self.crowded | {namespace} if len(oldest) > most else self.crowded - {namespace}
            after = {key: self._attachments[key] for key in oldest[:most]}
            if after:
                self._oldest[namespace] = after
            for key in before.keys() - after.keys():
                del self.by_key[key]
            self.by_key |= after
            news |= {key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}
        return news
