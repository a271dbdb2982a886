"""Ctrl-C while a command waits for answers.

In: a coroutine. Out: what it returns. Rule: it is cancelled between two steps of the event loop. asyncio's own handler
cancels it wherever the signal comes, within a step as well, where a future that is just being resolved takes it ill.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine in a loop of its own, in the main thread.

    Raises:
        KeyboardInterrupt: it was Ctrl-C; what ran has ended. A second Ctrl-C raises it wherever the command is.
    """
    return asyncio.run(interruptible(main))


async def interruptible(main: Coroutine[object, object, T]) -> T:
    """Await a coroutine in a loop that runs more than one, one after the other; the same else.

    Raises:
        KeyboardInterrupt: as `run` does.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(main)
    before = signal.getsignal(signal.SIGINT)
    is_interrupted = False

    def release() -> None:
        if loop.remove_signal_handler(signal.SIGINT):
            signal.signal(signal.SIGINT, before)

    def interrupt() -> None:
        nonlocal is_interrupted
        is_interrupted = True
        release()
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if is_interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        release()
