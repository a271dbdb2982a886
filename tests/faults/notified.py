"""The daemon and the exporter, started by a stand-in for systemd that takes what they tell it.

In: what a service is made of. Out: what it has told. Rule: datagrams come over a real socket, $NOTIFY_SOCKET.
"""

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path

from tests.services.daemon import Nqosd
from tests.services.process import Service
from tests.services.stats import Exporter


class _Manager(Service):
    """The part of a service that listens."""

    port: int

    def prepare(self) -> None:
        """Listen."""
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)  # noqa: FBT003 - the library's own signature

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
        self._path.unlink()

    def environment(self) -> Mapping[str, str]:
        """Say where datagrams are to be sent."""
        return {"NOTIFY_SOCKET": str(self._path)}

    @property
    def _path(self) -> Path:
        return self.directory / "notify"

    def told(self) -> list[str]:
        """Give all that it has told, a datagram each."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said.append(self._socket.recv(65536).decode())
        return self.said

    def was_ready(self) -> bool:
        """Say whether it has told that it is ready, and that it is loading nothing since."""
        states = [line for each in self.told() for line in each.splitlines() if line in ("READY=1", "RELOADING=1")]
        return states[-1:] == ["READY=1"]

    def state(self) -> str:
        """Give the line of `systemctl status`."""
        lines = [line for each in self.told() for line in each.splitlines() if line.startswith("STATUS=")]
        return lines[-1] if lines else ""


class Notified(_Manager, Nqosd):
    """`nqosd run`; `awaits_port` says whether its start ends with /readyz, or with what systemd is told."""

    awaits_port = True

    def is_ready(self) -> bool:
        """Ask the probe, or look at what it told."""
        return super().is_ready() if self.awaits_port else self.was_ready()


class NotifiedExporter(_Manager, Exporter):
    """`nqosd stats`, which is alive before it can read anything."""

    awaits_port = True

    def is_ready(self) -> bool:
        """Ask the probe, or look at what it told."""
        return self.get("/healthz")[0] == 200 if self.awaits_port else self.was_ready()
