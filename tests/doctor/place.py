"""A set-up in which nothing is in the way, and the command that looks at it.

In: options and surroundings that break it. Out: what `nqosd doctor` printed, with the paths and addresses of a usual
machine. Rule: servers are real; only their sockets lie elsewhere.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from nqosd.cli import main
from tests.cli.documents import conforming
from tests.faults.cluster import Cluster
from tests.services.daemon import Nqosd, Options
from tests.services.generation import GENERATIONS
from tests.services.kubernetes import DAEMON
from tests.services.ovsdb import OvsdbServer
from tests.services.process import free_port

NORTHD = "25.03.0-20.41.0-77.6"
ADDRESSES = (
    (re.compile(r"\('127\.0\.0\.1', \d+\)"), "('192.0.2.1', 6443)"),
    (re.compile(r"127\.0\.0\.1:(?!17477)\d+"), "192.0.2.1:6443"),
    (re.compile(r"nqosd at \S+( \(|, )process [^)]+\)"), r"nqosd at node-1\1process 1)"),
)


@attrs.frozen
class Start:
    """How the command is started: options of its configuration, a command before it, variables, seconds for a look."""

    options: Options = attrs.field(factory=dict)
    before: Sequence[str] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict)
    seconds: float = 60.0


@attrs.frozen
class Check:
    """One line of the answer."""

    check: str
    verdict: str
    about: str
    found: str
    way_out: str


def complaints(checks: Sequence[Check]) -> list[Check]:
    """Give what isn't well, but for the lock, which nobody holds as long as no daemon runs."""
    bad = [each for each in checks if each.verdict in {"failed", "warning"}]
    return [each for each in bad if (each.check, each.found) != ("lock", "nobody holds it")]


@attrs.frozen
class Place:
    """One node of a zone with its database, `n1`, whose daemon isn't running; `folder` stands for /etc/nqosd."""

    cluster: Cluster
    nb: OvsdbServer
    sb: OvsdbServer
    folder: Path
    exporter: int = attrs.field(factory=free_port)
    """The port at which `nqosd stats` would listen."""

    @classmethod
    @contextlib.contextmanager
    def prepared(cls) -> Iterator["Place"]:
        """Start the servers."""
        with (
            Cluster.started() as cluster,
            OvsdbServer(GENERATIONS[-1]) as nb,
            OvsdbServer(GENERATIONS[-1], "sb") as sb,
            tempfile.TemporaryDirectory(prefix="nqosd-doctor-") as folder,
        ):
            place = cls(cluster, nb, sb, Path(folder))
            place.name_zone()
            yield place

    def name_zone(self) -> None:
        """Let the database be that of the zone, in which ovn-northd has run."""
        self.nb.nbctl("set", "NB_Global", ".", "name=n1", f"options:northd_internal_version={NORTHD}")

    def daemon(self, options: Options) -> Nqosd:
        """Give a daemon with its configuration, not started."""
        listen = f"127.0.0.1:{self.exporter}"
        stats = {"openflow": str(self.folder / "br-int.mgmt"), "southbound": [self.sb.unix], "listen": listen}
        kubeconfig = self.cluster.server.kubeconfig(DAEMON)
        daemon = Nqosd([self.nb.unix], kubeconfig=kubeconfig, options={"stats": stats}, directory=self.folder)
        daemon.configure(options)
        return daemon

    @contextlib.contextmanager
    def running(self, options: Options, awaits: str) -> Iterator[Nqosd]:
        """Run a daemon until a probe says yes, and leave no report of it."""
        daemon = self.daemon(options)
        daemon.awaits = awaits
        with daemon:
            yield daemon
        self.cluster.forget_leases()

    def examine(self, start: Start) -> tuple[int, list[Check]]:
        """Run the command; gives its exit code and what it found."""
        config = self.daemon(start.options).config
        arguments = ["doctor", "--config", str(config), "--timeout", str(start.seconds), "--format", "json"]
        if start.before or start.environment:
            command = [*start.before, sys.executable, "-m", "nqosd", *arguments]
            environment = {**os.environ, **start.environment}
            done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
            code, printed = done.returncode, done.stdout
        else:
            with contextlib.redirect_stdout(io.StringIO()) as output:
                code = main(arguments)
            printed = output.getvalue()
        return code, [Check(**each) for each in conforming("doctor", self.usual(printed))["checks"]]

    def usual(self, text: str) -> str:
        """Put the places of a usual machine in place of those of the test."""
        places = {
            str(self.nb.directory): "/var/run/ovn",
            str(self.sb.directory): "/var/run/ovn",
            f"127.0.0.1:{self.exporter}": "127.0.0.1:17477",
            "ovsdb-nb.sock": "ovnnb_db.sock",
            "ovsdb-sb.sock": "ovnsb_db.sock",
            str(self.folder): "/etc/nqosd",
            str(self.cluster.server.directory): "/etc/nqosd",
        }
        for here, there in places.items():
            text = text.replace(here, there)
        for pattern, there in ADDRESSES:
            text = pattern.sub(there, text)
        return text
