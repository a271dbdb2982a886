"""What a datagram deserves, by the oracle, and whether what was seen is that.

In: the objects on the API server, a source pod and a destination. Out: DSCP and limit. The rule: nothing here knows how
the compiler works.

One thing is OVN's and not the oracle's. On flat networks QoS stands before load balancing, so the first packet of a
connection to a service still has the service's own address there; those after it have been translated when they come
by. The policy's status must warn of that.
"""

import attrs

from tests.dataplane.cases import BURST
from tests.dataplane.traffic import COPIES, Address, Marks, Passed
from tests.oracle.meaning import Oracle
from tests.oracle.packet import Packet

UNMARKED = 0
WHOLE = 0.95
"""The part of a burst that must arrive where nothing limits it: a busy machine may drop a few."""
LIMITED = (0.6, 1.25)
"""Bounds of what passes a limit, as parts of burst + rate · time: a busy datapath meters late, never more."""


@attrs.frozen
class Deserved:
    """DSCP, and rate in kbps or None."""

    dscp: int
    rate: int | None

    def text(self, *, shows_limit: bool) -> str:
        """Write it as the tables do."""
        if not shows_limit:
            return str(self.dscp)
        return f"{self.dscp}, {'no limit' if self.rate is None else f'{self.rate / 1000:.1f} Mbit/s'}"


def deserved(oracle: Oracle, pod: str, network: str, destination: Address, port: int) -> Deserved:
    """Ask the oracle about a UDP datagram of a pod."""
    sender = oracle.sender(pod, network)
    (source,) = [each for each in sender.addresses if each.version == destination.version]
    decision = oracle.decide(sender, Packet(source, destination, "udp", port, inport=sender.port))
    return Deserved(UNMARKED, None) if decision is None else Deserved(decision.dscp, decision.rate)


def marks_agree(want: int, marks: Marks, *, crosses_wire: bool, first: int | None = None) -> bool:
    """Say whether all datagrams arrived, marked so, and were marked so on the wire where they had to cross it.

    Geneve's header takes over the mark: `ovn-encap-tos=inherit` is set. `first` is what the first one may have instead.
    """
    allowed = [{want, want if first is None else first}, *[{want}] * (COPIES - 1)]
    arrived = all(dscp in here for dscp, here in zip(marks.arrived, allowed, strict=True))
    crossed = [bool(dscps) == crosses_wire and dscps <= here for dscps, here in zip(marks.wire, allowed, strict=True)]
    return arrived and all(crossed)


def burst_agrees(want: Deserved, passed: Passed) -> bool:
    """Say whether as much of a burst got through as the limit allows, all of it marked so."""
    if passed.dscp != {want.dscp}:
        return False
    if want.rate is None:
        return passed.received >= WHOLE * passed.offered
    low, high = (bound * (BURST + want.rate * passed.seconds) for bound in LIMITED)
    return low <= passed.received <= high


def seen_text(marks: Marks, passed: Passed | None) -> str:
    """Write what was seen as the tables do."""
    dscps = ["lost" if each is None else str(each) for each in marks.arrived]
    text = " then ".join(each for each, before in zip(dscps, [None, *dscps], strict=False) if each != before)
    wire = frozenset[int]().union(*marks.wire)
    if wire - set(marks.arrived):
        text += f" (on the wire {', '.join(map(str, sorted(wire)))})"
    if passed is None:
        return text
    if passed.received >= WHOLE * passed.offered:
        return f"{text}, no limit"
    return f"{text}, {max(0.0, passed.received - BURST) / passed.seconds / 1000:.1f} Mbit/s"
