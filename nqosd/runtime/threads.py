"""Work beside the event loop: long work in a thread without the garbage collector, and waiting for what may never come.

In: work that touches nothing that the event loop may touch meanwhile. Out: what it gives. Rule: what much work has made
stays for long, so the collector, which stops all threads to look at what is being made, needn't look at it ever again
(`gc.freeze`). Measured for the first sync of a million addresses: without the freeze the event loop stands still for
70 ms when the thread is done. What else there is then isn't looked at any more either, so it is done seldom; a running
daemon makes no garbage in cycles (measured over watches, rounds and writes of statuses: none).
"""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

MUCH = 0.1
"""Seconds of work, of one or of several, after which so much has been made that it is frozen."""

T = TypeVar("T")


class _Works(msgspec.Struct):
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


async def waited(work: Callable[[], T]) -> T:
    """Wait in a thread for something outside; unlike with `asyncio.to_thread`, the program may end before that does."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if result.done():  # cancelled meanwhile
            return
        if error is None:
            result.set_result(cast("T", value))
        else:
            result.set_exception(error)

    def wait() -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as raised:  # noqa: BLE001 - whoever waits gets it
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=wait, daemon=True).start()
    return await result
