"""What a test does inside network namespaces: commands, veth pairs, and sockets that it reads and writes itself.

In: running `NetworkNamespace`s. Out: interfaces in them, and sockets that stay in their namespace for good. The rule:
the test process itself never leaves its own namespace; one thread visits the others.
"""

import concurrent.futures
import ctypes
import os
import socket
from collections.abc import Iterable

import attrs

from tests.services.chassis import NetworkNamespace

CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 16 * 1024 * 1024

POD_MTU = 1400
"""What Geneve leaves of 1500 bytes, and a little."""

_libc = ctypes.CDLL(None, use_errno=True)
_VISITOR = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="namespace-visitor")


@attrs.frozen
class End:
    """One end of a veth pair: the namespace that it lies in and its name there, at most 15 characters."""

    namespace: NetworkNamespace
    name: str


def run_script(namespace: NetworkNamespace, lines: Iterable[str]) -> str:
    """Run lines of shell inside, and return what they print.

    Raises:
        ServiceError: a line failed; carries what it said.
    """
    return namespace.run([*namespace.enter, "sh", "-ec", "\n".join(lines)])


def lay(pairs: Iterable[tuple[End, End]]) -> None:
    """Make veth pairs, both ends down."""
    for a, b in pairs:
        ends = [("name", end.name, "netns", str(end.namespace.pid)) for end in (a, b)]
        a.namespace.run(["ip", "link", "add", *ends[0], "type", "veth", "peer", *ends[1]])


def bring_up(name: str, *, mtu: int = 1500) -> list[str]:
    """Return the lines that turn an interface on, without offloads.

    A checksum that is left to the network card is never computed by the userspace datapath, and TCP through address
    translation then delivers nothing.
    """
    return [
        f"ethtool -K {name} tx off tso off gso off gro off >/dev/null",
        f"ip link set {name} mtu {mtu} addrgenmode none up",
    ]


def open_socket(namespace: NetworkNamespace, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Open a socket inside, which never blocks and holds many packets."""
    opened = _VISITOR.submit(_open_inside, namespace.pid, family, kind, protocol).result()
    opened.settimeout(0)
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    return opened


def _open_inside(pid: int, family: int, kind: int, protocol: int) -> socket.socket:
    with open("/proc/thread-self/ns/net") as home, open(f"/proc/{pid}/ns/net") as there:  # noqa: PTH123
        _enter(there.fileno())
        try:
            return socket.socket(family, kind, protocol)
        finally:
            _enter(home.fileno())


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
