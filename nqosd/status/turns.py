"""Turns: the order in which waiting policies have their statuses written.

In: what is to be written, by namespace. Out: one after the other. Rule: the namespaces take turns, so that somebody
with a thousand policies keeps nobody else waiting for more than one.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue in which each namespace has its turn."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._number = asyncio.Semaphore(0)

    def put(self, namespace: str, item: T) -> None:
        """Let something wait behind what else the namespace has."""
        self._waiting.setdefault(namespace, deque()).append(item)
        self._number.release()

    async def get(self) -> T:
        """Take the oldest of the namespace whose turn it is, as soon as there is something."""
        await self._number.acquire()
        namespace = next(iter(self._waiting))
        mine = self._waiting.pop(namespace)
        item = mine.popleft()
        if mine:
            self._waiting[namespace] = mine
        return item
