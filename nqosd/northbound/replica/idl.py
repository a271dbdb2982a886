"""The IDL of python-ovs 4.0.0 with our replica in place of its rows.

In: the session's messages. Out: a filled replica, a lock, transactions of raw operations. The rule: python-ovs keeps
the protocol (which member leads, which monitor, what was last seen, locks, replies); the contents are ours.

Two private methods are replaced, so the version is pinned, and the import fails where they are missing.
"""

import uuid
from collections.abc import Iterable, Sequence

from ovs.db import idl
from ovs.jsonrpc import Message
from ovs.poller import Poller

from nqosd.compiler.desired import OWNER
from nqosd.northbound.ovsdb import schema, wire
from nqosd.northbound.ovsdb.framing import FramingError, decode_updates
from nqosd.northbound.ovsdb.options import Options
from nqosd.northbound.ovsdb.session import FramedSession
from nqosd.northbound.replica.replica import Replica, ReplicaError

_NOTHING_SEEN = str(uuid.UUID(int=0))

for _hook in ("_Idl__do_parse_update", "_Idl__clear"):
    if not hasattr(idl.Idl, _hook):
        raise ImportError(f"this python-ovs has no {_hook}: nqosd needs ovs==4.0.0")


class RawTransaction(idl.Transaction):  # type: ignore[misc] # python-ovs ships no types
    """A transaction that keeps what the server answered to each operation."""

    def __init__(self, parent: "NorthboundIdl") -> None:
        super().__init__(parent)
        self.answers: list[object] = []
        self.refusal: object = None

    @property
    def status(self) -> str:
        """How far it is, as python-ovs calls it."""
        return str(self._status)

    def _process_reply(self, message: Message) -> None:
        self.answers = message.result if isinstance(message.result, list) else []
        self.refusal = message.error
        super()._process_reply(message)


class NorthboundIdl(idl.Idl):  # type: ignore[misc] # python-ovs ships no types
    """Follows one OVN Northbound database. Nothing is connected before the first `run`."""

    _session: FramedSession

    def __init__(self, options: Options, remotes: Sequence[str], replica: Replica) -> None:
        tables = idl.SchemaHelper(schema_json=schema.own_schema())
        tables.register_all()
        super().__init__(",".join(remotes), tables)
        self._session.close()
        self._session = FramedSession(remotes, options.probe_interval, options.tls)
        self._session.on_message = self._intercept
        self.session: FramedSession = self._session
        self.replica = replica
        self.owner = options.owner
        self._schema_request: object = None
        self.watch(())
        self.set_lock(options.lock)

    @property
    def is_synced(self) -> bool:
        """Whether the replica is what the server holds, but for what is on its way."""
        return (
            self.session.connection is not None
            and self.state == self.IDL_S_MONITORING
            and self.session.get_seqno() == self._last_seqno
        )

    @property
    def holds_lock(self) -> bool:
        """Whether the server said that we hold the lock, on the connection that we have."""
        return bool(self.has_lock) and self.is_synced

    def watch(self, names: Iterable[str]) -> None:
        """Monitor our own rows, and address sets and port groups of these names whoever owns them."""
        mine = ["external_ids", "includes", wire.string_map({OWNER: self.owner})]
        named = [["name", "==", name] for name in sorted(names)]
        self.cond_change(schema.QOS, [mine])
        self.cond_change(schema.ADDRESS_SET, [mine, *named])
        self.cond_change(schema.PORT_GROUP, [mine, *named])

    def restart_fsm(self) -> None:
        """Begin on a new connection: ask for the schema before anything else."""
        request = Message.create_request("get_schema", [schema.DATABASE])
        self.state = self.IDL_S_INITIAL
        self._schema_request = request.id
        self.send_request(request)

    def wait(self, poller: Poller) -> None:
        """Say what to wait for. python-ovs would not wait at all while it has a condition to send and no connection."""
        self.session.wait(poller)
        self.session.recv_wait(poller)
        if self.cond_changed and self.is_synced and self._request_id is None:
            poller.immediate_wake()

    def force_reconnect(self) -> None:
        """Give a server up that isn't fit, and say why it isn't."""
        self.session.reconnect.reason = self._describe_server()
        super().force_reconnect()

    def resync(self, reason: str) -> None:
        """Drop the connection and everything that is known, because it can't be trusted."""
        self.last_id = _NOTHING_SEEN
        self._refuse(reason)

    def _refuse(self, problem: str) -> None:
        self.state = self.IDL_S_INITIAL
        self.session.drop(problem)
        self.session.reconnect.set_backoff_free_tries(0)

    def _intercept(self, message: Message) -> bool:
        """Take the answers that python-ovs doesn't know of, or passes over in silence."""
        failed = message.type == Message.T_ERROR
        if message.id is None or not (failed or message.type == Message.T_REPLY):
            return False
        if message.id == self._schema_request:
            self._schema_request = self._request_id = None
            self._begin(schema.find_missing(message.error if failed else message.result))
            return True
        if failed and message.id == self._monitor_request_id:
            self._refuse(f"the server refuses to monitor {schema.DATABASE}: {message.error}")
            return True
        return False

    def _begin(self, lacking: str | None) -> None:
        if lacking is None:
            super().restart_fsm()
        else:
            self._refuse(lacking)

    def _describe_server(self) -> str:
        """Say why the server isn't fit, from what it tells of itself."""
        rows = self.server_tables["Database"].rows.values() if self.server_tables else ()
        database = next((row for row in rows if row.name == schema.DATABASE), None)
        if database is None:
            return f"the server has no database {schema.DATABASE}"
        if not database.schema:
            return "the server hasn't joined its cluster yet"
        if not database.connected:
            return "the server is cut off from its cluster"
        return "the server isn't the leader of its cluster: northbound.remotes must name every member"

    def _Idl__do_parse_update(self, updates: object, version: str, tables: object) -> None:  # noqa: N802
        if self.server_tables is not None and tables is self.server_tables:
            super()._Idl__do_parse_update(updates, version, tables)
            return
        if version not in {idl.OVSDB_UPDATE2, idl.OVSDB_UPDATE3}:
            self.resync("the server doesn't know conditional monitoring: it must be Open vSwitch 2.6 or later")
            return
        try:
            for table, row, happened in decode_updates(updates):
                self.replica.apply(table, row, happened)
        except (ReplicaError, FramingError) as error:
            self.resync(str(error))
        self.change_seqno += 1

    def _Idl__clear(self) -> None:  # noqa: N802
        super()._Idl__clear()
        self.replica.clear()
