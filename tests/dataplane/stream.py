"""Streams of UDP between namespaces that go on while something else happens, and what arrives of them, marked how.

In: who sends to whom, and how much. Out: of each stream how many datagrams were sent, and the DSCP and the time of each
one that arrived. The rule: the time is when the kernel took it in, so a reader that comes late changes no rate.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import attrs

from tests.dataplane.namespaces import open_socket
from tests.dataplane.traffic import HEADERS, PAYLOAD, TIMEOUT
from tests.services.chassis import NetworkNamespace

SO_TIMESTAMPNS = 35
TICK = 0.004
"""Seconds between two looks at what is due, and at what has arrived."""
KILOBITS = (PAYLOAD + HEADERS[4]) * 8 / 1000
"""Of a datagram, as a meter counts it."""

WITHOUT_LIMIT = 500
"""What a stream sends that isn't limited, kbps."""


@attrs.define(eq=False)
class Stream:
    """Datagrams over IPv4 to an address and port, `offered` kbps of them, and what has become of them.

    `dscp` is what they are to be marked with.
    """

    source: NetworkNamespace = attrs.field(repr=False)
    receiver: NetworkNamespace = attrs.field(repr=False)
    address: str
    port: int
    dscp: int
    offered: int = WITHOUT_LIMIT
    sent: int = 0
    arrivals: list[tuple[float, int]] = attrs.field(factory=list, repr=False)

    @property
    def arrived(self) -> int:
        """How many have arrived."""
        return len(self.arrivals)

    @property
    def dscps(self) -> set[int]:
        """What they were marked with."""
        return {dscp for _moment, dscp in self.arrivals}

    def most(self, window: float) -> float:
        """Give the most kilobits that arrived within so many seconds."""
        moments = sorted(moment for moment, _dscp in self.arrivals)
        first, most = 0, 0
        for index, moment in enumerate(moments):
            while moment - moments[first] > window:
                first += 1
            most = max(most, index - first + 1)
        return most * KILOBITS


class Streams:
    """Streams that flow as long as this context manager is open."""

    def __init__(self, streams: Iterable[Stream]) -> None:
        self.streams = tuple(streams)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streams")
        self._stack = contextlib.ExitStack()
        self._ends: list[tuple[Stream, socket.socket, socket.socket]] = []

    def __enter__(self) -> Self:
        for each in self.streams:
            out = self._stack.enter_context(open_socket(each.source, socket.AF_INET, socket.SOCK_DGRAM))
            into = self._stack.enter_context(open_socket(each.receiver, socket.AF_INET, socket.SOCK_DGRAM))
            into.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            into.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            into.bind((each.address, each.port))
            out.connect((each.address, each.port))
            self._ends.append((each, out, into))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._stack.close()

    def flow_on(self, number: int) -> None:
        """Wait until so many more datagrams of each stream without a limit have arrived."""
        wanted = {each: each.arrived + number for each in self.streams if each.offered == WITHOUT_LIMIT}
        end = time.monotonic() + TIMEOUT
        while any(each.arrived < least for each, least in wanted.items()):
            assert time.monotonic() < end, [each for each, least in wanted.items() if each.arrived < least]
            time.sleep(TICK)

    def forget(self) -> None:
        """Count from now on."""
        for each in self.streams:
            each.arrivals, each.sent = [], 0

    def _run(self) -> None:
        due = dict.fromkeys(self.streams, 0.0)
        before = time.monotonic()
        while not self._ended.wait(TICK):
            now = time.monotonic()
            for stream, out, into in self._ends:
                due[stream] = min(due[stream] + (now - before) * stream.offered / KILOBITS, 50)
                while due[stream] >= 1:
                    due[stream] -= 1
                    with contextlib.suppress(BlockingIOError):
                        out.send(bytes(PAYLOAD))
                        stream.sent += 1
                _receive(stream, into)
            before = now
        time.sleep(0.5)
        for stream, _out, into in self._ends:
            _receive(stream, into)


def _receive(stream: Stream, into: socket.socket) -> None:
    """Take what has arrived."""
    while True:
        try:
            _, ancillary, _, _ = into.recvmsg(2048, 128)
        except BlockingIOError:
            return
        values = {kind: data for _level, kind, data in ancillary}
        seconds, nanoseconds = struct.unpack("qq", values[SO_TIMESTAMPNS])
        stream.arrivals.append((seconds + nanoseconds / 1e9, values[socket.IP_TOS][0] >> 2))
