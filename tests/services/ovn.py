"""OVN without a data plane: both databases and northd, and the question what a packet would meet.

In: a generation. Out: a Northbound database whose changes northd turns into logical flows. The rule: whoever reads what
northd made calls `sync` first.
"""

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.ovsdb import LOGGING, OvsdbServer, ovs_directories
from tests.services.process import Service, ServiceError

__all__ = ["GENERATIONS", "Northd", "OvnCentral", "OvnGeneration", "trace"]

TRACE_TIMEOUT = 30.0


class Northd(Service):
    """An ovn-northd between two databases, given as servers or as remotes."""

    def __init__(
        self,
        nb: OvsdbServer | str,
        sb: OvsdbServer | str,
        generation: OvnGeneration = GENERATIONS[0],
        *,
        directory: Path | None = None,
    ) -> None:
        super().__init__("ovn-northd", directory=directory)
        self.generation = generation
        self._nb = nb if isinstance(nb, str) else nb.remotes
        self._sb = sb if isinstance(sb, str) else sb.remotes
        self._control = self.directory / "ovn-northd.ctl"

    def command(self) -> Sequence[str]:
        """Return the command that translates from one database to the other."""
        databases = [f"--ovnnb-db={self._nb}", f"--ovnsb-db={self._sb}"]
        return [self.generation.program("ovn-northd"), *databases, f"--unixctl={self._control}", *LOGGING]

    def environment(self) -> Mapping[str, str]:
        """Return the directories of the programs of OVS and OVN."""
        return ovs_directories(self.directory)

    def is_ready(self) -> bool:
        """Return whether this northd holds the lock and does the work."""
        with contextlib.suppress(ServiceError):
            return "Status: active" in self.appctl("status")
        return False

    def appctl(self, *arguments: str) -> str:
        """Run ovn-appctl on this northd and return what it prints."""
        return self.run([self.generation.program("ovn-appctl"), "-t", str(self._control), *arguments])


class OvnCentral:
    """A Northbound database, a Southbound database and northd of one generation; a context manager."""

    def __init__(self, generation: OvnGeneration = GENERATIONS[0]) -> None:
        self.generation = generation
        self.nb = OvsdbServer(generation, "nb")
        self.sb = OvsdbServer(generation, "sb")
        self.northd = Northd(self.nb, self.sb, generation)
        self._stack = contextlib.ExitStack()

    def sync(self, *, wait: Literal["sb", "hv"] = "sb") -> None:
        """Wait until northd ("sb"), or every chassis too ("hv"), has applied what the Northbound database says now."""
        self.nb.nbctl(f"--wait={wait}", "sync")

    def trace(self, switch: str, microflow: str) -> str:
        """Return what `trace` says about a packet on a logical switch, after a `sync`."""
        self.sync()
        return trace(self.sb, switch, microflow)

    def logical_flows_of(self, row: str) -> list[str]:
        """Return the ids of the Southbound logical flows that northd made from a Northbound row, after a `sync`.

        northd names the row in `external_ids:stage-hint` by the first eight digits of its id, so a flow that stands for
        several equal rows names one of them only.
        """
        self.sync()
        condition = f"external_ids:stage-hint={row[:8]}"
        return self.sb.sbctl("--bare", "--columns=_uuid", "find", "Logical_Flow", condition).split()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for service in (self.nb, self.sb, self.northd):
                stack.enter_context(service)
            self.sync()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def trace(sb: OvsdbServer, switch: str, microflow: str) -> str:
    """Return what ovn-trace says about a packet on a logical switch: the flows it meets, and every match that is wrong.

    `microflow` is an expression such as `inport == "a" && ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.ttl == 64`.
    A match in the database that doesn't parse gives a line with "parsing expression failed".

    Raises:
        ServiceError: there is no such switch, or the microflow is wrong or names no `inport` that exists.
    """
    command = [sb.generation.program("ovn-trace"), f"--db={sb.unix}", switch, microflow]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRACE_TIMEOUT)
    said = done.stdout + done.stderr
    if "ingress(dp=" not in said:  # the exit code is 0 even when it traced nothing
        raise ServiceError(f"ovn-trace on {switch!r} with {microflow!r} traced nothing: {said.strip()}")
    return said
