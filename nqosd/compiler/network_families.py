"""The networks, kept up to date at the cost of those that a change concerns.

In: definitions of networks that changed, by key. Out: `Networks`, another object once it may be another. Rule: it is
that of `Networks.of` for all definitions; but of networks only a family is derived anew in which one changed: those
whose names are such that they could have switches in common. Most families have one network.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from nqosd.api.objects import NetworkAttachment
from nqosd.compiler.network_switches import Networks, family, seniority

_Value = TypeVar("_Value")


class Concerned(msgspec.Struct, frozen=True):
    """What may mean something else now: networks by name, definitions by key."""

    networks: set[str]
    nads: set[str]


class NetworkFamilies:
    """The networks of all definitions, and the definitions of each family."""

    def __init__(self) -> None:
        self.networks = Networks.of({})
        self._known: dict[str, NetworkAttachment] = {}
        self._members: dict[str, list[tuple[str, ...]]] = {}
        """The definitions of each family in the order of seniority; a key comes last."""

    def take(self, changed: Iterable[str], definitions: Mapping[str, NetworkAttachment]) -> Concerned:
        """Take definitions, by key, that came, went or changed; `definitions` are all that there are now."""
        concerned = Concerned(set(), set(changed))
        families: dict[str, None] = {}
        for key in concerned.nads:
            before, after = self._known.pop(key, None), definitions.get(key)
            if before is not None:
                mine = self._members[family(before.network)]
                del mine[bisect_left(mine, seniority(before))]
            if after is not None:
                self._known[key] = after
                insort(self._members.setdefault(family(after.network), []), seniority(after))
            names = [each.network for each in (before, after) if each is not None]
            concerned.networks.update(names)
            families |= dict.fromkeys(map(family, names))
        if families:
            self._derive(families, concerned)
        return concerned

    def _derive(self, families: Iterable[str], concerned: Concerned) -> None:
        """Derive the networks of some families anew, and add them and their definitions to what is concerned."""
        mine = {age[-1]: self._known[age[-1]] for each in families for age in self._members[each]}
        for each in families:
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
