"""Subscriptions: which selections are watched, for the sake of which policies.

In: what policies need, and which of them there is room for. Out: a membership in which every selection that a policy
needs is counted, and filled where one of them is applied. Rule: senders are filled as soon as there is room for the
members, since they say how many rows there are; peers when there is room for the rows, too.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import chain

from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.set_members import Membership


class Subscriptions:
    """Keeps the membership to what policies need."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self.users: dict[PodSelection, dict[str, set[str]]] = {}
        """The policies that need a selection, by namespace: a pod that moves must not cost what there are of them."""
        self._moved: dict[PodSelection, None] = {}

    def change(self, policy: str, before: AbstractSet[PodSelection], after: AbstractSet[PodSelection]) -> None:
        """Take what a policy needs now; the membership follows later, for all policies at once."""
        namespace = policy.partition("/")[0]
        for selection in after - before:
            self.users.setdefault(selection, {}).setdefault(namespace, set()).add(policy)
        for selection in before - after:
            users = self.users[selection]
            users[namespace].discard(policy)
            if not users[namespace]:
                del users[namespace]
            if not users:
                del self.users[selection]
        self._moved |= dict.fromkeys(before ^ after)

    def of(self, selection: PodSelection) -> Iterator[str]:
        """Give the policies that need a selection."""
        return chain.from_iterable(self.users.get(selection, {}).values())

    def count(self) -> None:
        """Drop what nobody needs any more, and count what somebody begins to need."""
        self._membership.drop(each for each in self._moved if each not in self.users)
        self._membership.count(each for each in self._moved if each in self.users)

    def fill_senders(self, turned: Iterable[PodSelection], has_room: Callable[[str], bool]) -> None:
        """Fill the senders of policies for whose members there is room; empty senders and peers of others.

        `turned` are those of the policies for which there was room and isn't now, or the other way round.
        """
        wanted = self._wanted(chain(self._moved, turned), has_room)
        self._membership.fill(each for each in wanted if each.role is not SelectionUse.PEER)

    def fill_peers(self, turned: Iterable[PodSelection], is_applied: Callable[[str], bool]) -> None:
        """Fill the peers of policies that are applied, and empty those of others.

        `turned` are those of the policies of which one was applied and isn't now, or the other way round.
        """
        moved, self._moved = self._moved, {}
        peers = (each for each in chain(moved, turned) if each.role is SelectionUse.PEER)
        self._membership.fill(self._wanted(peers, is_applied))

    def _wanted(self, selections: Iterable[PodSelection], is_wanted: Callable[[str], bool]) -> Collection[PodSelection]:
        """Give those of some selections that a policy needs of which something holds, and empty the others."""
        known = [each for each in dict.fromkeys(selections) if each in self.users]
        wanted = {each: None for each in known if any(map(is_wanted, self.of(each)))}
        self._membership.empty(each for each in known if each not in wanted)
        return wanted
