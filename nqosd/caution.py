"""Whether a daemon that has just become the writer may trust what it knows.

In: which kinds the informers are out of touch with, whether the lock is held. Out: for how long a round has to wait.
Rule: a standby whose watches are broken knows an older state than the one that was written last. Before its first write
it waits until it has caught up; if that takes longer than PATIENCE, old knowledge is better than none.
"""

import time
from collections.abc import Callable

import structlog

from nqosd.informers.changes import Kind

PATIENCE = 60.0
"""Seconds; twice the longest pause between two attempts to reach the API server."""
CATCHING_UP = 0.25
"""Seconds after a watch was answered; what it had missed comes at once."""

_log = structlog.get_logger()


class Caution:
    """One for each daemon; `wake` is called when a wait may be over."""

    def __init__(self, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._wake = wake
        self._clock = clock
        self._out_of_touch: dict[Kind, str] = {}
        self._in_touch_since = -CATCHING_UP
        self._won: float | None = None
        self._trusts = False

    @property
    def out_of_touch(self) -> dict[Kind, str]:
        """The kinds whose changes may not have been heard, and why, in the order of their names."""
        return dict(sorted(self._out_of_touch.items()))

    def in_touch(self, kind: Kind, *, is_in_touch: bool, reason: str = "") -> None:
        """Take whether every change of a kind is heard; if not, why."""
        if not is_in_touch:
            self._out_of_touch[kind] = reason
        elif kind in self._out_of_touch:
            del self._out_of_touch[kind]
            self._in_touch_since = self._clock()
            self._wake()

    def doubt(self) -> None:
        """Note that somebody else may have written."""
        self._won, self._trusts = None, False

    def wait(self, *, lock_held: bool) -> float:
        """Return for how many seconds nothing may be written, 0 if it may."""
        if not lock_held:
            self.doubt()
        if self._trusts or not lock_held:
            return 0.0
        now = self._clock()
        if self._won is None:
            self._won = now
        caught_up = self._in_touch_since + CATCHING_UP
        if not self._out_of_touch and now >= caught_up:
            self._trusts = True
            return 0.0
        patience = self._won + PATIENCE
        if now >= patience:
            _log.warning("writing what was known before the API server went out of reach", kinds=self.out_of_touch)
            self._trusts = True
            return 0.0
        return (patience if self._out_of_touch else min(caught_up, patience)) - now
