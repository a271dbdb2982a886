"""The IDL of python-ovs 4.0.0, which believes only what was asked for and waits for nothing for ever.

In: the session's messages. Out: to python-ovs, those that it can bear. The rule: whatever a server sends or keeps back,
either the handshake goes on or the connection is dropped with a reason that names the step.
"""

import time
import uuid
from collections.abc import Sequence

from ovs.db import idl
from ovs.jsonrpc import Message
from ovs.poller import Poller

from nqosd.ovsdb import responses, schema
from nqosd.ovsdb.connection import FramedConnection, Request
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.session import FramedSession

ANSWER_WITHIN = 30.0
"""Seconds until the connection is given up for an answer to come, or to go on coming: that of the monitor may be long.

A server that says nothing at all is noticed before, by the probe, except while it puts together what we monitor."""

_NOTHING_SEEN = str(uuid.UUID(int=0))


class CheckedIdl(idl.Idl):  # type: ignore[misc] # python-ovs ships no types
    """Connects for ever. Nothing is connected before the first `run`."""

    _session: FramedSession
    _request_id: object

    def __init__(self, options: Options, remotes: Sequence[str], tables: idl.SchemaHelper) -> None:
        super().__init__(",".join(remotes), tables)
        self._session.close()
        self._session = FramedSession(remotes, options.probe_interval, options.tls)
        self._session.on_message = self._intercept
        self.session: FramedSession = self._session
        self._probe_interval = options.probe_interval
        self._schema_request: object = None
        self._monitors: tuple[str, ...] = (str(self.uuid),)
        self._is_distrusted = False
        """Whether the next connection begins with nothing, because what is known isn't what a server holds."""

    @property
    def is_synced(self) -> bool:
        """Whether the replica is what the server holds, but for what is on its way, and who has the lock is known."""
        return self.is_current and self._lock_request_id is None

    @property
    def is_current(self) -> bool:
        """Whether the replica is what the server holds, whoever has the lock."""
        is_monitoring: bool = self.state == self.IDL_S_MONITORING
        return is_monitoring and self.session.reconnect.is_connected() and self.session.get_seqno() == self._last_seqno

    def restart_fsm(self) -> None:
        """Begin on a new connection: ask for the schema before anything else."""
        request = Message.create_request("get_schema", [schema.DATABASE])
        self.state = self.IDL_S_INITIAL
        self._schema_request = request.id
        self._monitors = (str(self.uuid),)
        if self._is_distrusted:
            self._is_distrusted = False
            self.last_id = _NOTHING_SEEN
        self.send_request(request)

    def compose_cond_change(self) -> Message | None:
        """Rename the monitor with its condition; until the server knows, updates come under the old name."""
        before = str(self.uuid)
        request = super().compose_cond_change()
        self._monitors = (before, str(self.uuid))
        return request

    def run(self) -> bool:
        """Take what came, and give up a connection on which an answer doesn't come."""
        has_changed = bool(super().run())
        connection = self.session.connection
        if connection is not None:
            self._check_deadlines(connection)
        return has_changed

    def wait(self, poller: Poller) -> None:
        """Say what to wait for. python-ovs would not wait at all while it has a condition to send and no connection."""
        self.session.wait(poller)
        self.session.recv_wait(poller)
        if self.cond_changed and self.is_synced and self._request_id is None:
            poller.immediate_wake()

    def resync(self, reason: str) -> None:
        """Drop the connection and everything that is known, because it can't be trusted."""
        self._is_distrusted = True  # python-ovs sets last_id after it has called us
        self._refuse(reason)

    def _refuse(self, problem: str) -> None:
        self.state = self.IDL_S_INITIAL
        self.session.drop(problem)
        self.session.reconnect.set_backoff_free_tries(0)

    def _check_deadlines(self, connection: FramedConnection) -> None:
        requests = connection.requests.values()
        is_syncing = any(request.method == "monitor_cond_since" for request in requests)
        self.session.reconnect.set_probe_interval(0 if is_syncing else round(self._probe_interval * 1000))
        moment = time.monotonic() - ANSWER_WITHIN
        if connection.holds_message or connection.progress > moment:
            return
        if late := next((request for request in requests if request.sent < moment), None):
            self._refuse(f"the server didn't answer {late} within {ANSWER_WITHIN:g} s")
        elif not requests and not self.is_synced:
            self._refuse(f"nothing came of the connection within {ANSWER_WITHIN:g} s")

    def _intercept(self, message: Message) -> bool:
        """Take what python-ovs doesn't know of, passes over in silence, or would believe although nobody asked."""
        if message.type == Message.T_NOTIFY:
            return self._intercept_notification(str(message.method), message.params)
        if message.type == Message.T_REQUEST:
            return False
        identifier = message.id if type(message.id) is int else None
        if identifier in self._outstanding_txns:
            return False
        connection = self.session.connection
        request = connection.requests.pop(identifier, None) if connection is not None else None
        return request is None or self._intercept_answer(request, message)

    def _intercept_answer(self, request: Request, message: Message) -> bool:
        if message.id == self._request_id:
            self._request_id = None
        if message.id == self._schema_request:
            self._schema_request = None
            self._begin(schema.find_missing(message.error if message.type == Message.T_ERROR else message.result))
            return True
        awaited = (
            self._server_schema_request_id,
            self._server_monitor_request_id,
            self._monitor_request_id,
            self._lock_request_id,
        )
        if message.id not in awaited and request.method != "monitor_cond_change":
            return True
        if wrong := responses.find_wrong(request, message):
            self.resync(wrong)  # it may be what was last seen that it refuses
            return True
        return False

    def _intercept_notification(self, method: str, params: list[object]) -> bool:
        about = params[0] if params else None
        if method in {"update", "update2", "update3"}:
            return self._intercept_update(method, params)
        if method == "locked":  # before the answer it can only be about an earlier request
            return self._lock_request_id is not None
        return method == "monitor_canceled" and about not in (*self._monitors, str(self.server_monitor_uuid))

    def _intercept_update(self, method: str, params: list[object]) -> bool:
        monitor = params[0] if params else None
        if monitor == str(self.server_monitor_uuid):
            is_awaited = self.server_tables is not None
        elif monitor in self._monitors:
            is_awaited = self.state == self.IDL_S_MONITORING  # else everything is going to be sent anew
        else:
            self._refuse(f"the server sent an update of {responses.excerpt(monitor)}, which nobody monitors")
            return True
        if is_awaited and not responses.is_update(method, params):
            self.resync(f"an update is not of the right form: {responses.excerpt(params)}")
            return True
        return not is_awaited

    def _begin(self, lacking: str | None) -> None:
        if lacking is None:
            super().restart_fsm()
        else:
            self._refuse(lacking)
