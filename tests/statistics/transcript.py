"""`docs/transcript.md`: the guide's pods, what nqosd says about their packets, and counters beside iperf3's figures.

In: a stage. Out: the page, and the comparison on it. Rule: every output is what the command before it printed; only
addresses and paths of the testbed are replaced, by those that a cluster would have.
"""

import re
import subprocess
import sys
import time

import attrs

from nqosd.statistics.figures import Figures
from tests.dataplane.guide import POD0, POD1, POD2
from tests.services.install import prometheus
from tests.statistics.datagrams import FRAME, OTHERS, Datagrams, Sender
from tests.statistics.stage import LAG, OnTheWay, Stage

OFFERED, SECONDS, SETTLED = 40, 30, 3
"""Mbit/s and seconds of iperf3, long enough for `top` on a busy machine, and seconds until `top` is asked."""
LATEST = 60.0
"""Seconds after iperf3's end until everything is counted, at most."""
COLUMNS = "NAME:.metadata.name,NODE:.spec.nodeName,LABELS:.metadata.labels"
SERIES = ("marked_packets", "passed_bytes", "dropped_packets")
TOP = """\
# A transcript

The guide's pods and its policy on two nodes, with real traffic. A test (`tests/statistics/test_show.py`) makes this
page on the testbed of [See it on the wire](wire.md), with OVN {series}; `TRANSCRIPT=docs/transcript.md` before
pytest writes it anew, and each run of the test holds the page against what it sees. Addresses and paths of the testbed
are replaced by such as a cluster would have, and nothing else is. [Statistics](statistics.md) says what is counted.
"""
COMPARED = """\
## The same, said by iperf3

iperf3 counts datagrams and their payload; a meter counts frames, {headers} bytes longer each (Ethernet, IPv4, UDP). Its
control connection, some ten packets that the rule marks and meters as well, is in none of its figures. Datagrams that a
busy machine lost before they entered Open vSwitch, or after they had left it, are left out.

| figure | iperf3 | nqosd | difference |
|---|---|---|---|
"""


@attrs.frozen
class Compared:
    """A figure of iperf3 beside that of nqosd."""

    what: str
    theirs: float
    ours: float

    @property
    def difference(self) -> float:
        """The difference as a part of iperf3's figure."""
        return abs(self.ours - self.theirs) / self.theirs


@attrs.define
class Transcript:
    """The page as it grows, and at last what is compared on it."""

    _stage: Stage
    parts: list[str] = attrs.field(factory=list)
    compared: tuple[Compared, ...] = ()

    @property
    def page(self) -> str:
        """The page."""
        return "\n".join(self.parts)

    def play(self) -> None:
        """Run everything."""
        self.parts.append(TOP.format(series=self._stage.laboratory.bed.generation.series))
        self._ask()
        before, ports = self._stage.figures(), self._stage.on_the_way()
        datagrams, gained = self._counted(self._send(), before, ports)
        self._query()
        self._compare(datagrams, gained)

    def _counted(self, datagrams: Datagrams, before: Figures, ports: OnTheWay) -> tuple[Datagrams, Figures]:
        """Wait until all is counted that got as far; give the datagrams that did, and what was gained."""
        end, last = time.monotonic() + LATEST, OnTheWay(0, 0)
        while True:
            time.sleep(LAG)
            seen = self._stage.on_the_way().since(ports)
            within = datagrams.within(seen.entered, seen.left)
            amounts = zip(self._stage.figures().amounts, before.amounts, strict=True)
            gained = Figures(*(now - then for now, then in amounts))
            is_all = seen == last and gained.marked_packets >= within.sent - OTHERS
            if is_all or time.monotonic() > end:
                return within, gained
            last = seen

    def _ask(self) -> None:
        """Show the pods, what becomes of their packets, and that the database is as it should be."""
        kubectl = ["kubectl", "get", "pods", "-o", f"custom-columns={COLUMNS}"]
        self.parts.append("## The pods\n")
        self._show(" ".join(kubectl), self._stage.laboratory.cluster.kubectl(*kubectl[1:]))
        config = ["--config", str(self._stage.laboratory.daemon._config)]
        target = ["--to", self._stage.address(POD2), "--proto", "udp", "--port", "5201", "--network", "ovn-stream"]
        for spec, why in ((POD0, "pod0 has no label, so nothing holds for it"), (POD1, "pod1 has the label")):
            self.parts.append(f"## What becomes of a packet from {spec.name} to pod2: {why}\n")
            self._nqosd("explain", *config, "--pod", spec.key, *target)
        self.parts.append("## Is the database as it should be? `diff` prints nothing and exits with 0\n")
        self._nqosd("diff", *config)

    def _send(self) -> Datagrams:
        """Let iperf3 run, and ask `top` meanwhile, which must see the traffic and how the limit holds it."""
        source, server = self._stage.pod(POD1).namespace, self._stage.pod(POD2).namespace
        with Sender(source, server, self._stage.address(POD2), OFFERED, SECONDS) as sender:
            time.sleep(SETTLED)
            endpoints = [part for each in self._stage.exporters for part in ("--endpoint", each.url)]
            self.parts.append(f"## iperf3 in pod1 offers {OFFERED} Mbit/s to pod2, twice the limit; meanwhile\n")
            top = self._nqosd("top", "--once", *endpoints)
            datagrams = sender.finish()
            self.parts.append("## iperf3 at its end, in pod1\n")
            self._show(" ".join(sender.command), datagrams.said)
        line = next(line for line in top.splitlines() if "  ovn-worker  " in line)
        passed, limit = (float(each) for each in re.findall(r"([\d.]+) Mbit/s", line)[1:3])
        assert 0 < passed <= 1.1 * limit, line
        return datagrams

    def _query(self) -> None:
        """Ask Prometheus, with its own tool."""
        self.parts.append("## In Prometheus, two seconds later\n")
        for name in SERIES:
            query = f'nqosd_rule_{name}_total{{node="ovn-worker"}}'
            command = [
                prometheus.program("promtool"),
                "query",
                "instant",
                f"http://127.0.0.1:{self._stage.prometheus.port}",
            ]
            done = subprocess.run([*command, query], check=True, capture_output=True, text=True, timeout=30)
            self._show(f"{' '.join(command)} '{query}'", done.stdout)

    def _compare(self, datagrams: Datagrams, gained: Figures) -> None:
        """Put the figures side by side."""
        lost = datagrams.sent - datagrams.received
        self.compared = (
            Compared("packets marked / datagrams sent", datagrams.sent, gained.marked_packets),
            Compared("packets dropped / datagrams lost", lost, gained.dropped_packets),
            Compared("packets passed / datagrams received", datagrams.received, gained.passed_packets),
            Compared("bytes passed / bytes received with headers", datagrams.received * FRAME, gained.passed_bytes),
            Compared("bytes dropped / bytes lost with headers", lost * FRAME, gained.dropped_bytes),
        )
        lines = [
            f"| {each.what} | {each.theirs:,.0f} | {each.ours:,.0f} | {each.difference:.2%} |" for each in self.compared
        ]
        self.parts.append(COMPARED.format(headers=FRAME - datagrams.payload) + "\n".join(lines) + "\n")

    def _nqosd(self, *arguments: str) -> str:
        """Run a command as a user would; give what it prints."""
        command = [sys.executable, "-m", "nqosd", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        self._show(f"nqosd {' '.join(arguments)}", done.stdout)
        return done.stdout

    def _show(self, command: str, printed: str) -> None:
        text = "\n".join(line.rstrip() for line in f"$ {command}\n{printed.strip()}".strip().splitlines())
        for ours, theirs in self._instead().items():
            text = text.replace(ours, theirs)
        self.parts.append(f"```text\n{text}\n```\n")

    def _instead(self) -> dict[str, str]:
        """Give what stands for paths and addresses of the testbed."""
        nodes = zip(self._stage.exporters, self._stage.laboratory.bed.nodes, strict=True)
        names = {f"127.0.0.1:{exporter.port}": f"{node.name}:17477" for exporter, node in nodes}
        return names | {
            str(self._stage.laboratory.daemon._config): "nqosd.toml",
            prometheus.program("promtool"): "promtool",
            f"127.0.0.1:{self._stage.prometheus.port}": "prometheus:9090",
        }
