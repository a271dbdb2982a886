"""Signals to a service: SIGHUP reloads, SIGTERM and SIGINT end it.

In: signals. Out: calls. Rule: SIGHUP never ends a service, not even while it is importing its parts: it is held back
from the first line on until there is somebody who takes it. So this module imports nothing that takes time. SIGTERM's
default action will do until then, since nothing has been begun.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator


def hold() -> None:
    """Let the kernel keep a SIGHUP that comes from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])


def release() -> None:
    """Let SIGHUP in, first of all one that has come already."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


@contextlib.contextmanager
def taken(*, reload: Callable[[], None], ending: Callable[[], None]) -> Iterator[None]:
    """Call `reload` at SIGHUP; at SIGTERM or SIGINT call `ending`, and end what runs in this context.

    Raises:
        KeyboardInterrupt: it was SIGINT, and what ran has ended.
    """
    import asyncio  # noqa: PLC0415 - see the rule above

    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    ended_by: signal.Signals | None = None

    def end(number: signal.Signals) -> None:
        nonlocal ended_by
        if main is not None and ended_by is None:
            ended_by = number
            ending()
            main.cancel()

    loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    release()
    try:
        yield
    except asyncio.CancelledError:
        if ended_by is None:
            raise
        if ended_by is signal.SIGINT:
            raise KeyboardInterrupt from None
