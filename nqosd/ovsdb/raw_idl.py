"""The IDL of python-ovs 4.0.0 with contents of ours in place of its rows, and transactions of raw operations.

In: the session's messages. Out: each row's updates, as they come, and the answer to each operation. The rule:
python-ovs keeps the protocol (which member leads, which monitor, what was last seen, locks, replies); the contents are
the caller's.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ovs.db import idl
from ovs.jsonrpc import Message

from nqosd.ovsdb import overrides, responses, schema
from nqosd.ovsdb.checked_idl import CheckedIdl
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.framing import FramingError, decode_updates
from nqosd.ovsdb.wire import UpdateError

overrides.check()


class Contents(Protocol):
    """Who keeps the rows."""

    def apply(self, table: str, uuid: str, happened: Mapping[str, object]) -> None:
        """Take what happened to one row; raises UpdateError."""

    def clear(self) -> None:
        """Forget everything, because everything is going to be sent again."""


class RawTransaction(idl.Transaction):  # type: ignore[misc] # python-ovs ships no types
    """A transaction that keeps what the server answered to each operation."""

    def __init__(self, parent: "RawIdl") -> None:
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


class RawIdl(CheckedIdl):
    """Follows one database. Nothing is connected before the first `run`."""

    def __init__(self, options: Options, remotes: Sequence[str], contents: Contents) -> None:
        tables = idl.SchemaHelper(schema_json=schema.own_schema())
        tables.register_all()
        super().__init__(options, remotes, tables)
        self._contents = contents
        self._cluster: object = None

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
                self._contents.apply(table, row, happened)
        except (UpdateError, FramingError) as error:
            self.resync(str(error))
        self.change_seqno += 1

    def _Idl__clear(self) -> None:  # noqa: N802
        super()._Idl__clear()
        self._contents.clear()
