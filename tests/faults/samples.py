"""A witness of every state that a database is in: one sample after each transaction.

In: an ovsdb-server. Out: samples, each with all QoS rows, address sets and switches as of one transaction. Rule: which
row acts on a packet is decided as by OVN 24.09 and newer: in each direction the one with the highest priority that
matches, whoever owns it.
"""

import functools
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeAlias

import attrs

from nqosd.compiler.desired import OWNER
from tests.oracle.ovn_match import Expression, define, parse
from tests.oracle.packet import Packet
from tests.services.monitor import DATABASE, OvsdbClient
from tests.services.ovsdb import OvsdbServer

DEADLINE = 60.0
END = "end-of-samples"
TABLES = ("QoS", "Address_Set", "Logical_Switch")
Row: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Acts:
    """A row that acts on a packet: whose it is, and what it does."""

    owner: str
    dscp: int
    rate: int | None


@attrs.frozen
class Sample:
    """The rows of each table by uuid, after one transaction."""

    tables: Mapping[str, Mapping[str, Row]]

    @property
    def ours(self) -> Mapping[str, Row]:
        """Give the rows of nqosd, by uuid."""
        return {uuid: row for uuid, row in self.tables["QoS"].items() if OWNER in dict(row["external_ids"][1])}

    def acting(self, switch: str, packet: Packet) -> list[Acts]:
        """Give the rows that mark a packet which enters a switch from a pod, one for each direction at most."""
        rows = self.tables["QoS"]
        (there,) = (each for each in self.tables["Logical_Switch"].values() if each["name"] == switch)
        sets = define({each["name"]: _set(each["addresses"]) for each in self.tables["Address_Set"].values()}, {})
        matching = [rows[uuid] for uuid in _set(there["qos_rules"]) if _parsed(rows[uuid]["match"]).bind(sets)(packet)]
        best: dict[str, Row] = {}
        for row in sorted(matching, key=lambda row: int(row["priority"])):
            best[row["direction"]] = row
        return [_acts(row) for row in best.values() if row["action"][1]]


class Samples:
    """Takes samples in a thread; a context manager. What it has taken is for whoever asks after it has ended."""

    def __init__(self, nb: OvsdbServer) -> None:
        self._nb = nb
        self._client = OvsdbClient(nb.socket)
        self._ended = threading.Event()
        self._tables: dict[str, dict[str, Row]] = {table: {} for table in TABLES}
        self._taken: list[Sample] = []
        self._thread = threading.Thread(target=self._run, name="samples")

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._taken)

    def __len__(self) -> int:
        return len(self._taken)

    def __enter__(self) -> Self:
        first: Any = self._client.call("monitor", [DATABASE, "samples", {table: {} for table in TABLES}])
        self._take(first)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._nb.nbctl("ls-add", END)  # whatever was committed before is sent before
        self._ended.wait(DEADLINE)
        self._nb.nbctl("ls-del", END)
        self._client.close()
        self._thread.join()

    def _run(self) -> None:
        for received in self._client.batches():
            for _moment, message in received:
                if message.get("method") == "update":
                    params: Any = message["params"]
                    self._take(params[1])

    def _take(self, updates: Mapping[str, Mapping[str, Mapping[str, Row]]]) -> None:
        for table, rows in updates.items():
            for uuid, update in rows.items():
                if "new" in update:
                    self._tables[table][uuid] = update["new"]
                else:
                    del self._tables[table][uuid]
        if any(each["name"] == END for each in self._tables["Logical_Switch"].values()):
            self._ended.set()
        self._taken.append(Sample({table: dict(rows) for table, rows in self._tables.items()}))


@functools.cache
def _parsed(match: str) -> Expression:
    return parse(match)


def _set(value: Any) -> list[str]:  # noqa: ANN401 - JSON of RFC 7047
    """Read a set of texts or uuids."""
    if isinstance(value, str):
        return [value]
    items = value[1] if value[0] == "set" else [value]
    return [each if isinstance(each, str) else each[1] for each in items]


def _acts(row: Row) -> Acts:
    action, bandwidth = dict(row["action"][1]), dict(row["bandwidth"][1])
    owner = dict(row["external_ids"][1]).get(OWNER, "ovn-kubernetes")
    return Acts(owner, action["dscp"], bandwidth.get("rate"))
