"""The daemon with a heart: `python -m tools.bench.heartbeat CONFIG SOCKET` is `nqosd run` whose event loop beats.

In: a configuration file. Out: to whoever connects to the unix socket, the longest time in seconds that the loop was
late for a beat since the last one who asked, as a line. Rules: the heart is a callback of the daemon's own event loop,
due every millisecond, and nothing else is added to it; a beat that is late because other processes have the processor
counts as late by the time only for which the daemon had it.
"""

import asyncio
import sys
import time
from pathlib import Path

from nqosd.config import Config, load
from nqosd.daemon import daemon
from nqosd.runtime import garbage
from nqosd.telemetry import logs

PERIOD = 0.001


class Heart:
    """Beats in the running event loop."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._due, self._spent = time.monotonic(), time.process_time()
        self._loop = asyncio.get_running_loop()
        self._beat()

    def _beat(self) -> None:
        now, spent = time.monotonic(), time.process_time()
        self._worst = max(self._worst, min(now - self._due, spent - self._spent))
        self._due, self._spent = now + PERIOD, spent
        self._loop.call_later(PERIOD, self._beat)

    async def tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection."""
        worst, self._worst = self._worst, 0.0
        writer.write(f"{worst}\n".encode())
        writer.close()


async def run(read: Path, socket: Path) -> None:
    """Run the daemon until it is told to end."""

    def config() -> Config:
        return load(read)

    heart = Heart()
    async with await asyncio.start_unix_server(heart.tell, socket):
        await daemon.Daemon(config(), config).run()


if __name__ == "__main__":
    garbage.pause()
    logs.configure("info", "json")
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2])))
