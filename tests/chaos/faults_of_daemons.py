"""Faults of the daemons themselves: killed, frozen, told to reload, their ports flooded, their clock set.

In: a harness. Out: `FAULTS`. The rule: a daemon that is started again is waited for until it lives, not until it is
ready, since something else may be in the way of that.
"""

import contextlib
import itertools
import os
import signal
import socket
from collections.abc import Callable
from random import Random

from tests.chaos.fault import Begin, End, Fault, again_and_again, nothing
from tests.chaos.harness import Harness
from tests.faults.test_daemon import YEAR, NqosdWithFakeClock
from tests.services.daemon import Nqosd

SILENT = 300
"""Connections that say nothing; more than a daemon should bear at once."""
BROKEN: tuple[bytes, ...] = (
    b"[northbound\n",
    b"x = " + b"[" * 100_000,
    b"x = " + b"9" * 5_000,
    b"\xff\xfe\x00",
    b"[northbound]\nprobe_interval = -1\n",
)
"""What a file of the configuration may hold by mistake."""


def _number(number: int) -> Callable[[Harness], bool]:
    return lambda harness: len(harness.site.daemons) > number


def _of(number: int, harm: Callable[[Nqosd, Random], End]) -> Begin:
    return lambda harness, random: harm(harness.site.daemons[number], random)


def _kill(daemon: Nqosd, _random: Random) -> End:
    daemon.awaits = "healthz"
    daemon.kill()
    return daemon.start


def _restart(daemon: Nqosd, _random: Random) -> End:
    daemon.awaits = "healthz"
    daemon.restart()
    return nothing


def _pause(daemon: Nqosd, _random: Random) -> End:
    daemon.pause()
    return daemon.resume


def _stutter(daemon: Nqosd, random: Random) -> End:
    states = itertools.cycle((daemon.pause, daemon.resume))
    end = again_and_again(lambda _own: next(states)(), random, 0.5)

    def let_run() -> None:
        end()
        daemon.resume()

    return let_run


def _reload(daemon: Nqosd, random: Random) -> End:
    for _ in range(random.choice((1, 1, 20))):
        os.kill(daemon.pid, signal.SIGHUP)
    return nothing


def _break_configuration(daemon: Nqosd, random: Random) -> End:
    good = daemon.config.read_bytes()
    daemon.config.write_bytes(random.choice(BROKEN))
    daemon.reload()

    def end() -> None:
        daemon.config.write_bytes(good)
        daemon.reload()

    return end


def _flood(daemon: Nqosd, random: Random) -> End:
    """Hold connections that say nothing, or begin to say something and stop."""
    half = random.choice((b"", b"GET /metrics HTTP/1.1\r\nX-Slow: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"))
    held = []
    with contextlib.suppress(OSError):  # it may refuse them
        for _ in range(SILENT):
            held.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=2))
            held[-1].sendall(half)

    def end() -> None:
        for each in held:
            each.close()

    return end


def _use_descriptors_again(harness: Harness, random: Random) -> End:
    """Cut the lines to the database while connections to the ports of the daemons come and go."""
    for _ in range(random.randint(2, 5)):
        held: list[socket.socket] = []
        moment = random.randrange(40)
        for turn in range(40):
            for daemon in harness.site.daemons:
                with contextlib.suppress(OSError):
                    held.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=2))
            if turn == moment:
                harness.site.wire.cut()
        for each in held:
            each.close()
    harness.site.wire.cut()
    return nothing


def _jump(harness: Harness, random: Random) -> End:
    daemon = harness.site.daemons[1]
    assert isinstance(daemon, NqosdWithFakeClock)
    daemon.jump(random.choice((YEAR, -YEAR, 3600, -3600)))
    return lambda: daemon.jump(0)


def _has_fake_clock(harness: Harness) -> bool:
    return isinstance(harness.site.daemons[1], NqosdWithFakeClock)


def _each(name: str, harm: Callable[[Nqosd, Random], End], part: str = "daemon", needs: str = "",
          weight: float = 0.6) -> tuple[Fault, ...]:  # fmt: skip
    return tuple(
        Fault(name, f"{part}{i}", _of(i, harm), needs.format(i), weight, is_possible=_number(i)) for i in range(3)
    )


FAULTS: tuple[Fault, ...] = (
    *_each("daemon killed", _kill, weight=1.2),
    *_each("daemon restarted", _restart, weight=0.4),
    *_each("daemon frozen", _pause),
    *_each("daemon frozen for moments", _stutter),
    *_each("daemon reloaded", _reload),
    *_each("daemon reloaded with a broken file", _break_configuration),
    *_each("HTTP port flooded with silent connections", _flood, "http", "daemon{}"),
    Fault("descriptors used again", "wire", _use_descriptors_again, "daemon0 daemon1", 2.0),
    Fault("clock jumps", "clock", _jump, is_possible=_has_fake_clock),
)
