"""One connection to an OVSDB server, as python-ovs's session sees it, but with fast framing.

In: a connected stream. Out: JSON-RPC messages, one at a time, and which requests haven't been answered yet. The rule: a
message too long to decode without holding up the event loop (`LIGHT`) waits, and `heavy` says so, until `recv` is
called from where it may take its time.

It replaces `ovs.jsonrpc.Connection` of python-ovs 4.0.0, whose parser is slow, which loses a character that is cut by
two reads, and which copies all output for each piece that the socket takes.
"""

import errno
import time
from collections import deque

import msgspec
from ovs.jsonrpc import EOF, Connection, Message
from ovs.poller import Poller
from ovs.stream import Stream

from nqosd.ovsdb.framing import Framer, FramingError, decode, decode_envelope, encode

CHUNK = 1 << 16
"""Bytes of one read; larger ones cost more in allocation than they save in calls."""

BUDGET = 1 << 22
"""Bytes after which reading pauses for the rest of the event loop; 4 MiB take about 5 ms."""

LIGHT = 1 << 18
"""Bytes of a message that may be decoded in the event loop; 256 KiB take about 5 ms, their rows included."""


_TIMED_ELSEWHERE = ("echo", "transact")
"""Requests whose answers others wait for: the probe's by python-ovs, those of transactions by who sent them."""


class Request(msgspec.Struct, frozen=True):
    """A request that hasn't been answered; `sent` is a moment of `time.monotonic`."""

    method: str
    about: str
    sent: float

    def __str__(self) -> str:
        return f"{self.method} {self.about}".strip()


class FramedConnection(Connection):  # type: ignore[misc] # python-ovs ships no types
    """Reads bytes, cuts them into messages, decodes one for each `recv`; sends without copying what remains."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.output = bytearray()
        self.accepts_heavy = False
        self.failure = ""
        """Why the connection was given up, in words, where the error number doesn't say."""
        self.requests: dict[object, Request] = {}
        """Those that haven't been answered, by their ids; taken out by who takes the answer."""
        self.progress = time.monotonic()
        """When bytes of a message that isn't whole yet came last, or the connection was made."""
        self._framer = Framer()
        self._messages: deque[bytes] = deque()

    @property
    def heavy(self) -> bool:
        """Whether the next message is too long for the event loop."""
        return bool(self._messages) and len(self._messages[0]) > LIGHT

    @property
    def holds_message(self) -> bool:
        """Whether a message has come that wasn't taken yet."""
        return bool(self._messages)

    def send(self, message: Message) -> int:
        """Queue a message and send what the socket takes now; return 0 or an error number."""
        if self.status:
            return int(self.status)
        if message.type == Message.T_REQUEST and message.method not in _TIMED_ELSEWHERE:
            about = message.params[0] if isinstance(message.params[0], str) else ""
            self.requests[message.id] = Request(message.method, about, time.monotonic())
        waiting = bool(self.output)
        self.output += encode(message.to_json())
        if not waiting:
            self.run()
        return int(self.status)

    def run(self) -> None:
        """Send what the socket takes now."""
        while self.output and not self.status:
            sent = self.stream.send(self.output)
            if sent > 0:
                del self.output[:sent]
            elif sent == -errno.EAGAIN:
                return
            else:
                self.error(-sent or errno.EPIPE)

    def recv(self) -> tuple[int, Message | None]:
        """Return (0, the next message), or an error number and nothing: EAGAIN when none can be had now."""
        if not self._messages:
            self._read()
        if self._messages and (self.accepts_heavy or not self.heavy):
            text = self._messages.popleft()
            try:
                said = decode_envelope(text, LIGHT) if len(text) > LIGHT else decode(text)
                message = Message.from_json(said)
                if isinstance(message, Message):
                    return 0, message
                self._give_up(f"sent a message that is not JSON-RPC: {message:.200}")
            except FramingError as error:
                self._give_up(f"sent garbage: {error}")
        return self.status or errno.EAGAIN, None

    def recv_wait(self, poller: Poller) -> None:
        """Wake at once for a message that is whole already, else when bytes come."""
        if self.status or self._messages:
            poller.immediate_wake()
        else:
            self.stream.recv_wait(poller)

    def error(self, error: int) -> None:
        """Close the connection for good; what was queued is lost."""
        super().error(error)
        self.output = bytearray()
        self._messages.clear()

    def _read(self) -> None:
        """Read until a message is whole, the socket is empty or the budget is spent."""
        spent = 0
        while not self.status and not self._messages and spent < BUDGET:
            error, data = self.stream.recv(CHUNK)
            if error == errno.EAGAIN:
                return
            if error or not data:
                self.error(error or EOF)
                return
            spent += len(data)
            self.received_bytes += len(data)
            try:
                self._messages.extend(self._framer.feed(data))
            except FramingError as failure:
                self._give_up(f"sent garbage: {failure}")
            if self._framer.is_amid:
                self.progress = time.monotonic()

    def _give_up(self, failure: str) -> None:
        self.failure = failure
        self.error(errno.EPROTO)
