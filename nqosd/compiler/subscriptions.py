"""Subscriptions: which selections are watched, for the sake of which policies.

In: what policies need, and which of them there is room for. Out: a membership in which every selection that a policy
needs is counted, and filled where one of them is applied. Rule: senders are filled before it is known whether there is
room, since they say how many rows there are; peers after it, since they are what there may be no room for.
"""

from collections.abc import Callable, Iterable, Iterator
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
        """Drop what nobody needs any more, fill the senders, and count the peers."""
        needed = [each for each in self._moved if each in self.users]
        self._membership.drop(each for each in self._moved if each not in self.users)
        self._membership.fill(each for each in needed if each.role is not SelectionUse.PEER)
        self._membership.count(each for each in needed if each.role is SelectionUse.PEER)

    def fill(self, turned: Iterable[PodSelection], is_applied: Callable[[str], bool]) -> None:
        """Fill the peers of policies that are applied, and empty those of others.

        `turned` are those of the policies of which one was applied and isn't now, or the other way round.
        """
        moved, self._moved = self._moved | dict.fromkeys(turned), {}
        peers = [each for each in moved if each in self.users and each.role is SelectionUse.PEER]
        wanted = {each for each in peers if any(map(is_applied, self.of(each)))}
        self._membership.empty(each for each in peers if each not in wanted)
        self._membership.fill(each for each in peers if each in wanted)
