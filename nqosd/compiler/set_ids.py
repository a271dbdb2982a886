"""Which sets there are: the identity, name and description of an address set or port group.

Rule: a set belongs to a selection or a list of prefixes, never to a rule number, and its name is a hash of that and the
owner: equal selections share one set, and so do equal lists; a match can never point at another rule's members, and two
instances never share a name.
"""

import hashlib
import json
from typing import TypeAlias

import msgspec

from nqosd.cache.selections import PodSelection
from nqosd.compiler.desired import Family
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.prefixes import Prefixes

PREFIX = "nqosd_"


class SetId(msgspec.Struct, frozen=True, cache_hash=True):
    """The addresses of one family that selected pods have on a network; family None: their logical ports.

    `switch` is the switch of the senders, and empty for peers, who count in the whole cluster.
    """

    selection: PodSelection
    network: str
    switch: str
    family: Family | None

    def name(self, owner: str) -> str:
        """Name the set: letters, digits and `_`, so that it can stand behind `$` and `@` in a match."""
        selection = self.selection
        scope = selection.namespaces
        parts = [owner, selection.role, isinstance(scope, str), str(scope), str(selection.pods)]
        identity = json.dumps([*parts, self.network, self.switch, self.family])
        return PREFIX + _digest(identity)

    def holds(self, place: PodAddress) -> bool:
        """Say whether a place of a selected pod makes it a member."""
        mine = (self.network, self.family) == (place.network, place.family) and place.is_of(self.selection)
        return mine and self.switch in ("", place.switch)

    def __str__(self) -> str:
        where = f", switch {self.switch}" if self.switch else ""
        what = self.family or "ports"
        return f"{what} of {self.selection} on network {self.network}{where}"


class PrefixSet(msgspec.Struct, frozen=True, cache_hash=True):
    """Prefixes of one family that are too many for a match."""

    prefixes: Prefixes

    @property
    def family(self) -> Family:
        """The family of all of them."""
        return self.prefixes.family

    def name(self, owner: str) -> str:
        """Name the set."""
        return PREFIX + _digest(json.dumps([owner, "prefixes", self.family, self.prefixes.packed.hex()]))

    def __str__(self) -> str:
        return f"{len(self.prefixes)} prefixes of {self.family}"


class OutsideSet(msgspec.Struct, frozen=True, cache_hash=True):
    """The addresses of one family that pods on a switch have outside of its ranges, or all where those aren't known."""

    network: str
    switch: str
    family: Family | None

    def name(self, owner: str) -> str:
        """Name the set."""
        return PREFIX + _digest(json.dumps([owner, "outside", self.network, self.switch, self.family]))

    def holds(self, place: PodAddress) -> bool:
        """Say whether a place of a pod makes it a member."""
        mine = self.network, self.switch, self.family
        return place.is_outside and mine == (place.network, place.switch, place.family)

    def __str__(self) -> str:
        return f"{self.family} outside of the ranges of network {self.network}, switch {self.switch}"


AnySet: TypeAlias = SetId | PrefixSet | OutsideSet
CountedSet: TypeAlias = SetId | OutsideSet
"""A set whose members come from pods."""


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
