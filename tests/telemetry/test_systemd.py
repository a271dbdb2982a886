"""systemd is told the truth over its real protocol: datagrams on a unix socket."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nqosd.telemetry.health import Health
from nqosd.telemetry.systemd import Notifier, watchdog


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Give a listening socket as systemd makes it, and its name as it stands in $NOTIFY_SOCKET."""
    name = f"{tmp_path}/notify" if request.param == "path" else f"@nqosd-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1))
        listener.setblocking(False)  # noqa: FBT003 - the library's own signature
        yield name, listener


def received(listener: socket.socket) -> list[str]:
    """Take everything that has arrived."""
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_states_are_sent(manager: tuple[str, socket.socket]) -> None:
    """Each state is one datagram with the assignments that sd_notify(3) asks for."""
    name, listener = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.ready()
    notifier.status("http", "two\nlines")
    notifier.reloading()
    notifier.alive()
    notifier.stopping()
    ready, status, reloading, alive, stopping = received(listener)
    assert ready == "READY=1\nSTATUS=running"
    assert status == "STATUS=two lines"
    assert alive == "WATCHDOG=1"
    assert stopping == "STOPPING=1\nSTATUS=Stopping"
    flag, _, microseconds = reloading.partition("\nMONOTONIC_USEC=")
    assert flag == "RELOADING=1"
    assert before <= int(microseconds) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_the_status_line_says_how_each_part_does(manager: tuple[str, socket.socket]) -> None:
    """Each part has its place in the line, one that has nothing to say has none, and being ready doesn't clear it."""
    name, listener = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.status("northbound", "active")
    notifier.status("http", "no port")
    notifier.ready()
    notifier.status("http", "")
    assert received(listener) == [
        "STATUS=active",
        "STATUS=active; no port",
        "READY=1\nSTATUS=active; no port",
        "STATUS=active",
    ]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    """Outside systemd, or with an address of another kind, nobody is told anything."""
    notifier = Notifier(environment)
    notifier.ready()
    assert notifier.watchdog_interval is None


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    """A datagram that can't be delivered is given up."""
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "absent")}).ready()


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_this_process_only(environment: dict[str, str], interval: float | None) -> None:
    """Signs of life are due if systemd asks for them, and asks this very process."""
    assert Notifier(environment).watchdog_interval == interval


async def test_the_watchdog_is_fed_while_all_is_well(manager: tuple[str, socket.socket]) -> None:
    """A healthy daemon gives a sign of life twice in each interval, an unhealthy one none, a mended one again."""
    name, listener = manager
    now = 0.0
    health = Health(stuck_after=10, clock=lambda: now)
    task = asyncio.create_task(watchdog(Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "40000"}), health))
    await asyncio.sleep(0.15)
    fed = received(listener)
    assert set(fed) == {"WATCHDOG=1"}
    assert 3 <= len(fed) <= 8
    health.round_began()
    now = 11.0
    await asyncio.sleep(0.05)
    received(listener)
    await asyncio.sleep(0.1)
    assert received(listener) == []
    health.round_ended()
    await asyncio.sleep(0.1)
    assert "WATCHDOG=1" in received(listener)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_blocked_loop_starves_the_watchdog(manager: tuple[str, socket.socket]) -> None:
    """While the loop hangs, no sign of life is given: that is what the watchdog is for."""
    name, listener = manager
    task = asyncio.create_task(watchdog(Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"}), Health()))
    await asyncio.sleep(0.05)
    received(listener)
    time.sleep(0.1)  # noqa: ASYNC251 - the fault itself
    assert received(listener) == []
    task.cancel()


async def test_without_a_watchdog_its_task_just_lives() -> None:
    """The task never ends where systemd asks for nothing, so that it can be supervised all the same."""
    task = asyncio.create_task(watchdog(Notifier({}), Health()))
    await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
