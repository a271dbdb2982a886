"""Real OVN as the second judge of compiled rows.

In: a generation of OVN, cases. Out: what real OVN finds wrong with their rows, and how much it has seen. Rule: what a
packet deserves is the oracle's word, what it gets is ovn-trace's; flows are counted in br-int.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import attrs

from tests.oracle.cluster import Sender
from tests.oracle.judge import microflow
from tests.oracle.packet import PROTOCOLS, TRANSPORTS, Address, Packet, Treatment
from tests.oracle.probes import Boundaries, Send, boundaries
from tests.oracle.rows import Row
from tests.oracle.rules import Rule
from tests.proof.agreement import Case, Outcome, Verdict
from tests.proof.loading import Loaded, load
from tests.proof.scenarios import packets
from tests.services.chassis import COOKIE_DIGITS, Chassis
from tests.services.generation import OvnGeneration
from tests.services.ovn import OvnCentral, trace

PACKETS_A_CASE = 6
"""Packets of each case that are traced beside one for each row that can be met."""

_PIPELINES = {"from-lport": ("ingress", "in"), "to-lport": ("egress", "out")}
_STEP = re.compile(
    r"^ *\d+\. ls_(in|out)_qos\w* \([^)]*\): (.*), priority (\d+), uuid \w+\n((?:    .*\n)+)", re.MULTILINE
)
_DSCP = re.compile(r"ip\.dscp = (\d+);")
_METER = re.compile(r"set_meter\((\d+)(?:, (\d+))?\);")
_COOKIE = re.compile(r"cookie=0x([0-9a-f]+)")

Step = tuple[str, int, str]
"""A flow of a QoS table: direction, priority and match."""


@attrs.frozen
class Seen:
    """How much real OVN has judged."""

    rows: int = 0
    rows_with_flows: int = 0
    rows_without_packets: int = 0
    packets: int = 0
    packets_with_a_rule: int = 0
    returned_packets: int = 0

    def plus(self, other: "Seen") -> "Seen":
        """Add up."""
        return Seen(*(mine + more for mine, more in zip(attrs.astuple(self), attrs.astuple(other), strict=True)))


@attrs.define
class Trial:
    """The findings about some cases on one generation of OVN."""

    generation: OvnGeneration
    findings: list[str] = attrs.field(factory=list)
    seen: Seen = attrs.field(factory=Seen)
    batches: int = 0

    def run(self, cases: Sequence[Case], seed: str) -> None:
        """Load cases into a new OVN; look for parse errors, for each row's flows, and at what happens to packets."""
        self.batches += 1
        with OvnCentral(self.generation) as central, Chassis(central) as chassis:
            loaded = [load(central.nb, case, f"c{number}.", number << 12) for number, case in enumerate(cases)]
            chassis.bind(*(port for each in loaded for port in each.ports_to_bind()))
            self.findings += chassis.parse_errors()
            logical = _logical_flows(central)
            flows = Counter(match[1] for flow in chassis.flows() if (match := _COOKIE.search(flow)))
            for each in loaded:
                sends = packets(each.case.scenario, each.case.oracle, PACKETS_A_CASE, seed)
                for row in (row for rows in each.case.rows.rows.values() for row in rows):
                    sent = witness(row, each.case)
                    ids = logical.get((row.direction, row.priority, each.match(row.match)), [])
                    self._judge_row(row, sent, ids, flows)
                    sends += [] if sent is None or row.dscp is None else [sent]
                for send in dict.fromkeys(sends):
                    self._judge_packet(each, send, central)

    def _judge_row(self, row: Row, sent: Send | None, ids: list[str], flows: Counter[str]) -> None:
        self.seen = self.seen.plus(Seen(rows=1))
        wanted = 1 if self.generation.merges_qos_tables or None in (row.rate, row.dscp) else 2
        if len(ids) < wanted:
            self.findings.append(f"{len(ids)} of {wanted} logical flows: {row}")
        elif sent is None:
            self.seen = self.seen.plus(Seen(rows_without_packets=1))
        elif all(flows[id_[:COOKIE_DIGITS].lstrip("0")] for id_ in ids):
            self.seen = self.seen.plus(Seen(rows_with_flows=1))
        else:
            self.findings.append(f"no flow for {sent}: {row}")

    def _judge_packet(self, loaded: Loaded, send: Send, central: OvnCentral) -> None:
        verdict, sender = loaded.case.judge(send), send.sender
        if verdict.outcome is Outcome.LEFT_OUT or sender.switch not in loaded.switches:
            return
        macs = f"eth.src == {loaded.macs[sender.port]} && eth.dst == {loaded.macs[loaded.way_back(sender.switch)]}"
        said = trace(central.sb, f"{loaded.prefix}{sender.switch}", f"{macs} && {microflow(send.packet)}")
        self.seen = self.seen.plus(Seen(packets=1, packets_with_a_rule=verdict.decision is not None))
        problem = _differs(loaded, sender.switch, verdict, said)
        if problem or "parsing expression failed" in said:
            self.findings.append(f"{send}: {problem}\n{said}")
        if verdict.decision is not None and verdict.decision.treatment.rate is not None:
            self._judge_return(loaded, send, central)

    def _judge_return(self, loaded: Loaded, send: Send, central: OvnCentral) -> None:
        """Trace a limited packet once more from the port by which it may come back to its own switch."""
        sender = send.sender
        back = loaded.case.oracle.cluster.networks.way_back(sender.network, sender.switch)
        if not back.ports or send.packet.source not in sender.addresses:
            return
        port = loaded.way_back(sender.switch)
        macs = f"eth.src == {loaded.macs[port]} && eth.dst == {loaded.macs[sender.port]}"
        flow = microflow(attrs.evolve(send.packet, inport=port))
        said = trace(central.sb, f"{loaded.prefix}{sender.switch}", f"{macs} && {flow}")
        self.seen = self.seen.plus(Seen(returned_packets=1))
        meters = [Treatment.of(None, int(rate), int(burst) if burst else None) for rate, burst in _METER.findall(said)]
        if not meters or any(each.rate is not None for each in meters):
            self.findings.append(f"{send}: comes back from the router, and meets meters {meters}\n{said}")


def witness(row: Row, case: Case) -> Send | None:
    """Find a packet that a row matches and no other row of its priority does; None where no sender can send one.

    It is enough to try packets that the row's rule means, at boundaries: one of them there is, if there is any.
    """
    if row.dscp is None:
        return _coming_back(row, case)
    policy, network = row.external_ids["nqosd.io/policy"], row.external_ids["nqosd.io/network"]
    rule = case.oracle.applied[policy].rules[network][int(row.external_ids["nqosd.io/rule"])]
    around = boundaries(case.scenario.objects, case.oracle)
    place = case.rows.rows[row.switches[0], row.direction]
    equals = [other for other in place if other is not row and other.priority == row.priority]
    for sender in case.oracle.senders:
        if sender.switch not in row.switches:
            continue
        for source in sorted(sender.addresses, key=int) or [*around.addresses[4], *around.addresses[6]]:
            for packet in _meant(rule, sender, source, around):
                if row.matches(packet) and not any(other.matches(packet) for other in equals):
                    return Send(sender, packet)
    return None


def _coming_back(row: Row, case: Case) -> Send | None:
    """Find a packet that a row for packets from the router lets pass; it is told from its equals by nothing."""
    for sender in case.oracle.senders:
        back = case.oracle.cluster.networks.way_back(sender.network, sender.switch)
        for source in sorted(sender.addresses, key=int) if sender.switch in row.switches else ():
            for port in back.ports:
                packet = Packet(source, source, "other", inport=port)
                if row.matches(packet):
                    return Send(sender, packet)
    return None


def _meant(rule: Rule, sender: Sender, source: Address, around: Boundaries) -> Iterator[Packet]:
    """Give packets at boundaries that a rule matches."""
    if rule.from_ and not any(entry.covers(source) for entry in rule.from_):
        return
    destinations = [
        address
        for address in around.addresses[source.version]
        if not rule.to or any(entry.covers(address) for entry in rule.to)
    ]
    if not destinations:
        return
    for protocol in PROTOCOLS:
        for port in around.ports if protocol in TRANSPORTS else (None,):
            packet = Packet(source, destinations[0], protocol, port, inport=sender.port)
            if rule.matches(packet):
                yield from (attrs.evolve(packet, destination=destination) for destination in destinations)


def _logical_flows(central: OvnCentral) -> dict[Step, list[str]]:
    """Find the logical flows of QoS tables, by what they match."""
    columns = ["_uuid", "pipeline", "priority", "match", "external_ids"]
    select = {"op": "select", "table": "Logical_Flow", "where": [], "columns": columns}
    found: dict[Step, list[str]] = {}
    ways = {pipeline: direction for direction, (pipeline, _) in _PIPELINES.items()}
    for flow in _rows_of(central, select):
        if "_qos" in str(flow["external_ids"]):
            priority, uuid = flow["priority"], flow["_uuid"]
            assert isinstance(priority, int)
            assert isinstance(uuid, list)
            found.setdefault((ways[str(flow["pipeline"])], priority, str(flow["match"])), []).append(uuid[1])
    return found


def _rows_of(central: OvnCentral, select: Mapping[str, object]) -> Iterator[dict[str, object]]:
    central.sync()
    (result,) = central.sb.transact(select)
    rows = result["rows"]
    assert isinstance(rows, list)
    yield from rows


def _differs(loaded: Loaded, switch: str, verdict: Verdict, said: str) -> str | None:
    """Compare what a packet deserves with what ovn-trace says that happened."""
    ways = {way: direction for direction, (_, way) in _PIPELINES.items()}
    steps = _STEP.findall(said)
    marks, meters = _DSCP.findall(said), _METER.findall(said)
    decision = verdict.decision
    if decision is None:
        return f"deserves no rule, takes {steps}" if steps else None
    rate, burst = meters[0] if meters else ("", "")
    got = Treatment.of(int(marks[0]) if marks else None, int(rate) if rate else None, int(burst) if burst else None)
    if len(marks) > 1 or len(meters) > 1 or got != decision.treatment:
        return f"deserves {decision.treatment}, gets marks {marks} and meters {meters}"
    for way, match, priority, _ in steps:
        rows = loaded.case.rows.rows.get((switch, ways[way]), ())
        named = {(row.external_ids["nqosd.io/policy"], row.external_ids["nqosd.io/rule"])
                 for row in rows if (loaded.match(row.match), str(row.priority)) == (match, priority)}  # fmt: skip
        if named != {(decision.policy, str(decision.rule))}:
            return f"deserves {decision}, takes the row of {named}"
    return None
