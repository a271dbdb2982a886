"""Long work beside the event loop: in a thread, and without the garbage collector.

In: work that touches nothing that the event loop may touch meanwhile. Out: what it gives. Rule: what much work has made
stays for long, so the collector, which stops all threads to look at what is being made, needn't look at it ever again
(`gc.freeze`). Measured for the first sync of a million addresses: without the freeze the event loop stands still for
70 ms when the thread is done. What else there is then isn't looked at any more either, so it is done seldom; a running
daemon makes no garbage in cycles (measured over watches, rounds and writes of statuses: none).
"""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import TypeVar

MUCH = 0.1
"""Seconds of work after which it has made so much that it is frozen."""

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Work in a thread."""
    was_enabled, began = gc.isenabled(), time.monotonic()
    gc.disable()
    try:
        return await asyncio.to_thread(work)
    finally:
        if time.monotonic() - began >= MUCH:
            gc.freeze()
        if was_enabled:
            gc.enable()
