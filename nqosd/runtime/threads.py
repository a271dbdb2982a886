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

import attrs

MUCH = 0.1
"""Seconds of work, of one or of several, after which so much has been made that it is frozen."""

T = TypeVar("T")


@attrs.define
class _Works:
    """How many works are under way, whether the collector was on before them, and seconds of work not frozen yet."""

    number: int = 0
    was_enabled: bool = False
    seconds: float = 0.0

    def begin(self) -> None:
        """Turn the collector off."""
        if self.number == 0:
            self.was_enabled = gc.isenabled()
        self.number += 1
        gc.disable()

    def end(self, seconds: float) -> None:
        """Turn it on again after the last work; under one that goes on, it would stop all threads for long."""
        self.number -= 1
        self.seconds += seconds
        if self.seconds >= MUCH:
            gc.freeze()
            self.seconds = 0.0
        if self.number == 0 and self.was_enabled:
            gc.enable()


_works = _Works()


async def aside(work: Callable[[], T]) -> T:
    """Work in a thread; the collector is off until the last of all works has ended."""
    began = time.monotonic()
    _works.begin()
    try:
        return await asyncio.to_thread(work)
    finally:
        _works.end(time.monotonic() - began)
