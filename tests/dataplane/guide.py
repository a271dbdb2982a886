"""The guide's section 4 on the testbed: its network, its policy and its pods, and what it says one would see.

In: a laboratory. Out: measurements, each with what was expected. The rule: the policy is the guide's own file, changed
only where an experiment says so.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import attrs
import yaml

from tests.dataplane.expectation import LIMITED, Deserved, burst_agrees, marks_agree, rate_seen, within_limit
from tests.dataplane.iperf import Stream, measure
from tests.dataplane.laboratory import Laboratory
from tests.dataplane.networks import DEFAULT, Network
from tests.dataplane.pods import Pod, PodSpec
from tests.dataplane.tcpdump import Ping, Tcpdump
from tests.dataplane.traffic import Flow, Passed, Traffic

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "guide"
LABEL = {"nqos-app": "bw-limited"}
DEFAULT_NETWORK = Network(DEFAULT, "layer3", 244)
STREAM = Network("ovn-stream", "layer3", 245, "default/ovn-stream", "secondary")
POLICY = "default/qos-external"
RATE = 20
"""Mbit/s of the guide's limit."""
STARVED = 0.8 * RATE
"""What TCP doesn't get with the guide's burst: 0.5 to 13 Mbit/s were seen, from run to run."""
SLOW_RATE, SLOW_BURST = 4000, 400
"""A limit that can be measured exactly within half a second."""
BURSTS = (400, 1600, 4000)
"""Sizes of that limit's bucket, from a tenth of the rate up to what OVN takes where none is given."""
SECONDS, FASTER = 0.5, 4
"""For how long a burst is sent, and how many times faster than the limit."""
LINE_RATE = 3 * RATE
"""What is at least expected of TCP without a limit, Mbit/s."""
ATTEMPTS = 3
"""How often to measure what a busy machine may have spoilt."""
TCP_WARNING = "TCP gets only a fraction of it"
MARK, TOS, UNMARKED_TOS = 20, "0x50", "0x0"
PORT = 7000


@attrs.frozen
class Measurement:
    """What was measured, what was expected and seen, and whether they agree."""

    what: str
    expected: str
    seen: str
    agrees: bool


def _spec(name: str, node: int, host: int, labels: Mapping[str, str]) -> PodSpec:
    return PodSpec("default", name, node, host, (DEFAULT_NETWORK, STREAM), labels)


POD0, POD1, POD2 = _spec("pod0", 1, 4, {}), _spec("pod1", 1, 3, LABEL), _spec("pod2", 2, 5, LABEL)
POD3 = _spec("pod3", 1, 6, LABEL)
"""One more limited pod beside pod1."""


class Guide:
    """The guide's objects in a laboratory."""

    def __init__(self, laboratory: Laboratory, traffic: Traffic) -> None:
        self._laboratory = laboratory
        self._traffic = traffic
        laboratory.add([DEFAULT_NETWORK, STREAM], [POD0, POD1, POD2, POD3])
        laboratory.cluster.put([yaml.safe_load((EXAMPLES / "nad.yaml").read_text())])
        for spec in (POD0, POD2):
            traffic.listen(self._pod(spec).namespace, [PORT])

    def bandwidth(self) -> Iterator[Measurement]:
        """Section 4.2: with the guide's burst, and with none, which OVN takes for one of the rate's size."""
        for burst in (100, None):
            warning = self._apply(burst=burst)
            name = f"burst {burst}" if burst else "burst unset"
            for protocol in ("TCP", "UDP"):
                yield self._unlimited(f"{name}, {protocol}, pod0 to pod1", Stream(protocol, reverse=True))
                for reverse in (False, True):
                    direction = "pod2 to pod1" if reverse else "pod1 to pod2"
                    what, stream = f"{name}, {protocol}, {direction}", Stream(protocol, reverse)
                    if burst and protocol == "TCP":
                        yield self._starved(what, stream, warning)
                    else:
                        yield self._limited(what, stream)

    def sharing(self) -> Iterator[Measurement]:
        """Section 4.2, further: who shares a limit, and that it stays when pods move."""
        self._apply(rate=SLOW_RATE, burst=SLOW_BURST)
        yield from self._together("pod1 and pod3 on one node share the limit", [POD1, POD3])
        self._apply(rate=SLOW_RATE, burst=SLOW_BURST, annotations={"nqosd.io/bandwidth-scope": "Pod"})
        yield from self._each("with bandwidth-scope Pod each has its own", [POD1, POD3])
        self._apply(rate=SLOW_RATE, burst=SLOW_BURST)
        self._move(POD1, moved := attrs.evolve(POD1, node=2))
        yield from self._each("pod1 moved to the other node, each node limits", [moved, POD3])
        self._move(moved, POD1)
        yield from self._together("pod1 moved back, they share again", [POD1, POD3])
        yield self._unmarked()

    def buckets(self) -> Iterator[Measurement]:
        """The formula of docs/choosing.md: what passes in a time is the burst, and the rate for that time."""
        for burst in BURSTS:
            self._apply(rate=SLOW_RATE, burst=burst)
            yield from _again(functools.partial(self._bucket, burst))

    def captures(self) -> Iterator[tuple[Measurement, str]]:
        """Section 4.3: the guide's three captures, each with tcpdump's own words."""
        self._apply(burst=100)
        node = self._laboratory.bed.nodes[0].chassis.namespace
        with Tcpdump(node, "eth0") as capture:
            for source in (POD0, POD1):
                pod = self._pod(source)
                pod.namespace.run([*pod.namespace.enter, "ping", "-c", "2", "-i", "0.2", "-q", self._address(POD2)])
            capture.wait_until(lambda: len(list(capture.pings())) == 8, what="aware of eight packets")
            pings = list(capture.pings())
        names = {self._address(spec): spec.name for spec in (POD0, POD1, POD2)}
        wanted = (
            (POD0, POD2, "request", UNMARKED_TOS, "pod0 has no label"),
            (POD2, POD0, "reply", TOS, "pod2 has the label"),
            (POD1, POD2, "request", TOS, "pod1 has the label"),
            (POD2, POD1, "reply", TOS, "pod2 has the label"),
        )
        for source, destination, kind, tos, why in wanted:
            ends = (source.name, destination.name)
            found = [each for each in pings if (names[each.source], names[each.destination]) == ends]
            what = f"{source.name} to {destination.name}, echo {kind}: {why}"
            yield _tos(what, tos, [each for each in found if each.kind == kind]), found[0].text

    def _unlimited(self, what: str, stream: Stream) -> Measurement:
        floor = LINE_RATE if stream.protocol == "TCP" else 2 * RATE
        seen = self._measure(POD0, stream, floor, float("inf"))
        return Measurement(what, f"no limit: more than {floor} Mbit/s", f"{seen:.1f} Mbit/s", seen >= floor)

    def _limited(self, what: str, stream: Stream) -> Measurement:
        low, high = (bound * RATE for bound in LIMITED)
        seen = self._measure(POD2, stream, low, high)
        return Measurement(what, f"about {RATE} Mbit/s", f"{seen:.1f} Mbit/s", low <= seen <= high)

    def _starved(self, what: str, stream: Stream, told: str) -> Measurement:
        seen = self._measure(POD2, stream, 0, STARVED)
        agrees = seen <= STARVED and TCP_WARNING in told
        return Measurement(what, f"below {STARVED:g} Mbit/s, and the status warns", f"{seen:.1f} Mbit/s", agrees)

    def _measure(self, server: PodSpec, stream: Stream, low: float, high: float) -> float:
        """Measure from pod1's client; anew, at most `ATTEMPTS` times, while the result is out of bounds."""
        for _ in range(ATTEMPTS):
            address, namespace = self._address(server), self._pod(server).namespace
            seen = measure(self._pod(POD1).namespace, namespace, address, stream)
            if low <= seen <= high:
                break
        return seen

    def _bucket(self, burst: int) -> Iterator[Measurement]:
        (passed,) = self._burst([POD1], burst).values()
        wanted, offered = burst + SLOW_RATE * passed.seconds, FASTER * SLOW_RATE * SECONDS
        yield Measurement(
            f"{offered / 1000:.0f} Mbit within {SECONDS} s against {SLOW_RATE / 1000} Mbit/s, burst {burst}",
            f"about {wanted / 1000:.1f} Mbit pass",
            f"{passed.received / 1000:.1f} Mbit",
            within_limit(SLOW_RATE, burst, passed.received, passed.seconds),
        )

    def _together(self, what: str, sources: list[PodSpec]) -> list[Measurement]:
        return _again(lambda: [self._shared(what, self._burst(sources))])

    def _shared(self, what: str, passed: Mapping[str, Passed]) -> Measurement:
        total, longest = sum(each.received for each in passed.values()), max(each.seconds for each in passed.values())
        agrees = within_limit(SLOW_RATE, SLOW_BURST, total, longest)
        seen = max(0.0, total - SLOW_BURST) / longest / 1000
        return Measurement(what, f"{SLOW_RATE / 1000} Mbit/s together", f"{seen:.1f} Mbit/s", agrees)

    def _each(self, what: str, sources: list[PodSpec]) -> list[Measurement]:
        return _again(lambda: list(self._apart(what, self._burst(sources))))

    def _apart(self, what: str, passed: Mapping[str, Passed]) -> Iterator[Measurement]:
        want = Deserved(MARK, SLOW_RATE, SLOW_BURST)
        for name, each in passed.items():
            seen = f"{rate_seen(each, SLOW_BURST):.1f} Mbit/s"
            yield Measurement(f"{what}: {name}", f"{SLOW_RATE / 1000} Mbit/s", seen, burst_agrees(want, each))

    def _burst(self, sources: list[PodSpec], burst: int = SLOW_BURST) -> dict[str, Passed]:
        """Let pods send to pod0, all at once and `FASTER` than one may, when the bucket has had time to fill."""
        time.sleep(burst / SLOW_RATE + 0.1)
        destination = self._pod(POD0).attachment(STREAM).addresses[0].ip
        flows = {spec.name: Flow(self._pod(spec).namespace, destination, PORT) for spec in sources}
        passed = self._traffic.burst(list(flows.values()), FASTER * SLOW_RATE, SECONDS)
        return {name: passed[flow] for name, flow in flows.items()}

    def _unmarked(self) -> Measurement:
        """Show that others keep their mark, none."""
        flow = Flow(self._pod(POD0).namespace, self._pod(POD2).attachment(STREAM).addresses[0].ip, PORT)
        with self._laboratory.bed.underlay.capture(self._laboratory.bed.nodes[0].port) as wire:
            marks = self._traffic.mark([flow], wire)[flow]
        agrees = marks_agree(0, marks, crosses_wire=True)
        return Measurement("pod0 to pod2, UDP: DSCP", "0", "/".join(map(str, marks.arrived)), agrees)

    def _apply(
        self, rate: int = RATE * 1000, burst: int | None = 100, annotations: Mapping[str, str] | None = None
    ) -> str:
        """Apply the guide's policy with another limit; return what its status says."""
        bandwidth = {"rate": rate} | ({"burst": burst} if burst else {})
        policy = yaml.safe_load((EXAMPLES / "nqos.yaml").read_text())
        policy["metadata"]["annotations"] = dict(annotations or {})
        policy["spec"]["egress"][0]["bandwidth"] = bandwidth
        self._laboratory.cluster.put([policy])
        # Annotations are no part of an object's generation, so its status can't tell that a new one is in force.
        self._laboratory.wait_for(
            lambda rows: all(
                (row.bandwidth, row.is_for_a_pod) == (bandwidth, bool(annotations))
                for row in rows
                if row.policy == POLICY
            ),
            what="aware of the changed policy",
        )
        return self._laboratory.settle()[POLICY].message

    def _move(self, old: PodSpec, new: PodSpec) -> None:
        """Delete a pod and start it on another node, under an address of that node; the policy stays as it is."""
        self._laboratory.remove_pod(old)
        self._laboratory.add_pods([new])
        self._laboratory.wait_for_source(self._address(new))

    def _pod(self, spec: PodSpec) -> Pod:
        return self._laboratory.bed.pods[spec.key]

    def _address(self, spec: PodSpec) -> str:
        return str(self._pod(spec).attachment(STREAM).addresses[0].ip)


def _again(measure: Callable[[], Iterable[Measurement]]) -> list[Measurement]:
    """Measure anew, at most `ATTEMPTS` times, while something isn't as expected."""
    for _ in range(ATTEMPTS):
        found = list(measure())
        if all(each.agrees for each in found):
            break
    return found


def _tos(what: str, want: str, pings: list[Ping]) -> Measurement:
    seen = sorted({(ping.inner_tos, ping.outer_tos) for ping in pings})
    text = ", ".join(f"tos {inner} inside, {outer} outside" for inner, outer in seen)
    return Measurement(what, f"tos {want} inside, {want} outside", text, seen == [(want, want)])
