"""The counters are those of the traffic, on a real data plane of each generation, and never go backwards.

With NQOSD_TRANSCRIPT set to a path, the page is written there: `NQOSD_TRANSCRIPT=docs/transcript.md pytest
tests/statistics/test_show.py -k 25.03`.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from nqosd.statistics.endpoints import Counts, Place
from tests.dataplane.guide import POD1, POD2
from tests.services.generation import GENERATIONS
from tests.statistics.datagrams import Sender
from tests.statistics.stage import LAG, RULE, Stage, stage
from tests.statistics.transcript import Transcript

PAGE = Path("docs/transcript.md")
NEWEST = GENERATIONS[-1]
WITHIN = 0.02
"""Of iperf3's own figures."""
pytestmark = pytest.mark.timeout(300)


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
        if target := os.environ.get("NQOSD_TRANSCRIPT"):
            Path(target).write_text(transcript.page)
        assert shape(PAGE.read_text()) == shape(transcript.page), "write it anew, see the top of this file"


def test_only_the_node_of_the_sender_counts(running: Stage) -> None:
    """The other node, which the packets reach, has counted only what its own pod answered, and dropped nothing."""
    other = running.figures(2)
    assert 0 < other.marked_packets == other.passed_packets < 100
    assert other.dropped_packets == 0


class Watch:
    """Looks at an exporter's counters, and remembers that none ever fell."""

    def __init__(self, look: Callable[[], Mapping[Place, Counts]]) -> None:
        self._look = look
        self._last: Mapping[Place, Counts] = look()

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
        goal, end = self.marked() + packets, time.monotonic() + 20
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
    with Sender(source, server, running.address(POD2), 10, 120) as sender:
        for what, happen in happenings.items():
            happen()
            watch.wait_for_gain(500, what)
        sent = sender.interrupt()
    time.sleep(LAG)
    watch.marked()
    counted = running.figures().marked_packets - before
    assert 0.5 * sent < counted <= 1.01 * sent
