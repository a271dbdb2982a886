"""The networks, kept up to date at the cost of those that a change concerns.

In: definitions of networks that changed, by key. Out: `Networks`, another object once it may be another. Rule: it is
that of `Networks.of` for all definitions; but only networks are derived anew whose names have the stem of one that
changed, and so could make the same switches. Most stems have one network.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from nqosd.api.objects import NetworkAttachment
from nqosd.compiler.network_switches import Networks, seniority, stem

_Value = TypeVar("_Value")


class Concerned(msgspec.Struct, frozen=True):
    """What may mean something else now: networks by name, definitions by key."""

    networks: set[str]
    nads: set[str]


class NetworkIndex:
    """The networks of all definitions."""

    def __init__(self) -> None:
        self.networks = Networks.of({})
        self._known: dict[str, NetworkAttachment] = {}
        self._members: dict[str, list[tuple[str, ...]]] = {}
        """The definitions by the stem of their networks' names, in the order of seniority; a key comes last."""

    def take(self, changed: Iterable[str], definitions: Mapping[str, NetworkAttachment]) -> Concerned:
        """Take definitions, by key, that came, went or changed; `definitions` are all that there are now."""
        concerned = Concerned(set(), set(changed))
        stems: dict[str, None] = {}
        for key in concerned.nads:
            before, after = self._known.pop(key, None), definitions.get(key)
            if before is not None:
                mine = self._members[stem(before.network)]
                del mine[bisect_left(mine, seniority(before))]
            if after is not None:
                self._known[key] = after
                insort(self._members.setdefault(stem(after.network), []), seniority(after))
            names = [each.network for each in (before, after) if each is not None]
            concerned.networks.update(names)
            stems |= dict.fromkeys(map(stem, names))
        if stems:
            self._derive(stems, concerned)
        return concerned

    def _derive(self, stems: Iterable[str], concerned: Concerned) -> None:
        """Derive the networks of some stems anew, and add them and their definitions to what is concerned."""
        mine = {age[-1]: self._known[age[-1]] for each in stems for age in self._members[each]}
        for each in stems:
            if not self._members[each]:
                del self._members[each]
        concerned.networks.update(nad.network for nad in mine.values())
        concerned.nads.update(mine)
        before, now = self.networks, Networks.in_order(mine, self.networks)
        self.networks = Networks(
            _with(before.by_name, concerned.networks, now.by_name),
            _with(before.by_nad, concerned.nads, now.by_nad),
            _with(before.ignored, concerned.nads, now.ignored),
        )


def _with(before: Mapping[str, _Value], concerned: Iterable[str], now: Mapping[str, _Value]) -> Mapping[str, _Value]:
    """Put what some keys have now in the place of what they had."""
    found = dict(before)
    for key in concerned:
        found.pop(key, None)
    found.update(now)
    return found
