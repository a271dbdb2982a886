"""The JSON-RPC session: python-ovs's reconnecting session with our connection in it, and a word on why it was lost.

In: remotes as python-ovs takes them. Out: messages, but those that `on_message` took for itself. The rule: a silent
server is noticed on every kind of remote; python-ovs itself never probes unix sockets.
"""

import os
from collections.abc import Callable, Sequence

from ovs import timeval
from ovs.jsonrpc import EOF, Connection, Message, Session
from ovs.reconnect import Reconnect
from ovs.stream import Stream

from nqosd.ovsdb.connection import FramedConnection
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.tls import TlsStream

BACKOFF = (1000, 2000)
"""Milliseconds between two attempts, at least and at most: a database that is back is found within two seconds."""

_ATTEMPTS = (Reconnect.Backoff, Reconnect.ConnectInProgress)


class ExplainingReconnect(Reconnect):  # type: ignore[misc] # python-ovs ships no types
    """Remembers why the last connection or attempt ended (`reason`), and why the last connection did (`lost`)."""

    def __init__(self, details: Callable[[], str]) -> None:
        super().__init__(timeval.msec())
        self.reason = ""
        self.lost = ""
        self._details = details

    def disconnected(self, now: float, error: int) -> None:
        """Note the reason, then back off."""
        if self.state is not Reconnect.Reconnect:  # that one is ours: whoever forced it has said why
            self.reason = self._details() or self._describe(error)
        if self.state not in _ATTEMPTS:
            self.lost = self.reason
        super().disconnected(now, error)

    def _describe(self, error: int) -> str:
        if error > 0:
            return os.strerror(error)
        if error == EOF:
            return "closed by the server"
        if self.state is Reconnect.Idle:
            return f"no sign of life for {2 * self.probe_interval / 1000:g} s"
        return "no answer to the attempt to connect"


class FramedSession(Session):  # type: ignore[misc] # python-ovs ships no types
    """A session that reconnects for ever, over the given remotes in turn."""

    def __init__(self, remotes: Sequence[str], probe_interval: float, tls: TlsFiles | None) -> None:
        self.on_message: Callable[[Message], bool] = lambda _message: False
        self._tls = tls
        self.remotes: list[str]
        self.rpc: Connection | None
        reconnect = ExplainingReconnect(self._details)
        reconnect.set_backoff(*BACKOFF)
        super().__init__(reconnect, None, list(remotes))
        self.pick_remote()
        reconnect.enable(timeval.msec())
        reconnect.set_backoff_free_tries(len(remotes))
        reconnect.set_probe_interval(round(probe_interval * 1000))

    @property
    def connection(self) -> FramedConnection | None:
        """The connection, while there is one."""
        return self.rpc if isinstance(self.rpc, FramedConnection) else None

    @property
    def pending_stream(self) -> Stream | None:
        """The stream that is being connected, while there is one."""
        return self.stream

    @property
    def reason(self) -> str:
        """Why the last connection, or attempt at one, ended."""
        return str(self.reconnect.reason)

    @property
    def lost(self) -> str:
        """Why the last connection ended."""
        return str(self.reconnect.lost)

    def drop(self, reason: str) -> None:
        """Give the connection up; the next `run` closes it and backs off before another attempt."""
        self.reconnect.reason = self.reconnect.lost = reason
        self.force_reconnect()

    def set_remotes(self, remotes: Sequence[str]) -> None:
        """Use other addresses from the next attempt on."""
        if set(remotes) != set(self.remotes):
            self.remotes = list(remotes)
            self.next_remote = 0

    def run(self) -> None:
        """Connect, send, probe, give up: whatever is due now."""
        if self._tls is not None:
            TlsStream.use(self._tls)
        super().run()
        connection = self.rpc
        if connection is not None and not isinstance(connection, FramedConnection):
            self.rpc = FramedConnection(connection.stream)

    def recv(self) -> Message | None:
        """Return the next message that isn't taken by `on_message`, or None when none can be had now."""
        while (message := super().recv()) is not None:
            if not self.on_message(message):
                return message
        return None

    def _details(self) -> str:
        if self.rpc is not None:
            return str(getattr(self.rpc, "failure", ""))
        return TlsStream.failure if self.reconnect.get_name().startswith("ssl:") else ""
