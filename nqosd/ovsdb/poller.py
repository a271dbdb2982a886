"""What python-ovs waits for, as registrations with an asyncio event loop.

In: the calls that python-ovs makes on a poller. Out: one call of `wake` when something of it happens. The rule: what is
registered is a duplicate of the descriptor, which is ours until we close it. python-ovs closes its sockets whenever a
send fails, and the kernel gives their numbers to the next connection of anybody in this process: a registration under
such a number would be that connection's.
"""

import asyncio
import math
import os
from collections.abc import Callable
from socket import socket

from ovs import timeval
from ovs.poller import POLLIN, POLLOUT


class LoopPoller:
    """Between `begin` and `arm` python-ovs says what it waits for; `disarm` drops everything."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._armed: dict[socket, tuple[int, int]] = {}  # the duplicate, and what it waits for
        self._wanted: dict[socket, int] = {}
        self._delay: float | None = None
        self._timer: asyncio.Handle | None = None
        self._due = 0.0

    def begin(self) -> None:
        """Start to collect anew."""
        self._wanted = {}
        self._delay = None

    def fd_wait(self, source: socket, events: int) -> None:
        """Wait for a socket to be readable (POLLIN), writable (POLLOUT) or both."""
        self._wanted[source] = self._wanted.get(source, 0) | events

    def timer_wait(self, milliseconds: float) -> None:
        """Wait no longer than this."""
        delay = max(milliseconds, 0.0) / 1000
        self._delay = delay if self._delay is None else min(delay, self._delay)

    def timer_wait_until(self, moment: float) -> None:
        """Wait no longer than until this moment, in milliseconds of python-ovs's clock."""
        self.timer_wait(moment - timeval.msec())

    def immediate_wake(self) -> None:
        """Don't wait."""
        self.timer_wait(0.0)

    def arm(self) -> None:
        """Register what was collected, and drop what wasn't, or was closed meanwhile."""
        for source, (_, events) in list(self._armed.items()):
            if self._wanted.get(source) != events or source.fileno() < 0:
                self._drop(source)
        for source, events in self._wanted.items():
            if source not in self._armed:
                self._add(source, events)
        self._set_timer()

    def disarm(self) -> None:
        """Drop everything: nobody is woken any more."""
        self.begin()
        self.arm()

    def _add(self, source: socket, events: int) -> None:
        if source.fileno() < 0:  # the next turn finds out
            self.immediate_wake()
            return
        number = os.dup(source.fileno())
        self._armed[source] = (number, events)
        if events & POLLIN:
            self._loop.add_reader(number, self._wake)
        if events & POLLOUT:
            self._loop.add_writer(number, self._wake)

    def _drop(self, source: socket) -> None:
        number, _ = self._armed.pop(source)
        self._loop.remove_reader(number)
        self._loop.remove_writer(number)
        os.close(number)

    def _set_timer(self) -> None:
        """Wake in time; a timer that is due earlier stays, since to wake too early does no harm."""
        due = math.inf if self._delay is None else self._loop.time() + self._delay
        if self._timer is not None:
            if self._due <= due < math.inf:
                return
            self._timer.cancel()
            self._timer = None
        if self._delay is not None:
            self._due = due
            self._timer = self._loop.call_at(due, self._ring) if self._delay else self._loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._wake()
