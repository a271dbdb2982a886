"""Python's garbage collector: off while the daemon starts, blind afterwards for what was made until then.

What is there after the first round (modules, the cache, the replica) lives as long as the daemon, and there is a lot of
it: each full collection would go through all of it and hold up the event loop. Measured: off while importing saves a
twelfth of the time, off during a first sync a third. Rule: it is on again at last after GRACE seconds, since failing
attempts to connect make garbage too.
"""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

GRACE = 60.0
"""Seconds."""


def pause() -> None:
    """Collect nothing from now on: the daemon starts."""
    gc.disable()


def expect(loop: "asyncio.AbstractEventLoop") -> None:
    """Go on after GRACE seconds, whether the daemon has started or not."""
    loop.call_later(GRACE, resume)


def resume() -> None:
    """Collect from now on, but never look again at what is there: the daemon has started."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
