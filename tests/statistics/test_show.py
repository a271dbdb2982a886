"""The counters are those of the traffic, on a real data plane of each generation, and never go backwards.

With TRANSCRIPT set to a path, the page is written there, and with PICTURES to a folder, the picture of the
status page: `TRANSCRIPT=docs/transcript.md PICTURES=docs pytest tests/statistics/test_show.py -k 25.03`.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from nqosd.statistics.endpoints import Counts, RuleOnNode
from tests.dataplane.guide import POD1, POD2
from tests.services.browser import Browser
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.kubernetes import DAEMON
from tests.statistics.datagrams import Sender
from tests.statistics.stage import LAG, RULE, Stage, stage
from tests.statistics.transcript import Transcript

PAGE = Path("docs/transcript.md")
NEWEST = GENERATIONS[-1]
WITHIN = 0.02
"""Of iperf3's own figures."""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", params=GENERATIONS, ids=lambda each: each.series)
def running(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Run the stage on each generation."""
    with stage(request.param) as found:
        yield found


def shape(page: str) -> str:
    """Give a page without what differs from run to run: numbers, uuids, and how wide columns are."""
    page = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "UUID", page)
    return re.sub(r"[ \t]+", " ", re.sub(r"-?\d[\d.,]*", "#", page))


def test_the_transcript_is_true(running: Stage) -> None:
    """Marks and drops are within 2 % of iperf3's own figures, and docs/transcript.md shows what happens."""
    transcript = Transcript(running)
    transcript.play()
    assert [each for each in transcript.compared if each.difference > WITHIN] == []
    if running.laboratory.bed.generation == NEWEST:
        if target := os.environ.get("TRANSCRIPT"):
            Path(target).write_text(transcript.page)
        assert shape(PAGE.read_text()) == shape(transcript.page), "write it anew, see the top of this file"


def test_only_the_node_of_the_sender_counts(running: Stage) -> None:
    """The other node, which the packets reach, has counted only what its own pod answered, and dropped nothing."""
    other = running.figures(2)
    assert 0 < other.marked_packets == other.passed_packets < 100
    assert other.dropped_packets == 0


class Watch:
    """Looks at an exporter's counters, and remembers that none ever fell."""

    def __init__(self, look: Callable[[], Mapping[RuleOnNode, Counts]]) -> None:
        self._look = look
        self._last: Mapping[RuleOnNode, Counts] = look()

    def marked(self) -> int:
        """Look; give the packets marked."""
        now = self._look()
        for place, counts in self._last.items():
            pairs = zip(now[place].figures.amounts, counts.figures.amounts, strict=True)
            assert all(after >= before for after, before in pairs), f"{place}: {counts} became {now[place]}"
        self._last = now
        return sum(counts.figures.marked_packets for place, counts in now.items() if place.rule == RULE)

    def wait_for_gain(self, packets: int, what: str) -> None:
        """Wait until so many packets more are marked, looking all the time."""
        goal, end = self.marked() + packets, time.monotonic() + 120
        while self.marked() < goal:
            assert time.monotonic() < end, f"nothing counted after {what}"
            time.sleep(0.1)


def test_counters_only_grow(running: Stage) -> None:
    """Through restarts of ovn-controller and ovs-vswitchd and changes of the rule they never fall, and go on.

    Nor do they ever count more than was sent.
    """
    node = running.laboratory.bed.nodes[0].chassis
    appctl = [node.generation.program("ovn-appctl"), "-t", str(node.controller.control)]
    happenings: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "a recompute": lambda: node.controller.run([*appctl, "recompute"]),
        "a restart of ovn-controller": node.controller.restart,
        "a restart of ovs-vswitchd": node.vswitchd.restart,
        "another mark": lambda: running.apply(dscp=30),
        "another limit": lambda: running.apply(bandwidth={"rate": 30000, "burst": 100}),
        "no limit": lambda: running.apply(bandwidth=None),
        "the first limit": running.apply,
    }
    watch = Watch(running.exporters[0].counts)
    before = running.figures().marked_packets
    source, server = running.pod(POD1).namespace, running.pod(POD2).namespace
    with Sender(source, server, running.address(POD2), 10, 1200) as sender:
        for what, happen in happenings.items():
            happen()
            watch.wait_for_gain(500, what)
        sent = sender.interrupt()
    time.sleep(LAG)
    watch.marked()
    counted = running.figures().marked_packets - before
    assert 500 * len(happenings) <= counted <= 1.01 * sent


def test_the_status_page_shows_the_counters(running: Stage, tmp_path: Path) -> None:
    """A daemon that knows the exporters shows what each rule did on all nodes, within the width of a phone."""
    central, server = running.laboratory.bed.central, running.laboratory.cluster._server
    running.laboratory.daemon.stop()
    options = {"stats": {"endpoints": [each.url for each in running.exporters]}}
    daemon = Nqosd([central.nb.unix], kubeconfig=server.kubeconfig(DAEMON), options=options)
    with daemon, Browser() as browser:
        daemon.wait_until(lambda: daemon.metric("nqosd_lock_held") == 1, what="the one that writes")
        daemon.settle()
        nodes = [running.exporters[number].counts() for number in (0, 1)]
        marked = sum(each.figures.marked_packets for node in nodes for each in node.values())
        browser.open(f"http://127.0.0.1:{daemon.port}/")
        text = browser.text().replace("\u00a0", " ")
        assert re.search(rf"rule 0 on ovn-stream, 2 nodes: packets marked {marked:,} \(.*passed .*dropped ", text)
        assert browser.evaluate("document.querySelector('#problems')") is None
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        picture = Path(os.environ.get("PICTURES", tmp_path)) / "status-page.png"
        browser.picture(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
