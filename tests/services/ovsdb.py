"""A real ovsdb-server with one database: OVN Northbound, OVN Southbound, or Open vSwitch's own.

In: a generation, a schema, and which remotes to listen on. Out: a running server, its remotes, and the ctl tool of its
database. The rule: the database file outlives stop, kill and restart, and goes only when a test says so.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.process import Service, ServiceError, accepts, free_port
from tests.services.tls import Credentials

DATABASES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound", "vswitch": "Open_vSwitch"}
TOOLS = {"nb": "ovn-nbctl", "sb": "ovn-sbctl", "vswitch": "ovs-vsctl"}
TOOL_TIMEOUT = 30
CONTROL_TIMEOUT = 2
"""Seconds until a server that doesn't answer ovs-appctl counts as frozen."""


class OvsdbServer(Service):
    """An ovsdb-server, on a unix socket always, on TCP and TLS where asked; its ports stay the same over restarts.

    `credentials` (from `tls.Authority.issue`) turn TLS on; clients must then show a certificate of the same authority.
    """

    def __init__(
        self,
        generation: OvnGeneration = GENERATIONS[0],
        schema: Literal["nb", "sb", "vswitch"] = "nb",
        *,
        directory: Path | None = None,
        tcp: bool = False,
        credentials: Credentials | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"ovsdb-{schema}", directory=directory)
        self.generation = generation
        self.schema = schema
        self.database = DATABASES[schema]
        self.file = self.directory / f"{self.name}.db"
        self.socket = self.directory / f"{self.name}.sock"
        self.control = self.directory / f"{self.name}.ctl"
        self._credentials = credentials
        self._tcp_port = free_port() if tcp else None
        self._ssl_port = free_port() if credentials else None

    @property
    def unix(self) -> str:
        """The remote of the unix socket: `unix:/path`."""
        return f"unix:{self.socket}"

    @property
    def tcp(self) -> str:
        """The remote of the TCP port: `tcp:127.0.0.1:PORT`; the server must have been made with `tcp=True`."""
        if self._tcp_port is None:
            raise ServiceError(f"{self.name} has no TCP remote: make it with tcp=True")
        return f"tcp:127.0.0.1:{self._tcp_port}"

    @property
    def ssl(self) -> str:
        """The remote of the TLS port: `ssl:127.0.0.1:PORT`; the server must have been made with credentials."""
        if self._ssl_port is None:
            raise ServiceError(f"{self.name} has no TLS remote: make it with credentials")
        return f"ssl:127.0.0.1:{self._ssl_port}"

    def command(self) -> Sequence[str]:
        """Return the command that serves the database on every remote, logging to standard error."""
        remotes = [f"--remote=punix:{self.socket}"]
        if self._tcp_port is not None:
            remotes.append(f"--remote=ptcp:{self._tcp_port}:127.0.0.1")
        if self._credentials is not None:
            remotes += [
                f"--remote=pssl:{self._ssl_port}:127.0.0.1",
                f"--private-key={self._credentials.key}",
                f"--certificate={self._credentials.certificate}",
                f"--ca-cert={self._credentials.authority}",
            ]
        server = self.generation.program("ovsdb-server")
        return [server, str(self.file), *remotes, f"--unixctl={self.control}", *LOGGING]

    def environment(self) -> Mapping[str, str]:
        """Return the directories that the programs of OVS and OVN fall back to: this one, not the machine's."""
        return ovs_directories(self.directory)

    def is_ready(self) -> bool:
        """Return whether the unix socket accepts connections: the database has been read by then."""
        return accepts(self.socket)

    def create_database(self) -> None:
        """Make an empty database file."""
        self.run(
            [self.generation.program("ovsdb-tool"), "create", str(self.file), str(self.generation.schema(self.schema))]
        )

    def prepare(self) -> None:
        """Make the database, unless the directory holds one already."""
        if not self.file.exists():
            self.create_database()

    def start(self) -> None:
        """Start the server, then make the global row, as the start scripts of OVN do."""
        super().start()
        self.initialize()

    def initialize(self) -> None:
        """Make the global row, if it isn't there."""
        no_wait = ["--no-wait"] if self.schema == "vswitch" else []  # there is no ovs-vswitchd yet to wait for
        self.ctl(*no_wait, "init")

    def restart(self, *, keep_database: bool = True) -> None:
        """Stop and start again, with the same database or with an empty one."""
        self.stop()
        if not keep_database:
            self.file.unlink()
            self.create_database()
        self.start()

    def ctl(self, *arguments: str) -> str:
        """Run the ctl tool of this database and return what it prints."""
        tool = self.generation.program(TOOLS[self.schema])
        return self.run([tool, f"--db={self.remotes}", f"--timeout={TOOL_TIMEOUT}", *arguments])

    def nbctl(self, *arguments: str) -> str:
        """Run ovn-nbctl and return what it prints."""
        return self._ctl_of("nb", arguments)

    def sbctl(self, *arguments: str) -> str:
        """Run ovn-sbctl and return what it prints."""
        return self._ctl_of("sb", arguments)

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl and return what it prints."""
        return self._ctl_of("vswitch", arguments)

    def transact(self, *operations: Mapping[str, object]) -> list[dict[str, object]]:
        """Run operations of RFC 7047 in one transaction and return their results, in order.

        Raises:
            ServiceError: an operation failed, so nothing was written; carries the results.
        """
        request = json.dumps([self.database, *operations])
        client = self.generation.program("ovsdb-client")
        answer = self.run([client, f"--timeout={TOOL_TIMEOUT}", "transact", self.remotes, request])
        results: list[dict[str, object] | None] = json.loads(answer)
        done = [result for result in results if result is not None and "error" not in result]
        if len(done) != len(results):
            raise ServiceError(f"{self.name} refused the transaction {request}: {answer.strip()}")
        return done

    def dump(self, *tables: str) -> str:
        """Return every row of the given tables (of all, without any), row ids included, in a fixed order."""
        client = self.generation.program("ovsdb-client")
        command = [client, f"--timeout={TOOL_TIMEOUT}", "--format=list", "dump", self.remotes, self.database]
        return "".join(self.run([*command, table]) for table in tables) if tables else self.run(command)

    def appctl(self, *arguments: str) -> str:
        """Run ovs-appctl on the server itself and return what it prints."""
        appctl = self.generation.program("ovs-appctl")
        return self.run([appctl, f"--timeout={CONTROL_TIMEOUT}", "-t", str(self.control), *arguments])

    @property
    def remotes(self) -> str:
        """The remotes that the tools use: one, or all members of a cluster."""
        return self.unix

    def _ctl_of(self, schema: str, arguments: Sequence[str]) -> str:
        if self.schema != schema:
            raise ServiceError(f"{self.name} serves {self.database}: {TOOLS[schema]} needs {DATABASES[schema]}")
        return self.ctl(*arguments)


LOGGING = ("-vconsole:info", "-vsyslog:off", "-vfile:off", "--no-chdir")
"""Options of every daemon of OVS and OVN: log to standard error only, relative paths as given."""


def ovs_directories(directory: Path) -> dict[str, str]:
    """Return the environment that keeps the programs of OVS and OVN away from the machine's own directories."""
    names = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR", "OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR",
             "OVN_SYSCONFDIR")  # fmt: skip
    return dict.fromkeys(names, str(directory))
