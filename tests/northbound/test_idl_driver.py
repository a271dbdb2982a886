"""Turns of the IDL go on whatever happens in them. Servers are real; what raises, and where, is up to the test."""

import asyncio
import contextlib
import errno
import random
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from nqosd.northbound.replica import idl_driver
from nqosd.northbound.results import RoundOutcome
from nqosd.ovsdb import connection
from nqosd.ovsdb.raw_idl import RawTransaction
from tests.northbound.cases import BOTH, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired
from tests.northbound.real import Daemon, add_switches, driver_of, options_of, running
from tests.northbound.test_descriptors import Guest, connection_of
from tests.services.ovsdb import OvsdbServer


class StepError(Exception):
    """What a step of a turn raises in these tests."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ticks be short."""
    monkeypatch.setattr(idl_driver, "TICK", 0.02)


@contextlib.asynccontextmanager
async def written(server: OvsdbServer) -> AsyncIterator[Daemon]:
    """Run a daemon that has written something, and that connects anew without delay."""
    add_switches(server, "node1", "node2")
    async with running(options_of(server.unix)) as daemon:
        await daemon.write(BOTH)
        reconnect = driver_of(daemon).idl.session.reconnect
        reconnect.min_backoff = reconnect.max_backoff = 20
        yield daemon


def raising(*, times: int) -> Callable[..., None]:
    """Return something to call that raises so often, and then does nothing."""
    left = [times]

    def step(*_arguments: object) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise StepError("in a test")

    return step


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("idl", "run"),
        ("idl", "wait"),
        ("", "_on_turn"),
        ("", "_end_transactions"),
        ("_poller", "arm"),
        ("_poller", "begin"),
        ("_poller", "disarm"),
    ],
)
async def test_an_error_in_any_step_is_borne(
    ovsdb_nb: OvsdbServer, owner: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error in any step of a turn everything is read anew, and the error is in the log."""
    async with written(ovsdb_nb) as daemon:
        subject = getattr(driver_of(daemon), owner) if owner else driver_of(daemon)
        real, fail = getattr(subject, name), raising(times=3)

        def step(*arguments: object) -> object:
            fail()
            return real(*arguments)

        before = daemon.connections
        with capture_logs() as logs, monkeypatch.context() as patch:
            patch.setattr(subject, name, step)
            await driver_of(daemon).aside(lambda: None)
            await daemon.run_until(lambda: daemon.connections > before)
        assert {entry["error"] for entry in logs if "unexpected" in entry["event"]} == {
            "unexpected error: StepError: in a test"
        }
        await daemon.run_until(lambda: daemon.facts.lock_held and daemon.results[-1].settled)
        assert (await daemon.write(desired())).outcome is RoundOutcome.COMMITTED
        assert daemon.northbound.stuck is None


async def test_a_transaction_that_cannot_be_sent_stands_in_nobodys_way(ovsdb_nb: OvsdbServer) -> None:
    """After a transaction with text that isn't Unicode, turns go on and the next transaction is committed."""
    async with written(ovsdb_nb) as daemon:
        transaction = RawTransaction(driver_of(daemon).idl)
        transaction.add_op({"op": "comment", "comment": "\ud800"})
        with pytest.raises(ValueError, match="surrogates"):
            transaction.commit()
        before = daemon.connections
        assert (await daemon.write(desired())).outcome is RoundOutcome.COMMITTED
        assert daemon.connections == before


async def test_turns_that_fail_for_long_are_told(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver whose turns fail again and again says that it is stuck, until one succeeds."""
    async with written(ovsdb_nb) as daemon:
        with monkeypatch.context() as patch:
            patch.setattr(driver_of(daemon), "_on_turn", raising(times=1_000_000))
            await daemon.wait_until(lambda: daemon.northbound.stuck is not None)
            assert "has not been looked after for" in str(daemon.northbound.stuck)
        await daemon.wait_until(lambda: daemon.northbound.stuck is None)


async def test_work_aside_that_never_ends_is_told(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that works on the IDL has its time; after it the driver says that it is stuck, until the thread ends."""
    monkeypatch.setattr(idl_driver, "ASIDE_WITHIN", 20)
    async with written(ovsdb_nb) as daemon:
        end = threading.Event()
        work = asyncio.create_task(driver_of(daemon).aside(end.wait))
        try:
            await daemon.wait_until(lambda: driver_of(daemon)._ticks > idl_driver.TURN_WITHIN)
            assert daemon.northbound.stuck is None
            await daemon.wait_until(lambda: "has been worked on for" in str(daemon.northbound.stuck))
        finally:
            end.set()
            await work
        await daemon.wait_until(lambda: daemon.northbound.stuck is None)


async def test_a_driver_whose_ticks_have_ended_is_told(ovsdb_nb: OvsdbServer) -> None:
    """Where nothing counts any more, that is said."""
    async with written(ovsdb_nb) as daemon:
        ticker = driver_of(daemon)._ticker
        assert ticker is not None
        ticker.cancel()
        await daemon.wait_until(lambda: "not looked after any more" in str(daemon.northbound.stuck))


class Havoc:
    """Faults of all kinds, one after the other or at once, on one daemon."""

    def __init__(
        self, daemon: Daemon, server: OvsdbServer, patch: pytest.MonkeyPatch, stack: contextlib.AsyncExitStack
    ) -> None:
        self._daemon = daemon
        self._server = server
        self._patch = patch
        self._stack = stack
        self.guests: list[Guest] = []
        self.kinds: list[Callable[[], Awaitable[None]]] = [
            self.fail_to_send,
            self.close_the_stream,
            self.take_the_number,
            self.make_messages_heavy,
            self.work_aside,
            self.raise_in_a_turn,
            self.change_the_database,
            self.desire_something_else,
            self.let_go_on,
        ]

    async def fail_to_send(self) -> None:
        """Let the next send fail, and send something."""
        held = driver_of(self._daemon).idl.session.connection
        if held is not None and not held.status:
            with contextlib.suppress(OSError):  # another fault has closed it
                held.stream.socket.shutdown(socket.SHUT_WR)
            driver_of(self._daemon).idl.watch({f"set{random.random()}"})  # noqa: S311 (any name will do)
            driver_of(self._daemon).idl.send_cond_change()

    async def close_the_stream(self) -> None:
        """Close the socket as python-ovs does after an error."""
        held = driver_of(self._daemon).idl.session.connection
        if held is not None:
            held.error(errno.EPIPE)

    async def take_the_number(self) -> None:
        """Open a connection of asyncio, which gets the lowest free number."""
        self.guests.append(await self._stack.enter_async_context(Guest().open()))

    async def make_messages_heavy(self) -> None:
        """Let every message be taken for one that is decoded in a thread, or none."""
        self._patch.setattr(connection, "LIGHT", 10 if connection.LIGHT > 10 else 1 << 18)

    async def work_aside(self) -> None:
        """Let a thread have the IDL for a while."""
        await driver_of(self._daemon).aside(lambda: threading.Event().wait(0.01))

    async def raise_in_a_turn(self) -> None:
        """Let the listener of turns fail twice."""
        real, fail = self._daemon.northbound._on_turn, raising(times=2)

        def on_turn() -> None:
            fail()
            real()

        driver_of(self._daemon)._on_turn = on_turn

    async def change_the_database(self) -> None:
        """Edit a set of ours by hand."""
        await asyncio.to_thread(self._server.nbctl, "--if-exists", "clear", "Address_Set", "set_b", "addresses")

    async def desire_something_else(self) -> None:
        """Run a round with other members of a set."""
        address = f"10.1.{random.randrange(256)}.{random.randrange(256)}"  # noqa: S311 (any address will do)
        await self._daemon.round(desired([VIDEO, VOICE], [address_set("set_a", address), TALKERS]))

    async def let_go_on(self) -> None:
        """Let the event loop run for a moment."""
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("seed", range(8))
async def test_random_faults_end_in_the_same_state(
    ovsdb_nb: OvsdbServer, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However faults follow each other, turns go on, what is desired is written, and no other connection suffers."""
    random.seed(seed)
    async with contextlib.AsyncExitStack() as stack, written(ovsdb_nb) as daemon:
        havoc = Havoc(daemon, ovsdb_nb, monkeypatch, stack)
        for _ in range(40):
            await random.choice(havoc.kinds)()  # noqa: S311 (a seed makes the same sequence again)
        await daemon.run_until(lambda: daemon.facts.lock_held and daemon.results[-1].settled)
        assert (await daemon.write(BOTH)).settled
        await daemon.settle()
        held = ovsdb_nb.dump("QoS", "Address_Set")
        assert all(address in held for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"))
        assert "10.1." not in held
        assert daemon.northbound.stuck is None
        connection_of(daemon)
        for guest in havoc.guests:
            assert await guest.is_served()
