"""What one measurement runs: the daemon, a light API server, and readings of a process's cost from /proc.

Rule: nothing polls the daemon while something is being timed.
"""

import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from resource import getpagesize

import attrs

from tests.services.daemon import Nqosd
from tests.services.process import Service, free_port
from tests.services.tls import Authority
from tools.bench.workload import Size

_TICKS = os.sysconf("SC_CLK_TCK")
_HOUR = 3600.0

COUNTED = ("transactions", "writes", "guards")
"""What is counted of commits; a guard is a `wait` operation, which writes nothing."""


@attrs.frozen
class Usage:
    """CPU seconds since the start of a process, resident memory now and at its peak in MiB."""

    cpu: float
    resident: float
    peak: float


def usage(pid: int) -> Usage:
    """Read what a process has cost."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return Usage(
        (int(fields[11]) + int(fields[12])) / _TICKS, pages * getpagesize() / 2**20, int(peak.split()[1]) / 1024
    )


class Daemon(Nqosd):
    """The daemon, taken as started as soon as its process is there."""

    def is_ready(self) -> bool:
        """Wait for nothing."""
        return True

    def says_ready(self) -> bool:
        """Ask /readyz."""
        return super().is_ready()

    def written(self) -> Mapping[str, float]:
        """Count what was committed so far, by what COUNTED names; the writer's record goes with every transaction."""
        transactions = self.metric("nqosd_transactions_total", result="committed")
        guards = self.metric("nqosd_operations_total", kind="wait")
        records = self.metric("nqosd_operations_total", kind="record")
        operations = self.metric("nqosd_operations_total")
        return dict(zip(COUNTED, (transactions, operations - guards - records, guards), strict=True))


class FakeApiServer(Service):
    """`tools.bench.fake_api` in a process of its own; `ask` calls what it offers to the benchmark."""

    def __init__(self, size: Size) -> None:
        super().__init__("fake-api")
        self._size = size
        self.port = free_port()
        self.kubeconfig = self.directory / "kubeconfig"
        # As every cluster's: without an authority each new client would read all those of the system, in 25 ms.
        authority = Authority(self.directory).certificate
        cluster = {"server": f"http://127.0.0.1:{self.port}", "certificate-authority": str(authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "fake", "user": {"token": "fake"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "current-context": "fake",
        }
        self.kubeconfig.write_text(json.dumps(config))

    def command(self) -> Sequence[str]:
        """Return the command of the server."""
        size = map(str, attrs.astuple(self._size))
        return [sys.executable, "-m", "tools.bench.fake_api", str(self.port), *size]

    def is_ready(self) -> bool:
        """Ask it something."""
        try:
            self.ask("GET", "first-list")
        except OSError:
            return False
        return True

    def ask(self, method: str, what: str, body: object = None) -> object:
        """Call one of the paths under `/bench/`, with a body of JSON if there is one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_HOUR)
        try:
            connection.request(method, f"/bench/{what}", None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
