"""The floor of a latency: bare transactions of one mutation each, on a set that isn't the daemon's.

In: the socket of an ovsdb-server. Out: seconds. Rule: nothing of `nqosd` is between the client and the server.
"""

import itertools
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.monitor import DATABASE, OvsdbClient

NAME = "floor"


class Floor:
    """A client with a set of its own; a context manager."""

    def __init__(self, socket: Path) -> None:
        self._client = OvsdbClient(socket)
        self._numbers = itertools.count()
        row = {"name": NAME, "addresses": ["set", []]}
        self._client.call("transact", [DATABASE, {"op": "insert", "table": "Address_Set", "row": row}])

    def time(self) -> float:
        """Add one more address; gives the seconds until the server has answered."""
        number = next(self._numbers)
        mutation = ["addresses", "insert", f"192.168.{number >> 8}.{number & 255}"]
        where = [["name", "==", NAME]]
        mutate = {"op": "mutate", "table": "Address_Set", "where": where, "mutations": [mutation]}
        begin = time.monotonic()
        self._client.call("transact", [DATABASE, mutate])
        return time.monotonic() - begin

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        gone = {"op": "delete", "table": "Address_Set", "where": [["name", "==", NAME]]}
        self._client.call("transact", [DATABASE, gone])
        self._client.close()
