"""What a server may say, or keep back, without leaving the daemon behind. The server is real; a fake lies before it."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from nqosd.northbound.results import RoundOutcome
from nqosd.ovsdb import checked_idl, connection
from tests.northbound.cases import BOTH
from tests.northbound.desires import desired
from tests.northbound.lies import Exchange, LyingRelay
from tests.northbound.real import Daemon, add_switches, driver_of, options_of, running
from tests.services.ovsdb import OvsdbServer

DEEP = b"[" * 100_000 + b"]" * 100_000

STEPS = (
    "get_schema OVN_Northbound",
    "get_schema _Server",
    "monitor_cond _Server",
    "monitor_cond_since OVN_Northbound",
    "lock nqosd",
)
"""All requests without whose answers the daemon can't work, in the order in which it sends them."""


def _answer(**parts: object) -> Callable[[bytes], list[bytes]]:
    """Return a lie that replaces parts of an answer."""
    return lambda message: [json.dumps(json.loads(message) | parts).encode()]


def _raw(result: bytes) -> Callable[[bytes], list[bytes]]:
    """Return a lie that replaces the result of an answer by some text."""
    return lambda message: [b'{"id":%d,"error":null,"result":%s}' % (json.loads(message)["id"], result)]


ANSWERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "none": lambda _message: [],
    "to another request": lambda message: _answer(id=json.loads(message)["id"] + 1000)(message),
    "to a request with the number as text": lambda message: _answer(id=str(json.loads(message)["id"]))(message),
    "to a request with a list for a number": _answer(id=[[1]]),
    "null": _answer(result=None, error=None),
    "an error": _answer(result=None, error="unknown method"),
    "an error of many parts": _answer(result=None, error={"error": "no", "details": ["x"] * 1000}),
    "an empty object": _answer(result={}),
    "an empty list": _answer(result=[]),
    "a number": _answer(result=7),
    "text": _answer(result="yes"),
    "lists in place of objects": _answer(result=[[], [], []]),
    "tables without columns": _answer(result={"tables": {"Database": [], "QoS": 1}, "name": 3, "version": []}),
    "a list without end": _raw(DEEP),
    "no number": _raw(b"NaN"),
    "a number of 5,000 digits": _raw(b"1" * 5000),
    "no text": _raw(b'{"tables":"\xff\xfe"}'),
    "half of it": lambda message: [message[: len(message) // 2]],
}


SAID: dict[str, bytes] = {
    "a list without end": b'{"id":null,"method":"update3","params":' + DEEP + b"}",
    "a list without end, in an update": b'{"id":null,"method":"update3","params":["M","1",{"QoS":' + DEEP + b"}]}",
    "a list that doesn't end yet": b'{"id":null,"method":"update3","params":' + b"[" * 100_000,
    "no text": b'{"id":null,"method":"update3","params":["\xff"]}',
    "no number": b'{"id":null,"method":"update3","params":[NaN]}',
    "a number of 5,000 digits": b'{"id":null,"method":"echo","params":[' + b"1" * 5000 + b"]}",
    "a number of 4,000 digits": b'{"id":' + b"1" * 4000 + b',"result":{},"error":null}',
    "a key twice": b'{"id":null,"method":"locked","method":"stolen","params":["another"]}',
    "no object": b"[1]",
    "a mail server": b"220 mail ready\r\n",
    "an object that is no message": b'{"id":1,"colour":"red"}',
    "many ends in a text": b'{"id":null,"method":"x","params":["' + b"}{" * 500_000 + b'"]}',
    "a request that it doesn't know": b'{"id":"a","method":"dance","params":[]}',
    "an answer that nobody awaits": b'{"id":123456,"result":{},"error":null}',
    "an error that nobody awaits": b'{"id":123456,"result":null,"error":"no"}',
    "an answer with a list for a number": b'{"id":[1],"result":{},"error":null}',
    "an answer with a truth value for a number": b'{"id":true,"result":{},"error":null}',
    "an update of no monitor": b'{"id":null,"method":"update3","params":[]}',
    "an update of another monitor": b'{"id":null,"method":"update3","params":["M","1",{"QoS":{}}]}',
    "an old update of another monitor": b'{"id":null,"method":"update2","params":["M",{"Database":{}}]}',
    "a very old update of another monitor": b'{"id":null,"method":"update","params":[["M"],{"QoS":{}}]}',
    "the end of no monitor": b'{"id":null,"method":"monitor_canceled","params":[]}',
    "the end of another monitor": b'{"id":null,"method":"monitor_canceled","params":[["M"]]}',
    "the lock, again": b'{"id":null,"method":"locked","params":["nqosd"]}',
    "another lock": b'{"id":null,"method":"locked","params":["another"]}',
    "no lock": b'{"id":null,"method":"locked","params":[]}',
    "another lock is stolen": b'{"id":null,"method":"stolen","params":["another"]}',
    "no lock is stolen": b'{"id":null,"method":"stolen","params":[{}]}',
}
"""What a server may say that nobody asked for."""

ROWS: dict[str, object] = {
    "no tables": 7,
    "no rows": {"QoS": 7},
    "no row": {"QoS": {"1": 7}},
    "nothing that happened": {"QoS": {"1": {}}},
    "a table that nobody monitors": {"Meter": {"1": {"insert": {}}}},
    "a row that isn't there": {"QoS": {"1": {"modify": {"priority": 1}}}},
    "a row of numbers": {"QoS": {"1": {"insert": {"match": 1, "priority": "high", "external_ids": 3}}}},
    "ids of numbers": {"QoS": {"1": {"insert": {"external_ids": ["map", [["nqosd.io/owner", "nqosd"], ["a", 1]]]}}}},
    "ids of lists": {"Address_Set": {"1": {"insert": {"name": "x", "external_ids": ["map", [[["a"], "b"]]]}}}},
    "half a set": {"Address_Set": {"1": {"insert": {"name": "x", "addresses": ["set"]}}}},
    "addresses of numbers": {"Address_Set": {"1": {"insert": {"name": "x", "addresses": ["set", [1, 2]]}}}},
    "rules of numbers": {"Logical_Switch": {"1": {"insert": {"name": "x", "qos_rules": ["set", [["uuid", 1]]]}}}},
}
"""What an update of ours may hold in place of rows."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an answer have little time."""
    monkeypatch.setattr(checked_idl, "ANSWER_WITHIN", 0.3)


@contextlib.asynccontextmanager
async def deceived(server: OvsdbServer, directory: Path) -> AsyncIterator[tuple[Daemon, LyingRelay]]:
    """Run a daemon behind a relay, with two switches in the database and what is desired of it written."""
    add_switches(server, "node1", "node2")
    async with (
        LyingRelay(directory / "relay", server.socket).serving() as relay,
        running(options_of(relay.remote)) as daemon,
    ):
        reconnect = driver_of(daemon).idl.session.reconnect
        reconnect.min_backoff = reconnect.max_backoff = 20
        await daemon.write(BOTH)
        yield daemon, relay


async def converges(daemon: Daemon, server: OvsdbServer) -> None:
    """Check that the daemon sees what changes in the database, and writes."""
    await daemon.run_until(lambda: daemon.facts.lock_held and daemon.results[-1].settled)
    server.nbctl("clear", "Address_Set", "set_b", "addresses")
    await daemon.run_until(lambda: "10.0.0.3" in server.dump("Address_Set"))
    assert daemon.northbound.stuck is None


@pytest.mark.parametrize("step", STEPS)
async def test_answers_of_the_handshake(ovsdb_nb: OvsdbServer, tmp_path: Path, step: str) -> None:
    """Whatever comes in place of an answer, the daemon isn't in step, tries again, and converges with the true one."""
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        for name, answer in ANSWERS.items():
            relay.lie = lambda exchange, message, tell=answer: (
                tell(message) if exchange.step(message) == step else [message]
            )
            relay.cut()
            told = relay.told
            await daemon.wait_until(lambda told=told: relay.told >= told + 2)  # type: ignore[misc]
            assert not daemon.facts.synced, name
            assert daemon.facts.problem, name
            assert (await daemon.round()).outcome is RoundOutcome.DISCONNECTED, name
            relay.lie = None
            await daemon.run_until(lambda: daemon.facts.lock_held and daemon.results[-1].settled)
        await converges(daemon, ovsdb_nb)


@pytest.mark.parametrize("step", STEPS)
async def test_an_answer_that_is_lost_is_named(ovsdb_nb: OvsdbServer, tmp_path: Path, step: str) -> None:
    """The reason for which a connection is given up names the request whose answer didn't come."""
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        relay.lie = lambda exchange, message: [] if exchange.step(message) == step else [message]
        relay.cut()
        await daemon.wait_until(lambda: daemon.facts.problem == f"the server didn't answer {step} within 0.3 s")


@pytest.mark.parametrize("step", STEPS)
async def test_an_answer_that_stops_after_a_byte(ovsdb_nb: OvsdbServer, tmp_path: Path, step: str) -> None:
    """A connection on which an answer begins, and then nothing comes, is given up at every step of the handshake."""
    mute: set[Exchange] = set()

    def lie(exchange: Exchange, message: bytes) -> list[bytes]:
        if exchange in mute:
            return []
        if exchange.step(message) != step:
            return [message]
        mute.add(exchange)
        return [message[:1]]

    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        relay.lie = lie
        relay.cut()
        await daemon.wait_until(lambda: daemon.facts.problem == f"the server didn't answer {step} within 0.3 s")
        relay.lie = None
        await converges(daemon, ovsdb_nb)


async def test_an_answer_that_goes_on_coming_has_its_time(
    ovsdb_nb: OvsdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long all that is monitored takes to come, it is waited for as long as it goes on coming."""
    monkeypatch.setattr(checked_idl, "ANSWER_WITHIN", 1.0)
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        relay.lie = lambda exchange, message: (
            [message[place : place + len(message) // 7] for place in range(0, len(message), len(message) // 7)]
            if exchange.step(message).startswith("monitor_cond_since")
            else [message]
        )
        relay.pause = 0.3
        relay.cut()
        await daemon.wait_until(lambda: relay.told > 0 and daemon.facts.lock_held)


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
async def test_what_nobody_asked_for(ovsdb_nb: OvsdbServer, tmp_path: Path, said: bytes) -> None:
    """Whatever a server says at any time, the daemon sees the next change in the database, and writes."""
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        relay.inject(said)
        await daemon.settle(0.1)
        await converges(daemon, ovsdb_nb)


@pytest.mark.parametrize("light", [10, connection.LIGHT])
async def test_updates_of_the_wrong_form(
    ovsdb_nb: OvsdbServer, tmp_path: Path, light: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update that can't be read makes the daemon read everything anew, decoded at once or in a thread."""
    monkeypatch.setattr(connection, "LIGHT", light)
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        for rows in ROWS.values():
            monitor = str(driver_of(daemon).idl.uuid)
            relay.inject(json.dumps({"id": None, "method": "update3", "params": [monitor, "1", rows]}).encode())
            before = daemon.connections
            await daemon.run_until(lambda before=before: daemon.connections > before)  # type: ignore[misc]
            await converges(daemon, ovsdb_nb)


async def test_answers_to_transactions(ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """A transaction whose answer isn't of the right form is in doubt, and looked up on a new connection."""
    results: list[object] = [{}, [], [7], [[]], "yes", [{"error": ["list"]}] * 9, [{"error": 1}] * 9]
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        for number, result in enumerate(results):
            relay.lie = lambda exchange, message, result=result: (
                _answer(result=result)(message) if exchange.step(message).startswith("transact") else [message]
            )
            state = BOTH if number % 2 else desired()
            assert (await daemon.round(state)).outcome is RoundOutcome.DISCONNECTED
            relay.lie = None
            await daemon.run_until(lambda: daemon.results[-1].settled)
            assert ("$set_a" in ovsdb_nb.dump("QoS")) == (state is BOTH)


async def test_a_lock_that_is_somebody_elses(ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """A `locked` that comes before the answer to the request for the lock makes nobody a writer."""
    early = b'{"id":null,"method":"locked","params":["nqosd"]}'

    def lie(exchange: Exchange, message: bytes) -> list[bytes]:
        return [early, early, message, SAID["another lock"]] if exchange.step(message) == "lock nqosd" else [message]

    async with (
        deceived(ovsdb_nb, tmp_path) as (daemon, relay),
        running(options_of(ovsdb_nb.unix), writer=False) as other,
    ):
        relay.lie = lie
        relay.cut()
        await other.wait_until(lambda: other.facts.lock_held)
        await daemon.wait_until(lambda: relay.told > 0 and daemon.facts.synced)
        assert not daemon.facts.lock_held
        assert (await daemon.round()).outcome is RoundOutcome.STANDBY
        await other.northbound.close()
        await daemon.run_until(lambda: daemon.facts.lock_held)


async def test_an_update_that_was_lost(ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """If the server keeps a change back, what is written on old knowledge is refused, and everything is read anew."""
    async with deceived(ovsdb_nb, tmp_path) as (daemon, relay):
        relay.lie = lambda _exchange, message: [] if b'"update3"' in message else [message]
        row = ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split()[0]
        ovsdb_nb.nbctl("set", "QoS", row, "external_ids:foreign=1")
        await daemon.wait_until(lambda: relay.told > 0)
        relay.lie = None
        before = daemon.connections
        await daemon.write(desired())
        assert daemon.connections > before
        assert "games" not in ovsdb_nb.dump("QoS")
