"""Whether the first plan of a daemon may remove what it finds in the database.

In: the rows that there should be, and those that are there. Out: yes or no. Rule: a daemon that has just started has
nothing to hold its first lists against but the database; where more than half of its rows would go by them, and more
than a few, or where nothing should be there at all, every kind is listed a second time before any row goes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from nqosd.compiler.desired import RowKey

FEW = 10
"""How many rows may go without a second look."""

_log = structlog.get_logger()


class FirstPlan:
    """One for each daemon; `wake` is called when a second look has been taken."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.list_again: Callable[[str], Awaitable[None]] | None = None
        """Lists everything again, and returns when that is done; None where there is nobody to ask."""
        self._wake = wake
        self._look: asyncio.Future[None] | None = None
        self._is_believed = False

    def may_prune(self, desired: Collection[RowKey], found: Collection[RowKey]) -> bool:
        """Return whether rows may be removed; to be asked only by the daemon that writes, in step with the database."""
        if self._is_believed or self.list_again is None:
            return True
        if self._look is None:
            lost = sum(key not in desired for key in found)
            if lost <= (FEW if desired else 0) or 2 * lost <= len(found):
                self._is_believed = True
                return True
            why = f"by the first lists {lost} of {len(found)} rows in the database would go"
            _log.warning("nothing is removed until everything has been listed a second time", why=why)
            self._look = asyncio.ensure_future(self.list_again(why))
            self._look.add_done_callback(self._looked)
        return False

    def _looked(self, look: asyncio.Future[None]) -> None:
        self._is_believed = not look.cancelled()
        self._wake()
