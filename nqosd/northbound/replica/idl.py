"""The IDL of python-ovs 4.0.0 with our replica in place of its rows.

In: the session's messages. Out: a filled replica, a lock, transactions of raw operations. The rule: python-ovs keeps
the protocol (which member leads, which monitor, what was last seen, locks, replies); the contents are ours.

Two private methods are replaced, so the version is pinned, and the import fails where they are missing.
"""

from collections.abc import Iterable, Sequence

from ovs.db import idl
from ovs.jsonrpc import Message

from nqosd.compiler.desired import OWNER, PART
from nqosd.northbound.replica.replica import Replica, ReplicaError
from nqosd.northbound.replica.writer_record import WRITER
from nqosd.ovsdb import responses, schema, wire
from nqosd.ovsdb.checked_idl import CheckedIdl
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.framing import FramingError, decode_updates

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

    def commit(self) -> str:
        """Send it. What can't be written as JSON raises ValueError, and leaves the IDL ready for the next one."""
        try:
            return str(super().commit())
        finally:
            self.idl.txn = None

    def _process_reply(self, message: Message) -> None:
        self.refusal = message.error
        if message.type == Message.T_REPLY:
            if not responses.is_transaction_answer(message.result, len(self._operations)):
                what = responses.excerpt(message.result)
                self.idl.resync(f"the server's answer to a transaction is not of the right form: {what}")
                return
            self.answers = message.result
        super()._process_reply(message)


class NorthboundIdl(CheckedIdl):
    """Follows one OVN Northbound database. Nothing is connected before the first `run`."""

    def __init__(self, options: Options, remotes: Sequence[str], replica: Replica) -> None:
        tables = idl.SchemaHelper(schema_json=schema.own_schema())
        tables.register_all()
        super().__init__(options, remotes, tables)
        self.replica = replica
        self.owner = options.owner
        self._cluster: object = None
        self.watch(())
        self.set_lock(options.lock)

    @property
    def holds_lock(self) -> bool:
        """Whether the server said that we hold the lock, on the connection that we have."""
        return bool(self.has_lock) and self.is_synced

    def requeue(self) -> None:
        """Give the lock up and ask for it again: it is ours at once if nobody else waits for it.

        Only a lock that is held is given up, and never under a transaction that has asserted it.
        """
        if self.holds_lock and not self._outstanding_txns:
            name = self.lock_name
            self.set_lock(None)
            self.set_lock(name)

    def watch(self, names: Iterable[str]) -> None:
        """Monitor our own sets, records of all writers, and address sets and port groups of these names, whose ever.

        Of the table QoS all rows: there is no condition for "sets a packet mark", and others have few rows there.
        """
        mine = ["external_ids", "includes", wire.string_map({OWNER: self.owner})]
        named = [["name", "==", name] for name in sorted(names)]
        records = ["external_ids", "includes", wire.string_map({PART: WRITER})]
        self.cond_change(schema.ADDRESS_SET, [mine, records, *named])
        self.cond_change(schema.PORT_GROUP, [mine, *named])

    def force_reconnect(self) -> None:
        """Give a server up that isn't fit, and say why it isn't."""
        self.session.reconnect.reason = self._describe_server()
        super().force_reconnect()

    def _note_cluster(self) -> None:
        """Let the data of another cluster be older than that of the one before it."""
        database = self._find_database()
        if database is not None and database.cid != self._cluster:
            self._cluster = database.cid
            self._min_index = 0

    def _find_database(self) -> idl.Row | None:
        rows = self.server_tables["Database"].rows.values() if self.server_tables else ()
        return next((row for row in rows if row.name == schema.DATABASE), None)

    def _describe_server(self) -> str:
        """Say why the server isn't fit, from what it tells of itself."""
        database = self._find_database()
        if database is None:
            return f"the server has no database {schema.DATABASE}"
        if database.model == idl.RELAY:
            return (
                "the server is an OVSDB relay, which elects no writer: "
                "northbound.remotes must name the database itself, or every member of its cluster"
            )
        if not database.schema:
            return "the server hasn't joined its cluster yet"
        if not database.connected:
            return "the server is cut off from its cluster"
        if database.index and database.index[0] < self._min_index:
            return "the server's data is older than what its cluster has said before"
        return "the server isn't the leader of its cluster: northbound.remotes must name every member"

    def _Idl__do_parse_update(self, updates: object, version: str, tables: object) -> None:  # noqa: N802
        if self.server_tables is not None and tables is self.server_tables:
            super()._Idl__do_parse_update(updates, version, tables)
            self._note_cluster()
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
