"""Turns: the order in which policies are summed up, and statuses and Events written that wait.

In: policies, or what is to be written, by namespace. Out: one after the other. Rule: the namespaces take turns, or
those with few policies come first, so that somebody with a thousand keeps nobody else waiting for more than one.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


def fewest_first(keys: Iterable[str]) -> list[list[str]]:
    """Give policies by namespace, of those first that have few of them."""
    by_namespace: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        by_namespace[key.partition("/")[0]].append(key)
    return [by_namespace[name] for name in sorted(by_namespace, key=lambda name: (len(by_namespace[name]), name))]


class Turns(Generic[T]):
    """A queue in which each namespace has its turn."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._number = asyncio.Semaphore(0)

    def put(self, namespace: str, item: T) -> None:
        """Let something wait behind what else the namespace has."""
        self._waiting.setdefault(namespace, deque()).append(item)
        self._number.release()

    def put_in_place(self, namespace: str, item: T) -> None:
        """Let something wait in place of the newest of the namespace that has most waiting, unless that is this one."""
        longest = max(self._waiting, key=lambda each: len(self._waiting[each]))
        if len(self._waiting[longest]) > len(self._waiting.get(namespace, ())) + 1:
            self._waiting[longest].pop()
            self._waiting.setdefault(namespace, deque()).append(item)

    async def get(self) -> T:
        """Take the oldest of the namespace whose turn it is, as soon as there is something."""
        await self._number.acquire()
        namespace = next(iter(self._waiting))
        mine = self._waiting.pop(namespace)
        item = mine.popleft()
        if mine:
            self._waiting[namespace] = mine
        return item
