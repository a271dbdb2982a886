"""Long work beside the event loop: in a thread, and without the garbage collector.

In: work that touches nothing that the event loop may touch meanwhile. Out: what it gives. Rule: what was made stays for
long, so the collector, which stops all threads to look at what is being made, needn't look at it ever again
(`gc.freeze`). Measured for the first sync of a million addresses: without the freeze the event loop stands still for
70 ms when the thread is done. What else there is then isn't looked at any more either; that loses nothing, since a
running daemon makes no garbage in cycles (measured over watches, rounds and writes of statuses: none).
"""

import asyncio
import gc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Work in a thread."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return await asyncio.to_thread(work)
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
