"""Follows some rows of one table of an OVSDB: those that a condition picks, a few columns of each.

In: remotes and a question. Out: `rows`, which are what the database holds, but for what is on its way; numbers as text.
Rules: the condition is evaluated by the server, so nothing else is sent; any member of a cluster will do, since nothing
is written; while there is no connection the rows stay as they were, since a database that is away changes nothing on a
chassis.

The protocol is RFC 7047 with `monitor_cond`, as ovsdb-server(7) describes it; python-ovs would do, at the price of its
slow parser and of two tables more for each database.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec
import structlog

from nqosd.ovsdb import wire
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.framing import FramingError
from nqosd.ovsdb.plain_client import Answer, Call, PlainClient
from nqosd.ovsdb.remotes import Remote
from nqosd.runtime.system_errors import in_words
from nqosd.statistics.table_rows import Row

_log = structlog.get_logger()

RETRY = 2.0
"""Seconds between two attempts to connect, each to the next remote."""
SILENCE = 15.0
"""Seconds without a word after which the server is asked for a sign of life; after as many again it is given up."""

_MONITOR, _ECHO = "monitor", "echo"
_EMPTY: list[object] = ["map", []]


class MonitorRequest(msgspec.Struct, frozen=True):
    """What to follow: a table of a database, columns that are maps, columns with one value, conditions of RFC 7047.

    Any of the conditions picks a row.
    """

    database: str
    table: str
    maps: tuple[str, ...]
    values: tuple[str, ...]
    conditions: tuple[object, ...]


class _LostError(Exception):
    """The connection is of no more use."""


class Mirror:
    """One table; `changed` is called when the connection came or went, with why it went."""

    def __init__(
        self,
        remotes: Sequence[Remote],
        question: MonitorRequest,
        tls: TlsFiles | None = None,
        changed: Callable[[str], None] = lambda _why: None,
    ) -> None:
        self.rows: dict[str, Row] = {}
        self.filled = asyncio.Event()
        self._remotes = remotes
        self._question = question
        self._tls = tls
        self._changed = changed

    async def run(self) -> None:
        """Follow for ever."""
        turn = 0
        while True:
            remote = self._remotes[turn % len(self._remotes)]
            turn += 1
            try:
                await self._follow(remote)
            except (OSError, FramingError, _LostError) as error:
                why = f"{remote}: {in_words(error)}"
                _log.debug("no connection", database=self._question.database, why=why)
                self._changed(why)
            await asyncio.sleep(RETRY)

    async def _follow(self, remote: Remote) -> None:
        async with asyncio.timeout(SILENCE):  # `wait_for` loses a cancellation that comes together with the answer
            client = await PlainClient.connect(remote, self._tls)
        try:
            await self._converse(client)
        finally:
            client.close()
            await client.closed()

    async def _converse(self, client: PlainClient) -> None:
        ask = self._question
        request = {"columns": [*ask.maps, *ask.values], "where": list(ask.conditions)}
        client.send(_MONITOR, Call("monitor_cond", [ask.database, _MONITOR, {ask.table: [request]}]))
        is_asked = False
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    messages = await client.receive()
            except TimeoutError:
                if is_asked:
                    raise _LostError(f"silent for {2 * SILENCE:g} s") from None
                client.send(_ECHO, Call("echo", []))
                is_asked = True
                continue
            is_asked = False
            for message in messages:
                self._take(message)

    def _take(self, message: Answer) -> None:
        if message.get("method") == "update2":
            self._apply(cast("list[object]", message["params"])[1])
        elif message.get("id") == _MONITOR:
            if message.get("error") is not None:
                raise _LostError(f"the server refuses to show {self._question.table}: {message['error']}")
            self.rows.clear()
            self._apply(message["result"])
            self.filled.set()
            self._changed("")

    def _apply(self, updates: object) -> None:
        tables = cast("Mapping[str, Mapping[str, Mapping[str, object]]]", updates)
        for uuid, happened in tables.get(self._question.table, {}).items():
            ((what, content),) = happened.items()
            columns = cast("Mapping[str, object]", content or {})
            if what == "delete":
                self.rows.pop(uuid, None)
            elif what == "modify":
                self._amend(self.rows[uuid], columns)
            else:  # "initial" or "insert"; a column with its default value isn't sent
                maps = {name: _texts(columns.get(name, _EMPTY)) for name in self._question.maps}
                self.rows[uuid] = Row(maps, {name: str(columns.get(name, "")) for name in self._question.values})

    def _amend(self, row: Row, columns: Mapping[str, object]) -> None:
        """Apply a change: of a map what differs is sent, of a value the new one."""
        for name, changed in columns.items():
            if name in row.maps:
                wire.amend(row.maps[name], _texts(changed))
            else:
                row.values[name] = str(changed)


def _texts(value: object) -> dict[str, str]:
    """Decode a map of strings to strings or numbers; numbers as text."""
    pairs = cast("list[tuple[str, object]]", cast("list[object]", value)[1])
    return {str(key): str(each) for key, each in pairs}
