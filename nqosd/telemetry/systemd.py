"""What systemd is told: ready, reloading, stopping, a status line, and that the daemon still lives.

In: the environment that systemd gives to a service (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`). Out: datagrams
as sd_notify(3) describes them; the protocol is a few lines, less than a dependency on a library would take. Rule:
without that environment nothing happens, and a datagram that can't be sent never stops the daemon.
"""

import asyncio
import os
import socket
import time
from collections.abc import Mapping

import structlog

from nqosd.telemetry.health import Health

_log = structlog.get_logger()

MICROSECONDS = 1_000_000


class Notifier:
    """Sends states to the service manager; `active` says whether there is one that listens."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_interval = _watchdog_interval(environment)
        """Seconds between two signs of life that systemd expects at most; None if it expects none."""
        self._parts: dict[str, str] = {}

    def ready(self) -> None:
        """Tell that start-up, or a reload, is complete."""
        self._send("READY=1", self._status())

    def status(self, part: str, text: str) -> None:
        """Say how a part does in the line of `systemctl status`; an empty text takes it out."""
        self._parts[part] = text
        self._send(self._status())

    def reloading(self) -> None:
        """Tell that a reload has begun; `ready` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that the daemon is ending."""
        self._send("STOPPING=1", "STATUS=Stopping")

    def alive(self) -> None:
        """Give the sign of life that the watchdog waits for."""
        self._send("WATCHDOG=1")

    def _status(self) -> str:
        return f"STATUS={'; '.join(filter(None, self._parts.values())) or 'running'}"

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        message = "\n".join(each.replace("\n", " ") for each in assignments)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.setblocking(False)  # noqa: FBT003 - the library's own signature
                connection.sendto(message.encode(), self._address)
        except OSError as error:
            _log.warning("systemd can't be notified", message=message, error=str(error))


async def watchdog(notifier: Notifier, health: Health) -> None:
    """Give signs of life, twice as often as systemd asks, for as long as the daemon is healthy; never returns.

    When it isn't, the log says why and nothing is sent, so that systemd restarts the service.
    """
    if notifier.watchdog_interval is None:
        await asyncio.Event().wait()
        return
    said: tuple[str, ...] = ()
    while True:
        problems = health.problems()
        if not problems:
            notifier.alive()
        elif problems != said:
            _log.error("unhealthy, the watchdog is not fed", problems=problems)
        said = problems
        await asyncio.sleep(notifier.watchdog_interval / 2)


def _address(path: str) -> str | None:
    """Give the address of a socket; `@` stands for the zero byte of an abstract one."""
    if path.startswith("@"):
        return f"\0{path[1:]}"
    return path if path.startswith("/") else None


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    process = environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or process not in ("", str(os.getpid())):
        return None
    return int(microseconds) / MICROSECONDS
