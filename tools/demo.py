"""`make demo`: the guide's policy on real packets, between two nodes on this machine.

In: the guide's manifests. Out: what iperf3, tcpdump, `nqosd explain` and `nqosd top` say before, under and after the
policy; with RECORD=FILE the same as an SVG. Rule: whatever is shown was measured or printed just now; exit code 1 if it
isn't what the policy asks for.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import yaml
from rich.console import Console
from rich.text import Text

from tests.dataplane.guide import ATTEMPTS, DEFAULT_NETWORK, EXAMPLES, POD1, POD2, RATE, STREAM
from tests.dataplane.iperf import SECONDS, Stream, measure
from tests.dataplane.pods import node_manifest
from tests.dataplane.tcpdump import Tcpdump
from tests.dataplane.testbed import Testbed
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.stats import Exporter

WIDTH = 110
WATCHED = 6
"""Seconds of traffic under the limit, so that `nqosd top` sees it."""
BURST = 20000
"""Kilobits; with the guide's 100, TCP gets only a fraction of the rate, as the policy's status warns."""
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
HEADERS = re.compile(
    r"\(tos (?P<tos>\w+),.*?\n\s*(?P<who>[\d.]+ > [\d.]+): (?:\[[^\]]*\] )?(?P<what>Geneve|ICMP echo request)",
    re.DOTALL,
)
LIMITED, FREE = (0.8 * RATE, 1.2 * RATE), 3 * RATE
"""Mbit/s that count as limited, and from which on there is no limit."""


@attrs.define
class Demo:
    """What runs, and where it is shown."""

    bed: Testbed
    folder: Path
    daemon: Nqosd
    exporter: Exporter
    console: Console
    began: float = attrs.field(factory=time.monotonic)
    surprises: list[str] = attrs.field(factory=list)

    def play(self) -> None:
        """Show everything."""
        self.step("pod1 on ovn-worker sends to pod2 on ovn-worker2: no policy yet")
        self.send(is_limited=False)
        self.capture("0x0")
        self.step(f"cp nqos.yaml manifests/: pods with nqos-app=bw-limited get DSCP 20, and {RATE} Mbit/s")
        policy = (EXAMPLES / "nqos.yaml").read_text().replace("burst: 100 ", f"burst: {BURST}")
        (self.folder / "nqos.yaml").write_text(policy)
        self.wait_for_rows(2)
        packet = ["--pod", POD1.key, "--to", self.address, "--proto", "tcp", "--port", "5201", "--network", STREAM.name]
        self.nqosd("explain", *packet, "--config", str(self.daemon.config), until="  policies:")
        with ThreadPoolExecutor() as pool:
            sending = pool.submit(self.send, is_limited=True)
            # what the bucket holds, a second's worth, passes above the rate: once packets are dropped it is empty
            self.exporter.wait_until(self.drops, what="reading dropped packets")
            top = pool.submit(self.printed, "top", "--once", "--interval", "1", "--endpoint", self.exporter.url)
            sending.result()
        self.capture("0x50")
        self.show(f"nqosd top --once --endpoint {self.exporter.url}  # meanwhile", top.result())
        self.step("rm manifests/nqos.yaml: everything is as it was")
        (self.folder / "nqos.yaml").unlink()
        self.wait_for_rows(0)
        self.send(is_limited=False)
        self.capture("0x0")

    @property
    def address(self) -> str:
        """The address of pod2 on the guide's network."""
        return str(self.bed.pods[POD2.key].attachment(STREAM).addresses[0].ip)

    def step(self, what: str) -> None:
        """Announce a step."""
        self.console.print(Text(f"\n{time.monotonic() - self.began:2.0f} s  {what}", style="bold cyan"))

    def send(self, *, is_limited: bool) -> None:
        """Let iperf3 measure what arrives."""
        client, server = (self.bed.pods[spec.key].namespace for spec in (POD1, POD2))
        stream = Stream("TCP", reverse=False)
        for _ in range(ATTEMPTS):
            seen = measure(client, server, self.address, stream, seconds=WATCHED if is_limited else SECONDS)
            if good := LIMITED[0] <= seen <= LIMITED[1] if is_limited else seen > FREE:
                break
        self.result(f"iperf3 -c {self.address}", f"{seen:,.1f} Mbit/s", good=good)

    def capture(self, tos: str) -> None:
        """Let tcpdump take one ping on its way between the nodes."""
        pod, node = self.bed.pods[POD1.key].namespace, self.bed.nodes[0].chassis.namespace
        with Tcpdump(node, "eth0") as tcpdump:
            pod.run([*pod.enter, "ping", "-c", "1", "-q", self.address])
            tcpdump.wait_until(lambda: any(each.kind == "request" for each in tcpdump.pings()), what="aware of a ping")
            ping = next(each for each in tcpdump.pings() if each.kind == "request")
        said = f"tos {ping.inner_tos} inside, tos {ping.outer_tos} outside Geneve"
        self.result("tcpdump -envvi eth0 geneve", said, good=(ping.inner_tos, ping.outer_tos) == (tos, tos))
        for found in HEADERS.finditer(ping.text):
            self.console.print(Text(f"  {found['who']}: {found['what']} (tos {found['tos']}, …)"))

    def result(self, command: str, said: str, *, good: bool) -> None:
        """Show a figure, and whether it is what was to be expected."""
        self.console.print(Text.assemble(f"$ {command:34} ", (said, "bold green" if good else "bold red")))
        if not good:
            self.surprises.append(said)

    def printed(self, *arguments: str) -> str:
        """Run nqosd; give what it prints."""
        command = [sys.executable, "-m", "nqosd", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    def nqosd(self, *arguments: str, until: str) -> None:
        """Run nqosd, and show what it prints up to a line."""
        shown = " ".join(arguments).replace(str(self.daemon.config), "nqosd.toml")
        self.show(f"nqosd {shown}", self.printed(*arguments).partition(f"\n{until}")[0])

    def show(self, command: str, printed: str) -> None:
        """Show a command with what it has printed."""
        for line in [f"$ {command}", *(f"  {line}" for line in printed.splitlines())]:
            self.console.print(Text(line), no_wrap=True, overflow="ellipsis")

    def drops(self) -> bool:
        """Say whether the limit has dropped packets."""
        return any(each.figures.dropped_packets for each in self.exporter.counts().values())

    def wait_for_rows(self, number: int) -> None:
        """Wait until the daemon has written, and both nodes have applied it."""
        self.daemon.wait_until(lambda: self.daemon.metric("nqosd_desired_rows", table="QoS") >= number, what="aware")
        self.daemon.wait_until(lambda: self.rows() == number, what=f"done with {number} rows")
        self.bed.sync()

    def rows(self) -> int:
        """Count the rows of policies."""
        found = self.bed.central.nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", "external_ids:nqosd.io/rule=0")
        return len(found.split())


@contextlib.contextmanager
def running(console: Console) -> Iterator[Demo]:
    """Start everything, and end it afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nqosd-demo-")))
        bed = stack.enter_context(Testbed(GENERATIONS[-1]))
        networks = [DEFAULT_NETWORK, STREAM]
        bed.add_networks(networks)
        bed.add_pods([POD1, POD2])
        nodes = (node_manifest(number, networks) for number in (1, 2))
        pods = (each.manifest for each in bed.pods.values())
        (folder / "cluster.yaml").write_text(yaml.safe_dump_all([*nodes, *pods]))
        (folder / "nad.yaml").write_text((EXAMPLES / "nad.yaml").read_text())
        daemon = stack.enter_context(Nqosd([bed.central.nb.unix], manifests=[folder]))
        node = bed.nodes[0]
        bridge = node.chassis.directory / "br-int.mgmt"
        exporter = stack.enter_context(Exporter(bed.central.nb.unix, bed.central.sb.unix, bridge, node.name))
        yield Demo(bed, folder, daemon, exporter, console)


def main() -> int:
    """Run the demo."""
    record = os.environ.get("RECORD", "")
    console = Console(width=WIDTH, record=bool(record), highlight=False, force_terminal=True if record else None)
    began = time.monotonic()
    console.print(Text("Starting OVN with two nodes, each Open vSwitch in a namespace of its own, and two pods …"))
    with running(console) as demo:
        demo.began = began
        demo.play()
    if record:
        Path(record).write_text(FONTS.sub("", console.export_svg(title="make demo")))
    for each in demo.surprises:
        print(f"not as expected: {each}", file=sys.stderr)
    return 1 if demo.surprises else 0


if __name__ == "__main__":
    sys.exit(main())
