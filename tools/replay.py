"""The guarded replay: the same transactions on the model database and on a real ovsdb-server, answered alike.

In: a generation of OVN, a number of transactions, a seed. Out: how many were answered alike, or a `ReplayError` with
the first that wasn't. Half of them are plans as the daemon makes them, the others plans in which something is wrong.
The rule: the same answer to each operation, and the same rows afterwards, whatever came before.

    python -m tools.replay --transactions 2000
"""

import argparse
import json
import socket
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import cast

import attrs

from nqosd.ovsdb import wire
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import PORTS
from tests.northbound.ovsdb_types import CLOSED, RefusedError
from tests.northbound.tables import DEFAULTS, REFERENCES
from tests.northbound.transactions import Body, transactions
from tests.services.generation import INSTALLED, OvnGeneration
from tests.services.ovsdb import OvsdbServer

TIMEOUT = 60.0
COMPARED = tuple(table for table in DEFAULTS if table != "NB_Global")


class ReplayError(Exception):
    """A transaction was answered differently, or left different rows."""


class Client:
    """A connection to a real server, on which one transaction follows another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def transact(self, bodies: Sequence[object]) -> list[dict[str, object] | None] | None:
        """Return what the server answers to each operation; None if it closes the connection."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT)
            self._socket.connect(str(self._path))
        request = {"method": "transact", "params": ["OVN_Northbound", *bodies], "id": 0}
        try:
            self._socket.sendall(json.dumps(request).encode())
            answer = self._receive(self._socket)
        except ConnectionError:
            self.close()
            return None
        return cast("list[dict[str, object] | None]", answer["result"])

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _receive(connection: socket.socket) -> Mapping[str, object]:
        text = b""
        while True:
            received = connection.recv(1 << 16)
            if not received:
                raise ConnectionError
            text += received
            if text.endswith(b"}"):
                try:
                    return cast("Mapping[str, object]", json.loads(text))
                except ValueError:
                    continue


@attrs.define
class Replay:
    """A model and a server that were given the same so far; `real` gives the server's uuid for each of the model's."""

    model: ModelDatabase
    client: Client
    real: dict[str, str] = attrs.field(factory=dict)
    answers: Counter[str] = attrs.field(factory=Counter)

    def run(self, bodies: Sequence[Body]) -> None:
        """Give one transaction to both.

        Raises:
            ReplayError: they differ.
        """
        answered = self.client.transact(cast("list[object]", _translated(list(bodies), self.real)))
        theirs = None if answered is None else list(map(_summary, answered))
        try:
            mine = self.model.transact(*bodies)
            expected: list[object] | None = ["uuid" if isinstance(each, str) else each for each in mine]
            error = text = ""
        except RefusedError as refused:
            expected, error = self._refusal(refused, len(bodies)), refused.error
            text = str(refused)
        if theirs != expected:
            raise ReplayError(
                f"the model answers {expected}, the server {answered}, to {json.dumps(bodies)} (the model: {text})"
            )
        self.answers[error] += 1
        if not error and answered is not None:
            for uuid, answer in zip(mine, answered, strict=True):
                if isinstance(uuid, str) and answer is not None:
                    self.real[uuid] = wire.uuids(answer["uuid"])[0]
        self._compare(bodies)

    def _refusal(self, error: RefusedError, number: int) -> list[object] | None:
        """Say how a server answers: for each operation, and for the commit if that is what failed."""
        if error.error == CLOSED:
            return None
        if error.place is None:
            return [*(error.done), error.error]
        return [*(error.done), error.error, *[None] * (number - error.place - 1)]

    def _compare(self, bodies: Sequence[Body]) -> None:
        selects = [{"op": "select", "table": table, "where": []} for table in COMPARED]
        answered = self.client.transact(selects)
        assert answered is not None
        for table, answer in zip(COMPARED, answered, strict=True):
            assert answer is not None
            found = {}
            for row in cast("list[Mapping[str, object]]", answer["rows"]):
                found[wire.uuids(row["_uuid"])[0]] = {name: _decoded(name, row[name]) for name in DEFAULTS[table]}
            expected = {
                self.real[uuid]: {name: _with(self.real, name, value) for name, value in row.items()}
                for uuid, row in self.model.tables[table].items()
            }
            if found != expected:
                raise ReplayError(f"{table}: the model has {expected}, the server {found}, after {json.dumps(bodies)}")


def replay(generation: OvnGeneration, number: int, seed: int = 1) -> Mapping[str, int]:
    """Give so many transactions to both; return how many were answered how ("" means committed).

    Raises:
        ReplayError: one was answered differently.
    """
    with OvsdbServer(generation) as server:
        run = Replay(ModelDatabase(generation=generation), Client(server.socket))
        port = {"op": "insert", "table": "Logical_Switch_Port"}
        ports = [{**port, "row": {"name": each}, "uuid-name": each} for each in PORTS]
        held = ["set", [["named-uuid", each] for each in PORTS]]
        holder = {"op": "insert", "table": "Logical_Switch", "row": {"name": "holder", "ports": held}}
        run.run([*ports, holder])
        run.answers.clear()
        random = Random(seed)  # noqa: S311 (no secret)
        for _ in range(number):
            run.run(transactions(random, run.model))
        run.client.close()
        return run.answers


def _summary(answer: dict[str, object] | None) -> object:
    if answer is None:
        return None
    if "error" in answer:
        return answer["error"]
    return "uuid" if "uuid" in answer else answer.get("count")


def _translated(value: object, real: Mapping[str, str]) -> object:
    """Replace the model's uuids by the server's."""
    if isinstance(value, str):
        return real.get(value, value)
    if isinstance(value, dict):
        return {name: _translated(each, real) for name, each in value.items()}
    return [_translated(each, real) for each in value] if isinstance(value, list | tuple) else value


def _decoded(column: str, value: object) -> object:
    if column in REFERENCES:
        return frozenset(wire.uuids(value))
    if column == "addresses":
        return frozenset(wire.strings(value))
    if isinstance(value, list):  # a map
        return dict(cast("list[tuple[str, object]]", value[1]))
    return value


def _with(real: Mapping[str, str], column: str, value: object) -> object:
    return frozenset(real.get(each, each) for each in cast("frozenset[str]", value)) if column in REFERENCES else value


def main() -> None:
    """Replay on every generation, and say what was compared."""
    parser = argparse.ArgumentParser(description="the same transactions on the model and on a real server")
    parser.add_argument("--transactions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    for generation in INSTALLED:
        answers = replay(generation, chosen.transactions, chosen.seed)
        refused = {error: number for error, number in sorted(answers.items()) if error}
        total = sum(answers.values())
        text = f"{total} transactions answered alike, {answers['']} of them committed, others refused: {refused}"
        sys.stdout.write(f"OVN {generation.series}: {text}\n")


if __name__ == "__main__":
    main()
