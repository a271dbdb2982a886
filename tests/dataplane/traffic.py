"""UDP between namespaces, sent and counted in this process: what arrives, marked how, and how much of a burst.

In: namespaces, addresses, ports. Out: for each flow the DSCP values that its datagrams arrived with, or the part of a
burst that got through. The rule: a datagram carries the tag of its flow, and only tagged ones count.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from types import TracebackType
from typing import Self

import attrs

from tests.dataplane.capture import Capture
from tests.dataplane.namespaces import open_socket
from tests.services.chassis import NetworkNamespace

Address = IPv4Address | IPv6Address

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_MAGIC = b"nqosd"
_TAG = struct.Struct("!5sII")
_tags = count(1)

PAYLOAD = 1200
"""Bytes of a datagram of a burst."""
HEADERS = {4: 14 + 20 + 8, 6: 14 + 40 + 8}
"""Bytes that a meter counts beside the payload: Ethernet, IP, UDP."""
COPIES = 3
"""Datagrams that ask for a mark; all of them must arrive, and agree."""
TIMEOUT = 20.0
"""Seconds to wait for a datagram that doesn't come."""
AFTERGLOW = 0.1
"""Seconds without a datagram after which everything of a burst has arrived."""
CLUMP = 4
"""Datagrams of a flow that are sent in one go, where all of them are to arrive."""


@attrs.frozen(eq=False)
class Flow:
    """Datagrams from a namespace to an address and port; `tag` tells them apart from all others."""

    source: NetworkNamespace
    destination: Address
    port: int
    tag: int = attrs.field(factory=lambda: next(_tags))

    @property
    def frame_kilobits(self) -> float:
        """Size of a datagram of a burst as a meter counts it."""
        return (PAYLOAD + HEADERS[self.destination.version]) * 8 / 1000


@attrs.frozen
class Marks:
    """How the datagrams of a flow were marked.

    Args:
        arrived: the DSCP of each at the receiver, in the order in which they were sent; None where it didn't arrive
        wire: every DSCP of each on the wire, Geneve's header included; empty where it didn't pass there
    """

    arrived: tuple[int | None, ...]
    wire: tuple[frozenset[int], ...]


@attrs.frozen
class Passed:
    """What got through of a burst: kilobits offered and received, within so many seconds, marked with these DSCPs."""

    offered: float
    received: float
    seconds: float
    dscp: frozenset[int]


class Traffic:
    """Senders and receivers; a context manager that closes their sockets."""

    def __init__(self) -> None:
        self._senders: dict[tuple[NetworkNamespace, int], socket.socket] = {}
        self._receivers: dict[tuple[NetworkNamespace, int, int], socket.socket] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def listen(self, namespace: NetworkNamespace, ports: Iterable[int]) -> None:
        """Receive what comes to these ports of a namespace, at any of its addresses."""
        for port in ports:
            for version, family in _FAMILIES.items():
                if (namespace, port, version) not in self._receivers:
                    opened = self._stack.enter_context(open_socket(namespace, family, socket.SOCK_DGRAM))
                    if version == 4:
                        opened.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
                    else:
                        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
                    opened.bind(("", port))
                    self._receivers[namespace, port, version] = opened

    def mark(self, flows: Sequence[Flow], wire: Capture) -> dict[Flow, Marks]:
        """Send a few datagrams of each flow, and see how they are marked where they arrive and on a wire.

        `wire` must have been entered before.
        """
        arrived: dict[tuple[int, int], int] = {}
        for number in range(COPIES):
            for flow in flows:
                self._send(flow, number, b"")
            self._wait_for({(flow.tag, number) for flow in flows}, arrived)
        passed: dict[tuple[int, int], set[int]] = {}
        for seen in wire.datagrams():
            values = {tos >> 2 for tos in (seen.tos, seen.outer_tos) if tos is not None}
            passed.setdefault(_read_tag(seen.payload), set()).update(values)
        return {
            flow: Marks(
                tuple(arrived.get((flow.tag, number)) for number in range(COPIES)),
                tuple(frozenset(passed.get((flow.tag, number), ())) for number in range(COPIES)),
            )
            for flow in flows
        }

    def burst(
        self, flows: Sequence[Flow], kbps: int, seconds: float, *, unlimited: Container[Flow] = ()
    ) -> dict[Flow, Passed]:
        """Send all flows at once, each at `kbps` for `seconds`, and count what gets through.

        Where this process had to wait for the processor, it sends what is due in one go, which a queue may lose; flows
        that are `unlimited` take longer instead, since all of them is to arrive.
        """
        arrived: dict[tuple[int, int], int] = {}
        sent, took = dict.fromkeys(flows, 0), dict.fromkeys(flows, seconds)
        fill = bytes(PAYLOAD - _TAG.size)
        start = time.monotonic()
        waiting = list(flows)
        while waiting:
            now = time.monotonic() - start
            for flow in tuple(waiting):
                due = int(kbps * min(now, seconds) / flow.frame_kilobits) + 1 - sent[flow]
                for _ in range(min(due, CLUMP) if flow in unlimited else due):
                    sent[flow] += 1
                    self._send(flow, COPIES + sent[flow], fill)
                if now >= seconds and (due <= CLUMP or flow not in unlimited):
                    waiting.remove(flow)
                    took[flow] = now
            arrived.update(self._collect())
            time.sleep(0.001)
        while late := self._late():
            arrived.update(late)
        found: dict[int, list[int]] = {flow.tag: [] for flow in flows}
        for (tag, _), dscp in arrived.items():
            found.get(tag, []).append(dscp)
        return {
            flow: Passed(
                offered=number * flow.frame_kilobits,
                received=len(found[flow.tag]) * flow.frame_kilobits,
                seconds=took[flow],
                dscp=frozenset(found[flow.tag]),
            )
            for flow, number in sent.items()
        }

    def _send(self, flow: Flow, number: int, fill: bytes) -> None:
        key = (flow.source, flow.destination.version)
        if key not in self._senders:
            opened = open_socket(flow.source, _FAMILIES[flow.destination.version], socket.SOCK_DGRAM)
            self._senders[key] = self._stack.enter_context(opened)
        with contextlib.suppress(BlockingIOError):  # a full queue is a lost datagram, as on any wire
            self._senders[key].sendto(_TAG.pack(_MAGIC, flow.tag, number) + fill, (str(flow.destination), flow.port))

    def _wait_for(self, wanted: AbstractSet[tuple[int, int]], arrived: dict[tuple[int, int], int]) -> None:
        """Collect until all of these have arrived, or patience is at its end."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end and not wanted <= arrived.keys():
            time.sleep(0.005)
            arrived.update(self._collect())

    def _late(self) -> dict[tuple[int, int], int]:
        """Wait a little, and take what has arrived."""
        time.sleep(AFTERGLOW)
        return self._collect()

    def _collect(self) -> dict[tuple[int, int], int]:
        """Take what has arrived: DSCP by tag and number."""
        arrived = {}
        for opened in self._receivers.values():
            while True:
                try:
                    payload, ancillary, _, _ = opened.recvmsg(2048, 64)
                except BlockingIOError:
                    break
                arrived[_read_tag(payload)] = ancillary[0][2][0] >> 2
        return arrived


def _read_tag(payload: bytes) -> tuple[int, int]:
    """Read tag and number; (0, 0), which no flow has, where there is none."""
    if len(payload) < _TAG.size:
        return 0, 0
    magic, tag, number = _TAG.unpack_from(payload)
    return (int(tag), int(number)) if magic == _MAGIC else (0, 0)
