"""Packets on a wire: what they are, and what Geneve wraps around them.

In: frames of an interface. Out: for each IP packet its DSCP, and the DSCP of the outer header where it is wrapped. The
rule: only what a test marked as its own (the payload of a UDP datagram) counts.
"""

import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import attrs

from tests.dataplane.namespaces import open_socket
from tests.services.chassis import NetworkNamespace

ETH_P_ALL = 3
GENEVE_PORT = 6081
UDP = 17
_IP4, _IP6 = 0x0800, 0x86DD
_ETHERNET = 14
_UDP_HEADER = 8
_FRAME = 65535


@attrs.frozen
class Seen:
    """A datagram on the wire: its payload, the TOS byte of its IP header, and that of Geneve's, if it is wrapped."""

    payload: bytes
    tos: int
    outer_tos: int | None


class Capture:
    """A watch on an interface from `__enter__` on; a context manager."""

    def __init__(self, namespace: NetworkNamespace, interface: str) -> None:
        self._namespace = namespace
        self._interface = interface

    def __enter__(self) -> Self:
        self._socket = open_socket(self._namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((self._interface, ETH_P_ALL))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def datagrams(self) -> Iterator[Seen]:
        """Give what passed since the last call."""
        while True:
            try:
                frame = self._socket.recv(_FRAME)
            except BlockingIOError:
                return
            seen = read_frame(frame)
            if seen is not None:
                yield seen


def read_frame(frame: bytes) -> Seen | None:
    """Read an Ethernet frame; None if no UDP datagram is in it."""
    found = _datagram(frame)
    if found is None:
        return None
    tos, port, payload = found
    if port != GENEVE_PORT:
        return Seen(payload, tos, None)
    options = (payload[0] & 0x3F) * 4
    inner = _datagram(payload[8 + options :])
    return None if inner is None else Seen(inner[2], inner[0], tos)


def _datagram(frame: bytes) -> tuple[int, int, bytes] | None:
    """Give the TOS byte, the destination port and the payload."""
    packet = frame[_ETHERNET:]
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _IP4:
        tos, protocol, start = packet[1], packet[9], (packet[0] & 0xF) * 4
    elif kind == _IP6:
        tos, protocol, start = (struct.unpack_from("!H", packet)[0] >> 4) & 0xFF, packet[6], 40
    else:
        return None
    if protocol != UDP:
        return None
    port, length = struct.unpack_from("!HH", packet, start + 2)
    return tos, port, packet[start + _UDP_HEADER : start + length]
