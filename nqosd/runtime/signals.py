"""Signals: SIGHUP reloads a service, SIGTERM and SIGINT end it; SIGINT ends any other command.

In: signals. Out: calls. Rule: SIGHUP never ends a service, not even while it is importing its parts: it is held back
from the first line on until there is somebody who takes it. So this module imports nothing that takes time. SIGTERM's
default action will do until then, since nothing has been begun.
"""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator


def hold() -> None:
    """Let the kernel keep a SIGHUP that comes from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])


def release() -> None:
    """Let SIGHUP in, first of all one that has come already."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


def interrupt_quietly() -> None:
    """Raise KeyboardInterrupt at SIGINT, as Python does, and show nothing of what half-made objects say from then on.

    An object that was just being made is finalized without the fields that it would have; from Python 3.13 on, each
    such error of the standard library's is shown with its traceback.
    """

    def interrupt(_number: int, _frame: object) -> None:
        sys.unraisablehook = lambda _: None
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as `nohup` and `&` want it
        signal.signal(signal.SIGINT, interrupt)


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
