"""A witness: an OVSDB client of its own that sees when rows change, beside the daemon and unknown to it.

In: the socket of an ovsdb-server. Out: how many rows and members there are, how many transactions changed them, and
when each address was first seen. Rule: it knows the protocol (RFC 7047, ovsdb-server(7)) and nothing of the
daemon, except how its sets are called; its clock is CLOCK_MONOTONIC, read before a message is decoded.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self, cast

from nqosd.ovsdb.framing import Framer

DATABASE = "OVN_Northbound"
PREFIX = "nqosd_"
RECEIVE = 1 << 18
_COLUMNS = {"Address_Set": ["name", "addresses"], "QoS": ["priority"], "Logical_Switch": ["qos_rules"]}
_Update = Mapping[str, Mapping[str, Mapping[str, object]]]


class OvsdbClient:
    """One connection: requests, and notifications until the answer comes."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._framer = Framer()
        self._id = 0

    def call(self, method: str, params: object) -> object:
        """Send a request and wait for its answer.

        Raises:
            RuntimeError: the server answered with an error.
        """
        self._id += 1
        self._socket.sendall(json.dumps({"id": self._id, "method": method, "params": params}).encode())
        while True:
            for _moment, message in self.receive():
                if message.get("id") == self._id and "method" not in message:
                    if message.get("error"):
                        raise RuntimeError(f"{method}: {message['error']}")
                    return message["result"]

    def receive(self, timeout: float | None = None) -> list[tuple[float, Mapping[str, object]]]:
        """Wait for bytes; gives the messages that became whole, each with when its end came. Answers echo requests.

        Raises:
            TimeoutError: nothing came.
        """
        self._socket.settimeout(timeout)
        data = self._socket.recv(RECEIVE)
        moment = time.monotonic()
        if not data:
            raise ConnectionError("the server closed the connection")
        messages = [json.loads(text) for text in self._framer.feed(data)]
        for message in messages:
            if message.get("method") == "echo":
                answer = {"id": message["id"], "result": message["params"], "error": None}
                self._socket.sendall(json.dumps(answer).encode())
        return [(moment, message) for message in messages]

    def batches(self) -> Iterator[list[tuple[float, Mapping[str, object]]]]:
        """Give what `receive` does, until the connection ends."""
        while True:
            try:
                received = self.receive()
            except OSError:
                return
            yield received

    def close(self) -> None:
        """End the connection, and with it a `receive` that waits."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Monitor:
    """Follows address sets, QoS rows and their attachments in a thread; a context manager."""

    def __init__(self, path: Path) -> None:
        self._client = OvsdbClient(path)
        self._changed = threading.Condition()
        self._sets: dict[str, set[str]] = {}
        self._switches: dict[str, set[str]] = {}
        self.rows = 0
        self.attached = 0
        self.members = 0
        self.transactions = 0
        self.moment = 0.0
        """When the last change was seen."""
        self.seen: dict[str, float] = {}
        """When each address first came."""
        self._thread = threading.Thread(target=self._run, name="monitor")

    def wait(self, holds: Callable[["Monitor"], bool], seconds: float) -> float:
        """Wait until something holds; gives the moment of the change that made it so.

        Raises:
            TimeoutError: it didn't hold in time; says what there is.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self), seconds):
                there = f"{self.rows} rows, {self.attached} attached, {self.members} members"
                raise TimeoutError(f"after {seconds:g} s: {there}")
            return self.moment

    def __enter__(self) -> Self:
        requests = {table: {"columns": columns} for table, columns in _COLUMNS.items()}
        self._apply(cast("_Update", self._client.call("monitor_cond", [DATABASE, "bench", requests])))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._thread.join()

    def _run(self) -> None:
        for received in self._client.batches():
            with self._changed:
                for moment, message in received:
                    if message.get("method") == "update2":
                        self.moment = moment
                        self._apply(cast("list[_Update]", message["params"])[1])
                self._changed.notify_all()

    def _apply(self, updates: _Update) -> None:
        touched = False
        for uuid, happened in updates.get("Address_Set", {}).items():
            touched |= self._address_set(uuid, happened)
        for happened in updates.get("QoS", {}).values():
            self.rows += ("insert" in happened or "initial" in happened) - ("delete" in happened)
            touched = True
        for uuid, happened in updates.get("Logical_Switch", {}).items():
            attached = self._switches.setdefault(uuid, set())
            self.attached -= len(attached)
            attached ^= set(_elements(_columns(happened).get("qos_rules", ["set", []])))
            self.attached += len(attached)
        self.transactions += touched and self.moment > 0.0

    def _address_set(self, uuid: str, happened: Mapping[str, object]) -> bool:
        """Take what happened to a set; says whether it was one of the daemon's."""
        columns = _columns(happened)
        if uuid not in self._sets and not str(columns.get("name", "")).startswith(PREFIX):
            return False
        members = self._sets.setdefault(uuid, set())
        self.members -= len(members)
        toggled = members.copy() if "delete" in happened else _elements(columns.get("addresses", ["set", []]))
        members.symmetric_difference_update(toggled)
        self.members += len(members)
        for address in toggled:
            self.seen.setdefault(address, self.moment)
        if "delete" in happened:
            del self._sets[uuid]
        return True


def _columns(happened: Mapping[str, object]) -> Mapping[str, object]:
    """Give the columns of a `<row-update2>`."""
    return cast("Mapping[str, object]", next(iter(happened.values())) or {})


def _elements(value: object) -> list[str]:
    """Decode a set of strings or uuids; one alone may come without the word `set`."""
    if isinstance(value, str):
        return [value]
    tag, content = cast("list[object]", value)
    if tag == "uuid":
        return [str(content)]
    return [each if isinstance(each, str) else each[1] for each in cast("list[str | list[str]]", content)]
