"""Bridges that have no room for a meter: one whose datapath is full, and one that says that it can have none.

In: a chassis. Out: the same chassis, in that state. Rule: the full datapath is a real one, filled by another bridge. A
bridge says beforehand that it has no room only with a kernel's datapath without meters, which no test can have: there
the answer to that one question is changed on its way, and everything else is real.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.services.chassis import Chassis

OTHER = "br-other"
_HEADER = struct.Struct("!BBHI")
_VERSION, _HELLO, _REPLY, _BARRIER, _BARRIER_REPLY, _METER_MOD = 4, 0, 19, 20, 21, 29
_FEATURES = 11


@contextlib.contextmanager
def full_datapath(chassis: Chassis) -> Iterator[None]:
    """Let another bridge on the same datapath have all of its meters."""
    bridge = ["add-br", OTHER, "--", "set", "bridge", OTHER, "datapath_type=netdev", "fail_mode=secure"]
    chassis.database.vsctl(*bridge)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(chassis.directory / f"{OTHER}.mgmt"))
        connection.settimeout(120)
        connection.sendall(_HEADER.pack(_VERSION, _HELLO, _HEADER.size, 0))
        connection.sendall(b"".join(map(_meter, range(1, meter_limit(chassis, OTHER) + 1))))
        connection.sendall(_HEADER.pack(_VERSION, _BARRIER, _HEADER.size, 1))
        reader = connection.makefile("rb")
        kind = _HELLO
        while kind != _BARRIER_REPLY:
            _version, kind, length, _transaction = _HEADER.unpack(reader.read(_HEADER.size))
            reader.read(length - _HEADER.size)
    yield
    chassis.database.vsctl("del-br", OTHER)


def _meter(number: int) -> bytes:
    """Write a message that adds a meter with one band of 1000 kbps."""
    return struct.pack("!BBHIHHIHHII4x", _VERSION, _METER_MOD, 32, 0, 0, 1, number, 1, 16, 1000, 0)


def meter_limit(chassis: Chassis, bridge: str) -> int:
    """Ask ovs-ofctl how many meters a bridge can have."""
    said = ofctl(chassis, "meter-features", bridge)
    return int(said.partition("max_meter:")[2].split()[0])


def ofctl(chassis: Chassis, *arguments: str) -> str:
    """Run ovs-ofctl; gives what it prints."""
    command = [*chassis.namespace.enter, chassis.generation.program("ovs-ofctl"), "-O", "OpenFlow13", *arguments]
    return chassis.database.run(command)


@contextlib.contextmanager
def says_no_room(socket_path: Path) -> Iterator[None]:
    """Stand between a bridge and all who manage it, and let it say that it can have no meter."""
    real = socket_path.rename(socket_path.with_suffix(".real"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path))
        server.listen()
        threading.Thread(target=_accept, args=(server, real), daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, real: Path) -> None:
    with contextlib.suppress(OSError):  # the end of the server
        while True:
            caller, _ = server.accept()
            bridge = socket.socket(socket.AF_UNIX)
            bridge.connect(str(real))
            threading.Thread(target=_copy, args=(caller, bridge), daemon=True).start()
            threading.Thread(target=_answer, args=(bridge, caller), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), target:
        while part := source.recv(1 << 16):
            target.sendall(part)


def _answer(bridge: socket.socket, caller: socket.socket) -> None:
    with contextlib.suppress(OSError), caller, bridge.makefile("rb") as answers:
        while header := answers.read(_HEADER.size):
            _version, kind, length, _transaction = _HEADER.unpack(header)
            body = bytearray(answers.read(length - _HEADER.size))
            if kind == _REPLY and struct.unpack_from("!H", body)[0] == _FEATURES:
                struct.pack_into("!I", body, 8, 0)
            caller.sendall(header + body)
