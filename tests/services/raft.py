"""An OVSDB database kept by a cluster of real ovsdb-servers (RAFT).

In: a generation and a schema. Out: the remotes of all members, and ways to make leadership move: politely, by killing
the leader, by freezing it. The rule: a member keeps its database file over kill and restart, as a machine would.
"""

import contextlib
import re
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.ovsdb import OvsdbServer
from tests.services.process import POLL_INTERVAL, ServiceError, free_port

ELECTION_DEADLINE = 20.0
ELECTION_TIMERS = (1000, 1100)
"""Milliseconds: the default, and one to change it to."""


class RaftMember(OvsdbServer):
    """One server of a cluster: the first creates it, every other one joins it at the address of the first."""

    def __init__(
        self,
        generation: OvnGeneration,
        schema: Literal["nb", "sb"],
        *,
        name: str,
        directory: Path,
        joins: "RaftMember | None" = None,
    ) -> None:
        super().__init__(generation, schema, directory=directory, name=name)
        self.address = f"tcp:127.0.0.1:{free_port()}"
        self._joins = joins

    def create_database(self) -> None:
        """Make a database file that holds this member's part of the cluster."""
        tool = [self.generation.program("ovsdb-tool")]
        if self._joins is None:
            self.run([*tool, "create-cluster", str(self.file), str(self.generation.schema(self.schema)), self.address])
        else:
            self.run([*tool, "join-cluster", str(self.file), self.database, self.address, self._joins.address])

    def initialize(self) -> None:
        """Leave the global row to the cluster, since only it can write."""

    def is_ready(self) -> bool:
        """Return whether the server accepts connections and is a member of the cluster."""
        with contextlib.suppress(ServiceError):  # the socket of `status` comes a moment after that of the database
            return super().is_ready() and "Status: cluster member" in self.status()
        return False

    @property
    def is_leader(self) -> bool:
        """Whether this member runs and says that it leads."""
        if not self.is_running:
            return False
        with contextlib.suppress(ServiceError):
            return re.search(r"^Role: leader$", self.status(), re.MULTILINE) is not None
        return False

    def status(self) -> str:
        """Return what `cluster/status` says."""
        return self.appctl("cluster/status", self.database)


class RaftCluster:
    """A cluster of three members; a context manager that starts them and ends them.

    `remotes` lists the unix sockets of all members, separated by commas, as every client of OVSDB takes them.
    """

    def __init__(
        self, generation: OvnGeneration = GENERATIONS[0], schema: Literal["nb", "sb"] = "nb", *, size: int = 3
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="nqosd-raft-"))
        first = RaftMember(generation, schema, name=f"{schema}-0", directory=self.directory)
        self.members = [first]
        for i in range(1, size):
            member = RaftMember(generation, schema, name=f"{schema}-{i}", directory=self.directory, joins=first)
            self.members.append(member)
        self._stack = contextlib.ExitStack()

    @property
    def remotes(self) -> str:
        """The remotes of all members, separated by commas."""
        return ",".join(member.unix for member in self.members)

    def leader(self) -> int:
        """Return which member leads, waiting until exactly one does.

        Raises:
            ServiceError: none leads after 20 s.
        """
        return self._leader_other_than(None)

    def move_leadership(self) -> int:
        """Make the leader hand over without losing a connection, as it does before a snapshot; return who leads then.

        The hand-over comes with the next write. A change of the election timer is one that no database sees.
        """
        before = self.leader()
        leader = self.members[before]
        leader.appctl("cluster/failure-test", "transfer-leadership-after-sending-append-request")
        timer = next(timer for timer in ELECTION_TIMERS if f"Election timer: {timer}\n" not in leader.status())
        leader.appctl("cluster/change-election-timer", leader.database, str(timer))
        return self._leader_other_than(before)

    def kill(self, i: int) -> None:
        """Kill a member."""
        self.members[i].kill()

    def restart(self, i: int) -> None:
        """Start a member again, stopping it first if it runs; it keeps its part of the database."""
        self.members[i].restart()

    def nbctl(self, *arguments: str) -> str:
        """Run the ctl tool of the database on the leader and return what it prints."""
        first = self.members[0]
        return first.run([first.generation.program("ovn-nbctl"), f"--db={self.remotes}", "--timeout=30", *arguments])

    def tail_logs(self) -> str:
        """Return the last lines of every member's log."""
        return "\n".join(member.tail_logs() for member in self.members)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            for member in self.members:
                stack.enter_context(member)
            self.members[self.leader()].ctl("init")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _leader_other_than(self, excluded: int | None) -> int:
        end = time.monotonic() + ELECTION_DEADLINE
        while time.monotonic() < end:
            leading = [i for i, member in enumerate(self.members) if i != excluded and member.is_leader]
            if len(leading) == 1:
                return leading[0]
            time.sleep(POLL_INTERVAL)
        raise ServiceError(f"no member of the cluster leads after {ELECTION_DEADLINE:g} s\n{self.tail_logs()}")
