"""The matrix: each case on each topology, for each kind of traffic and each family, expected and seen.

In: a laboratory with the sites running, and a case. Out: cells. The rule: a cell is as expected only if every datagram
arrived, each was marked as the oracle says at its receiver and on the wire, and the limit was that of the same rule.

A limit that was not as expected is measured anew, at most `ATTEMPTS` times: what a busy machine has spoilt comes right,
a wrong limit doesn't. Marks are measured once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from ipaddress import ip_address

import attrs

from tests.dataplane.capture import Capture
from tests.dataplane.cases import BACKEND_PORT, BURST, ITSELF, PORTS, RATE, SERVICE_PORT, TRAFFIC, Case, Probe, cases
from tests.dataplane.cluster import Told
from tests.dataplane.expectation import (
    UNMARKED,
    Deserved,
    burst_agrees,
    deserved,
    marks_agree,
    seen_text,
)
from tests.dataplane.laboratory import Laboratory
from tests.dataplane.sites import Site
from tests.dataplane.traffic import Flow, Marks, Passed, Traffic
from tests.oracle.meaning import read_meaning

ATTEMPTS = 5
OFFERED, SECONDS = 4 * RATE, 0.5
"""kbps of a burst, and how long it lasts."""
REFILL = 0.15
"""Seconds until a meter's bucket is full again: burst / rate, and a little."""
POLICY_NAMES = ("first", "second")
BEFORE_LOAD_BALANCING = "service's own address"
STAYING = (TRAFFIC[0], ITSELF)
"""Traffic that doesn't leave its chassis."""


@attrs.frozen
class Row:
    """Where a cell stands: the network, the traffic and the family ("IPv4")."""

    site: str
    traffic: str
    family: str


@attrs.frozen
class Cell:
    """What was expected of one probe and seen, as texts, and whether they agree.

    `warning` is what the policy's status says about the first packets of connections to a service, where it must.
    """

    case: str
    row: Row
    probe: str
    expected: str
    seen: str
    agrees: bool
    warning: str = ""


@attrs.frozen(eq=False)
class _Question:
    """One probe of one row, as a flow, with what it deserves; `first`: what its first datagram may have instead."""

    row: Row
    probe: Probe
    flow: Flow
    expected: Deserved
    crosses_wire: bool
    first: int | None
    warning: str


class Matrix:
    """The sites of a laboratory, ready to be measured."""

    def __init__(self, laboratory: Laboratory, sites: Sequence[Site], traffic: Traffic) -> None:
        self._laboratory = laboratory
        self._sites = sites
        self._traffic = traffic
        laboratory.add([site.network for site in sites], [pod for site in sites for pod in site.pods])
        self._pairs = {site.title: site.pairs(laboratory) for site in sites}
        for site in sites:
            for pair in self._pairs[site.title]:
                traffic.listen(pair.receiver.namespace, PORTS)
            if site.has_services:
                site.add_services(laboratory)
        self._warm_up()

    def _warm_up(self) -> None:
        """Let gateway routers learn who is outside: while they ask, OVN keeps one packet and drops the next."""
        flows = [
            Flow(self._laboratory.bed.pods[pair.sender].namespace, address, PORTS[0])
            for pairs in self._pairs.values()
            for pair in pairs
            if pair.is_direct
            for address in pair.receiver.addresses
        ]
        with self._wire() as wire:
            self._traffic.mark(flows, wire)

    def _wire(self) -> Capture:
        """Watch the cable of the sources' node."""
        return self._laboratory.bed.underlay.capture(self._laboratory.bed.nodes[0].port)

    def titles(self) -> list[str]:
        """Name the cases."""
        return [case.title for case in self._cases(self._sites[0])]

    def run(self, title: str) -> list[Cell]:
        """Measure a case on all sites."""
        told = self._apply({site: self._case(site, title) for site in self._sites})
        questions = [question for site in self._sites for question in self._questions(site, title, told)]
        with self._wire() as wire:
            marks = self._traffic.mark([question.flow for question in questions], wire)
        bursts = self._bursts([question for question in questions if question.probe.limited])
        return [_cell(title, question, marks[question.flow], bursts.get(question)) for question in questions]

    def clear(self) -> None:
        """Remove the policies."""
        self._apply({})

    def _apply(self, chosen: Mapping[Site, Case]) -> dict[str, Told]:
        """Replace all policies by those of a case, and wait until they are in force."""
        cluster = self._laboratory.cluster
        wanted = {
            f"{site.namespace}/{name}": site.manifest(name, policy)
            for site, case in chosen.items()
            for name, policy in zip(POLICY_NAMES, case.policies, strict=False)
        }
        for key in cluster.policies - wanted.keys():
            cluster.delete("NetworkQoS", *key.split("/"))
        cluster.put(wanted.values())
        return self._laboratory.settle()

    def _questions(self, site: Site, title: str, told: Mapping[str, Told]) -> Iterator[_Question]:
        oracle = read_meaning(self._laboratory.cluster.objects)
        probes = self._case(site, title).probes
        for pair in self._pairs[site.title]:
            sender = self._laboratory.bed.pods[pair.sender]
            ask = partial(deserved, oracle, pair.sender, site.network.name)
            for index, address in enumerate(pair.receiver.addresses):
                for probe in filter(pair.takes, probes):
                    expected = ask(address, BACKEND_PORT if probe.service else probe.port)
                    destination, first, warning = address, None, ""
                    crosses = pair.traffic not in STAYING
                    if probe.service:
                        destination = ip_address(site.services()[pair.traffic][index])
                    if probe.service and site.network.topology != "layer3":
                        first = ask(destination, SERVICE_PORT).dscp
                        by_router = pair.traffic != ITSELF and site.network.gateway != sender.spec.node
                        crosses = crosses or by_router
                        warning = _warning(told[f"{site.namespace}/{POLICY_NAMES[0]}"])
                    elif pair.traffic == ITSELF:
                        expected = Deserved(UNMARKED)
                    row = Row(site.title, pair.traffic, f"IPv{address.version}")
                    flow = Flow(sender.namespace, destination, probe.port)
                    yield _Question(row, probe, flow, expected, crosses, first, warning)

    def _bursts(self, questions: Sequence[_Question]) -> dict[_Question, Passed]:
        """Measure limits: those of different sites at once, since each has meters of its own."""
        found: dict[_Question, Passed] = {}
        for _ in range(ATTEMPTS):
            waiting = [each for each in questions if each not in found or not burst_agrees(each.expected, found[each])]
            by_site: dict[str, list[_Question]] = {}
            for question in waiting:
                by_site.setdefault(question.row.site, []).append(question)
            while any(by_site.values()):
                batch = [questions.pop(0) for questions in by_site.values() if questions]
                unlimited = {each.flow for each in batch if each.expected.rate is None}
                passed = self._traffic.burst([each.flow for each in batch], OFFERED, SECONDS, unlimited=unlimited)
                found.update({each: passed[each.flow] for each in batch})
                time.sleep(REFILL)
        return found

    def _case(self, site: Site, title: str) -> Case:
        return next(case for case in self._cases(site) if case.title == title)

    def _cases(self, site: Site) -> tuple[Case, ...]:
        receivers = tuple(receiver.prefixes for receiver in site.receivers(self._laboratory).values())
        return cases(site.source(self._laboratory).prefixes, receivers)


def _warning(told: Told) -> str:
    return next((line for line in told.message.splitlines() if BEFORE_LOAD_BALANCING in line), "")


def _cell(title: str, question: _Question, marks: Marks, passed: Passed | None) -> Cell:
    agrees = marks_agree(question.expected.dscp, marks, crosses_wire=question.crosses_wire, first=question.first)
    if passed is not None:
        agrees = agrees and burst_agrees(question.expected, passed)
    if question.first is not None:
        agrees = agrees and bool(question.warning)
    return Cell(
        case=title,
        row=question.row,
        probe=str(question.probe),
        expected=question.expected.text(shows_limit=passed is not None),
        seen=seen_text(marks, passed, BURST),
        agrees=agrees,
        warning=question.warning,
    )
