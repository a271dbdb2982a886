"""What the reports of all zones find, by policy, and which policies they find otherwise than when that was asked last.

In: a zone's report in place of the one before. Out: findings by policy and zone, digests by namespace and zone. No I/O.
Rule: it costs what has changed, not what there is: somebody may have thousands of policies that fail in each zone.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

from nqosd.status.digests import Digests, digest_of
from nqosd.status.zone_report import ZoneFinding, ZoneReport

T = TypeVar("T")
_ANY = Digests()
"""Stands for any policy of a namespace."""


class ZoneFindings:
    """Those of the newest report of each zone."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, ZoneFinding]] = {}
        self._digests: dict[str, dict[str, Digests]] = {}
        """By namespace and zone; see `ZoneReport.overflow`."""
        self._changed: set[str] = set()
        self._changed_digests: dict[str, set[int] | None] = {}
        """By namespace what some zone digests and hadn't, or the other way round; None if any policy may fail."""

    def of(self, key: str) -> Mapping[str, ZoneFinding]:
        """Give what zones have found of a policy, by zone."""
        return self._found.get(key, {})

    def digests_of(self, namespace: str) -> Mapping[str, Digests]:
        """Give what zones have digested of a namespace, by zone."""
        return self._digests.get(namespace, {})

    def replace(self, zone: str, old: ZoneReport | None, new: ZoneReport | None) -> None:
        """Take a zone's report in place of another one; None where there is none."""
        had, has = (each.findings if each is not None else {} for each in (old, new))
        for key in _differing(had, has):
            self._changed.add(key)
            _put(self._found, key, zone, has.get(key))
        had_digests, has_digests = (each.overflow if each is not None else {} for each in (old, new))
        for namespace in _differing(had_digests, has_digests):
            before, now = had_digests.get(namespace), has_digests.get(namespace)
            _put(self._digests, namespace, zone, now)
            changed = self._changed_digests.setdefault(namespace, set())
            if _ANY in (before, now):
                self._changed_digests[namespace] = None
            elif changed is not None:
                changed |= frozenset(before or ()) ^ frozenset(now or ())

    def drain(self, policies: Iterable[str]) -> AbstractSet[str]:
        """Give those of all policies that some zone finds otherwise than when this was asked last."""
        found, self._changed = self._changed, set()
        changed, self._changed_digests = self._changed_digests, {}
        for key in policies if changed else ():
            namespace = key.partition("/")[0]
            if namespace in changed and ((digests := changed[namespace]) is None or digest_of(key) in digests):
                found.add(key)
        return found


def _differing(had: Mapping[str, T], has: Mapping[str, T]) -> Iterator[str]:
    """Give the keys of which one says something else than the other."""
    if had is not has:
        yield from (key for key, each in had.items() if has.get(key) != each)
        yield from (key for key in has if key not in had)


def _put(by_name: dict[str, dict[str, T]], name: str, zone: str, value: T | None) -> None:
    """Take what a zone says of something, or that it says nothing of it."""
    by_zone = by_name.setdefault(name, {})
    if value is not None:
        by_zone[zone] = value
    else:
        by_zone.pop(zone, None)
    if not by_zone:
        del by_name[name]
