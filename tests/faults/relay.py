"""A relay on loopback that stands between a client and a server, and misbehaves when told to.

In: where the server is. Out: a port that leads there. The rule: bytes are passed on unchanged and in order until a
fault is asked for; what it has taken and not yet passed on is lost when a connection ends, as on a real line.
"""

import contextlib
import socket
import threading
import time
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 16384


class Way(StrEnum):
    """A direction: UP to the server, DOWN to the client."""

    UP = "up"
    DOWN = "down"


class Relay:
    """A context manager; `target` is the path of a unix socket or a port of the loopback address.

    `listener` is a socket that listens already, in another network namespace for example.
    """

    def __init__(self, target: Path | int, *, listener: socket.socket | None = None) -> None:
        self.target = target
        """Where connections are led to."""
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._gates = {way: threading.Event() for way in Way}
        self._budgets: dict[Way, int | None] = dict.fromkeys(Way)
        self._wrong: dict[Way, int | None] = dict.fromkeys(Way)
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._frozen: set[tuple[socket.socket, socket.socket]] = set()
        self._refuses = False
        self._rate: float | None = None
        self.passed = dict.fromkeys(Way, 0)
        """Bytes that were passed on so far."""
        self.taken = dict.fromkeys(Way, 0)
        """Bytes that were taken so far; those that a hold keeps back count."""
        for gate in self._gates.values():
            gate.set()

    @property
    def remote(self) -> str:
        """How OVSDB names it: `tcp:127.0.0.1:PORT`."""
        return f"tcp:127.0.0.1:{self.port}"

    def hold(self, *ways: Way) -> None:
        """Pass nothing on, in these directions, until `let_go`; connections stay open."""
        for way in ways or Way:
            self._gates[way].clear()

    def freeze(self) -> None:
        """Let every connection that is there hang for ever, without closing it; new ones work."""
        with self._lock:
            self._frozen |= self._pairs

    def cut(self) -> None:
        """Close every connection; new ones are welcome."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._close(pair)

    def cut_after(self, way: Way, size: int) -> None:
        """Close every connection as soon as that many more bytes were passed on in this direction."""
        self._budgets[way] = size

    def is_cut(self, way: Way) -> bool:
        """Return whether what `cut_after` announced has happened."""
        return self._budgets[way] is None

    def refuse(self) -> None:
        """Close every connection, and each new one at once, until `let_go`."""
        self._refuses = True
        self.cut()

    def lead_to(self, target: Path | int) -> None:
        """Lead somewhere else from now on; connections that are there are closed."""
        self.target = target
        self.cut()

    def garble_after(self, way: Way, size: int) -> None:
        """Invert one byte, once, after so many more in this direction: then a text of ASCII is no UTF-8 any more."""
        self._wrong[way] = size

    def slow_down(self, rate: float) -> None:
        """Pass on so many bytes a second only."""
        self._rate = rate

    def let_go(self) -> None:
        """End every fault."""
        self._refuses = False
        self._rate = None
        self._budgets = dict.fromkeys(Way)
        self._wrong = dict.fromkeys(Way)
        for gate in self._gates.values():
            gate.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=f"relay {self.port}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._refuses = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for gate in self._gates.values():
            gate.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            for way, source, sink in ((Way.UP, client, server), (Way.DOWN, server, client)):
                threading.Thread(target=self._pump, args=(way, source, sink, pair), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self.target, int):
            return socket.create_connection(("127.0.0.1", self.target))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.target))
        except OSError:
            server.close()
            raise
        return server

    def _pump(
        self, way: Way, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self.taken[way] += len(data)
                self._gates[way].wait()
                if pair in self._frozen:
                    continue
                if self._rate is not None:
                    time.sleep(len(data) / self._rate)
                data = self._within_budget(way, self._garbled(way, data))
                sink.sendall(data)
                self.passed[way] += len(data)
                if self._budgets[way] == 0:
                    self._budgets[way] = None
                    self.cut()
        self._close(pair)

    def _garbled(self, way: Way, data: bytes) -> bytes:
        with self._lock:
            place = self._wrong[way]
            if place is None:
                return data
            self._wrong[way] = None if place < len(data) else place - len(data)
            if place >= len(data):
                return data
            return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]

    def _within_budget(self, way: Way, data: bytes) -> bytes:
        with self._lock:
            budget = self._budgets[way]
            if budget is None:
                return data
            data = data[:budget]
            self._budgets[way] = budget - len(data)
            return data

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for each in pair:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
