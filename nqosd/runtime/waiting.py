"""Waiting for an event, but not for ever."""

import asyncio
import contextlib


async def wait_anew(event: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set from now on, for so many seconds at most."""
    event.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
