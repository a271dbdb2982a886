"""Messages of an OVSDB server, mutated: one in place of the truth, at any step of the handshake or after it.

What must never be: a lock that the server didn't give; an IDL that doesn't come into step, with the lock, once the
server says the truth. An exception is no find by itself: the driver bears every one, and connects anew.
"""

import contextlib
import errno
import json
from collections import Counter
from collections.abc import Iterator
from unittest import mock

from ovs import stream, timeval

from nqosd.northbound.replica.idl import NorthboundIdl
from nqosd.northbound.replica.replica import Replica
from nqosd.ovsdb import checked_idl, connection, schema
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.framing import Framer
from nqosd.ovsdb.remotes import Remote

LOCK = "nqosd"
TURNS = 400
"""Seconds, with a turn in each: more than all deadlines of one connection, and a new one after it, take."""
STEPS = ("get_schema OVN_Northbound", "get_schema _Server", "monitor_cond", "monitor_cond_since", "lock")
SWITCH, SET, OTHER = (f"1f0e8f1c-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
ROWS = {
    "Address_Set": {SET: {"insert": {"name": "set_a", "addresses": "10.0.0.1"}}},
    "Logical_Switch": {SWITCH: {"insert": {"name": "node1"}}},
}
_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
_IDENTIFIER = {"type": {"key": {"type": "uuid"}, "min": 0}}
_COLUMNS = {"name": _TEXT, "model": _TEXT, "connected": _FLAG, "leader": _FLAG, "cid": _IDENTIFIER, "sid": _IDENTIFIER}
_OPTIONAL = {"schema": {"type": {"key": _TEXT, "min": 0}}, "index": {"type": {"key": {"type": "integer"}, "min": 0}}}
DATABASE = {"name": schema.DATABASE, "model": "standalone", "connected": True, "leader": True, "schema": "{}"}
ANSWERS: dict[str, object] = {
    "get_schema OVN_Northbound": schema.own_schema(),
    "get_schema _Server": {
        "name": "_Server",
        "version": "1.2.0",
        "tables": {"Database": {"columns": _COLUMNS | _OPTIONAL}},
    },
    "monitor_cond": {"Database": {OTHER: {"initial": DATABASE}}},
    "monitor_cond_since": [False, OTHER, ROWS],
    "lock": {"locked": True},
}
"""What the server answers in truth; anything else it answers with an empty object."""
SAID: tuple[dict[str, object], ...] = (
    {"id": None, "method": "locked", "params": [LOCK]},
    {"id": None, "method": "stolen", "params": [LOCK]},
    {"id": None, "method": "monitor_canceled", "params": ["MONITOR"]},
    {"id": None, "method": "update3", "params": ["MONITOR", OTHER, {"Address_Set": {SET: {"modify": {"name": "b"}}}}]},
    {"id": None, "method": "update3", "params": ["MONITOR", OTHER, {"Address_Set": {SET: {"delete": None}}}]},
    {"id": None, "method": "update2", "params": ["MONITOR", {"Address_Set": {OTHER: {"insert": {"name": "c"}}}}]},
    {"id": None, "method": "update", "params": ["MONITOR", {"QoS": {OTHER: {"new": {"priority": 1}}}}]},
    {"id": "probe", "method": "echo", "params": []},
    {"id": 0, "error": None, "result": [{"count": 1}, {"uuid": ["uuid", OTHER]}]},
    {"id": 0, "error": "unknown method", "result": None},
)
"""What it may say unasked; `MONITOR` stands for the name of the monitor, the number 0 for that of the last request."""


class _Clock:
    """A clock that goes on by a second for each turn."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        """Return seconds."""
        return self.seconds

    def msec(self) -> int:
        """Return milliseconds."""
        return int(self.seconds * 1000)


class _FakeServer:
    """A server in this process that tells the truth but for one message; it is its own stream, too."""

    name = "unix:/fuzz"

    def __init__(self, step: str, lie: bytes) -> None:
        self._step = step
        self._lie: bytes | None = lie
        self.open()

    def open(self) -> None:
        """Take a new connection."""
        self._framer = Framer()
        self._output = bytearray()
        self._lock_request: object = None
        self._monitor: object = None
        self._last: object = None
        self.may_have_lock = False
        """Whether the last word about the lock on this connection was that it is held."""
        self.has_refused_lock = False

    # What python-ovs uses of a stream.
    def run(self) -> None: ...
    def connect(self) -> int:
        return 0

    def close(self) -> None: ...
    def send(self, data: bytes) -> int:
        for message in self._framer.feed(bytes(data)):
            self._take(json.loads(message))
        return len(data)

    def recv(self, size: int) -> tuple[int, bytes]:
        found = bytes(self._output[:size])
        del self._output[:size]
        return (0, found) if found else (errno.EAGAIN, b"")

    def give_lock(self) -> None:
        """Say that the lock is held, where it was refused or stolen before."""
        self._say({"id": None, "method": "locked", "params": [LOCK]})

    def _take(self, said: dict[str, object]) -> None:
        method, params = said.get("method"), said.get("params")
        if method is None:
            return
        name = f"{method} {params[0]}" if method == "get_schema" and isinstance(params, list) else str(method)
        self._last = said["id"]
        if name == "lock":
            self._lock_request = said["id"]
        if name == "monitor_cond_since" and isinstance(params, list):
            self._monitor = params[1]
        if name == "echo":
            self._say({"id": said["id"], "error": None, "result": []})
            return
        if self._lie is not None and name == self._step:
            self._tell_lie()
            return
        self._say({"id": said["id"], "error": None, "result": ANSWERS.get(name, {})})
        if self._lie is not None and name == STEPS[-1] and not self._step:
            self._tell_lie()

    def _tell_lie(self) -> None:
        lie, self._lie = self._lie or b"", None
        lie = lie.replace(b'"id":0', b'"id":%d' % (self._last if isinstance(self._last, int) else 0))
        lie = lie.replace(b'"MONITOR"', json.dumps(self._monitor).encode())
        self._output += lie
        with contextlib.suppress(ValueError, RecursionError):
            self._note(json.loads(lie))

    def _say(self, said: dict[str, object]) -> None:
        self._note(said)
        self._output += json.dumps(said).encode()

    def _note(self, said: object) -> None:
        """Take note of what a message says about the lock, if it does."""
        if not isinstance(said, dict):
            return
        result = said.get("result")
        if said.get("id") == self._lock_request and isinstance(result, dict) and "locked" in result:
            self.may_have_lock = result["locked"] is True
            self.has_refused_lock = not self.may_have_lock
        is_notification = said.get("id") is None  # else it is a request, which nobody knows
        params = said.get("params")
        is_about_lock = isinstance(params, list) and params[:1] == [LOCK]
        if is_notification and is_about_lock and said.get("method") in ("locked", "stolen"):
            self.may_have_lock = said["method"] == "locked"
            self.has_refused_lock = not self.may_have_lock


class Messages:
    """The first byte of an input says which answer it stands for, or that it comes unasked after all of them."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        answers = [json.dumps({"id": 0, "error": None, "result": ANSWERS[step]}) for step in STEPS]
        said = [json.dumps(each) for each in SAID]
        texts = [text.replace(": ", ":").replace(", ", ",") for text in (*answers, *said)]
        self.seeds = [bytes([min(place, len(STEPS))]) + text.encode() for place, text in enumerate(texts)]

    def take(self, data: bytes) -> None:
        """Connect, tell the lie, and go on until the IDL is in step and has the lock; then do so without the lie."""
        step = (*STEPS, "")[data[0] % (len(STEPS) + 1)] if data else ""
        server, clock = _FakeServer(step, data[1:]), _Clock()

        def connect(_name: str) -> tuple[int, _FakeServer]:
            server.open()
            return 0, server

        with (
            mock.patch.object(stream.Stream, "open", connect),
            mock.patch.object(timeval, "msec", clock.msec),
            mock.patch.object(checked_idl, "time", clock),
            mock.patch.object(connection, "time", clock),
        ):
            idl = NorthboundIdl(Options(remotes=(Remote("unix:/fuzz"),)), ["unix:/fuzz"], Replica("nqosd"))
            self._come_into_step(idl, server, clock)
            idl.resync("what was told may have been a lie that nobody can tell")
            self._come_into_step(idl, server, clock)
            if (names := set(idl.replica.address_sets.names())) != {"set_a"}:
                raise AssertionError(f"the replica holds {sorted(names)}")
            idl.close()

    def _come_into_step(self, idl: NorthboundIdl, server: _FakeServer, clock: _Clock) -> None:
        for turn in self._turns(idl, clock):
            connection_ = idl.session.connection
            holds_lock = idl.holds_lock and connection_ is not None and not connection_.status
            if holds_lock and not server.may_have_lock:
                raise AssertionError("a lock that the server didn't give")
            if holds_lock and turn > 0:
                return
            if idl.is_synced and server.has_refused_lock:
                server.give_lock()
        raise AssertionError(f"not in step: {idl.state}, {idl.session.reason}, {idl.session.lost}")

    def _turns(self, idl: NorthboundIdl, clock: _Clock) -> Iterator[int]:
        for turn in range(TURNS):
            try:
                idl.run()
            except Exception as error:  # noqa: BLE001 (as the driver does)
                self.seen[f"borne: {type(error).__name__}"] += 1
                idl.resync(str(error))
            yield turn
            clock.seconds += 1
