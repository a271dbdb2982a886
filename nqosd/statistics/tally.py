"""From a reading of the bridge to what each rule gained.

In: purposes of cookies, readings. Out: `Figures` by rule. Rule: a mark is counted by the flows that set it, a limit by
the meter that those flows send packets through; a meter belongs to one logical flow, so to one rule.
"""

from collections.abc import Iterator, Mapping

from nqosd.statistics.figures import Figures
from nqosd.statistics.ledger import Ledger, Sample
from nqosd.statistics.rules import Purpose, Rule
from nqosd.statistics.switch import SwitchReading


class Tally:
    """Turns readings into gains; `whole` counts from the birth of each flow and meter, not from the first reading."""

    def __init__(self, *, whole: bool = False) -> None:
        self._marks: Ledger[Rule] = Ledger(whole=whole)
        self._limits: Ledger[Rule] = Ledger(whole=whole)

    def take(self, reading: SwitchReading, purposes: Mapping[int, Purpose]) -> dict[Rule, Figures]:
        """Take a reading; gives the gain of each rule that has flows on this chassis, if it is nothing too."""
        found = {
            purpose.rule: Figures() for flow in reading.flows if (purpose := purposes.get(flow.cookie)) is not None
        }
        for rule, (packets, size) in self._marks.take(_marks(reading, purposes), reading.at).items():
            found[rule] += Figures(marked_packets=packets, marked_bytes=size)
        for rule, gain in self._limits.take(_limits(reading, purposes), reading.at).items():
            packets, size, dropped_packets, dropped_bytes = gain
            found[rule] += Figures(
                passed_packets=max(0, packets - dropped_packets),  # the datapath reads them one after the other
                passed_bytes=max(0, size - dropped_bytes),
                dropped_packets=dropped_packets,
                dropped_bytes=dropped_bytes,
            )
        return found


def _marks(reading: SwitchReading, purposes: Mapping[int, Purpose]) -> Iterator[Sample[Rule]]:
    for flow in reading.flows:
        purpose = purposes.get(flow.cookie)
        if purpose is not None and purpose.marks:
            yield Sample(flow.place, purpose.rule, (flow.packets, flow.bytes), flow.age)


def _limits(reading: SwitchReading, purposes: Mapping[int, Purpose]) -> Iterator[Sample[Rule]]:
    owners = {
        flow.meter: purpose.rule
        for flow in reading.flows
        if flow.meter and (purpose := purposes.get(flow.cookie)) is not None and purpose.limits
    }
    for meter in reading.meters:
        if meter.number in owners:
            values = (meter.packets, meter.bytes, meter.dropped_packets, meter.dropped_bytes)
            yield Sample(meter.number, owners[meter.number], values, meter.age)
