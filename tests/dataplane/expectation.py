"""What a datagram deserves, by the oracle, and whether what was seen is that.

In: the objects on the API server, a source pod and a destination. Out: DSCP and limit. The rule: nothing here knows how
the compiler works.

Two things are OVN's and not the oracle's. On flat networks QoS stands before load balancing, so the first packet of a
connection to a service still has the service's own address there; those after it have been translated when they come
by. The policy's status must warn of that. On layer3 networks a packet to a service that comes back to its own sender
has the service's address for its source when it comes to QoS, so it takes no rule.
"""

import attrs

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
    """DSCP, and a limit: rate in kbps and burst in kilobits, or None for no limit."""

    dscp: int
    rate: int | None = None
    burst: int = 0

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
    if decision is None:
        return Deserved(UNMARKED)
    burst = decision.rate if decision.burst is None else decision.burst  # as OVN takes it
    return Deserved(decision.dscp, decision.rate, burst or 0)


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
    return within_limit(want.rate, want.burst, passed.received, passed.seconds)


def within_limit(rate: int, burst: int, received: float, seconds: float) -> bool:
    """Say whether so many kilobits in so many seconds are what a limit lets through."""
    low, high = (bound * (burst + rate * seconds) for bound in LIMITED)
    return low <= received <= high


def seen_text(marks: Marks, passed: Passed | None, burst: int) -> str:
    """Write what was seen as the tables do; `burst` is what passes at once before the rate counts."""
    dscps = ["lost" if each is None else str(each) for each in marks.arrived]
    text = " then ".join(each for each, before in zip(dscps, [None, *dscps], strict=False) if each != before)
    wire = frozenset[int]().union(*marks.wire)
    if wire - set(marks.arrived):
        text += f" (on the wire {', '.join(map(str, sorted(wire)))})"
    if passed is None:
        return text
    if passed.received >= WHOLE * passed.offered:
        return f"{text}, no limit"
    return f"{text}, {rate_seen(passed, burst):.1f} Mbit/s"


def rate_seen(passed: Passed, burst: int) -> float:
    """Give the Mbit/s that passed after the first `burst` kilobits."""
    return max(0.0, passed.received - burst) / passed.seconds / 1000
