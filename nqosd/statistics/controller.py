"""Asks ovn-controller which meters it wants in br-int, over its control socket.

In: the folder of the socket, or none. Out: numbers of meters by the cookie of their flows. Rule: the one command that
is given only reads; ovn-controller names a meter of a QoS row by the uuid of its logical flow (measured on OVN 23.03 to
26.03), and lists it whether br-int took it or not.
"""

import asyncio
import contextlib
import re
from pathlib import Path

from nqosd.ovsdb.framing import FramingError
from nqosd.ovsdb.plain_client import Call, ask
from nqosd.ovsdb.remotes import FOLDERS, Remote

SOCKETS = "ovn-controller.*.ctl"
_METER = re.compile(r"\buuid ([0-9a-f]{8})-[0-9a-f-]{27} .*: (\d+)$", re.MULTILINE)


class ControllerError(Exception):
    """ovn-controller can't be asked; the message says where it was looked for."""


async def wanted_meters(folder: str, seconds: float) -> dict[int, int]:
    """Give the meters that ovn-controller wants for QoS rows.

    Raises:
        ControllerError: it doesn't answer in time, or isn't there.
    """
    for socket in _sockets(folder):
        with contextlib.suppress(OSError, FramingError):  # that of an ovn-controller that was killed
            async with asyncio.timeout(seconds):
                (answer,) = await ask(Remote(f"unix:{socket}"), None, [Call("meter-table-list", [])])
            return {int(cookie, 16): int(number) for cookie, number in _METER.findall(str(answer.get("result")))}
    raise ControllerError(f"stats.controller: no ovn-controller answers at {SOCKETS} in {folder or ', '.join(FOLDERS)}")


def _sockets(folder: str) -> list[Path]:
    """Give control sockets, the newest first."""
    found: dict[Path, float] = {}
    for place in (folder,) if folder else FOLDERS:
        for path in Path(place).glob(SOCKETS):
            with contextlib.suppress(OSError):
                found[path] = path.stat().st_mtime
    return sorted(found, key=lambda path: -found[path])
