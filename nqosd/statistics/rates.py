"""From two readings of an exporter to rates: packets and bits per second.

In: snapshots as they come. Out: `Rate`s of each place. Rule: time is that of the exporter's own readings of the bridge,
so it doesn't matter how often or how regularly it is asked.
"""

from collections.abc import Mapping

import msgspec

from nqosd.statistics.endpoints import Collected, Counts, RuleOnNode, Snapshot
from nqosd.statistics.figures import Figures

BITS = 8


class Rate(msgspec.Struct, frozen=True):
    """What a rule does per second on a node: packets, and bits (from the Ethernet header on); `limit` in bits.

    `meter_missing`: the limit isn't enforced there, for want of a meter.
    """

    marked_packets: float
    marked_bits: float
    passed_packets: float
    passed_bits: float
    dropped_packets: float
    dropped_bits: float
    limit: int | None
    meter_missing: bool

    @property
    def dropped_share(self) -> float | None:
        """The part of the packets that the limit dropped, 0 to 1; None where it saw none."""
        seen = self.passed_packets + self.dropped_packets
        return self.dropped_packets / seen if seen else None


class Rates:
    """Keeps two readings of each exporter, so many seconds apart at least."""

    def __init__(self, span: float = 0.0) -> None:
        self._span = span
        self._last: dict[str, Snapshot] = {}
        self._rates: dict[str, Mapping[RuleOnNode, Rate]] = {}

    def take(self, collected: Collected) -> None:
        """Take what was collected; an exporter that gave nothing has no rates until it does again."""
        for url in collected.failures:
            self._last.pop(url, None)
            self._rates.pop(url, None)
        for url, snapshot in collected.snapshots.items():
            before = self._last.get(url)
            if before is None or before.read_at == 0:
                self._last[url] = snapshot
            elif snapshot.read_at > before.read_at and snapshot.read_at - before.read_at >= self._span:
                self._last[url] = snapshot
                self._rates[url] = _between(before, snapshot)

    def is_complete(self, collected: Collected) -> bool:
        """Say whether every exporter that answered has rates."""
        return collected.snapshots.keys() <= self._rates.keys()

    def all(self) -> dict[RuleOnNode, Rate]:
        """Give the rates of all exporters, the busiest first."""
        rates = {place: rate for each in self._rates.values() for place, rate in each.items()}
        busiest = sorted(rates, key=lambda place: (-max(rates[place].marked_bits, rates[place].passed_bits), place))
        return {place: rates[place] for place in busiest}


def _between(before: Snapshot, after: Snapshot) -> dict[RuleOnNode, Rate]:
    seconds = after.read_at - before.read_at
    nothing = Counts(Figures(), None)
    return {
        place: _rate(before.counts.get(place, nothing).figures, counts, seconds)
        for place, counts in after.counts.items()
    }


def _rate(before: Figures, after: Counts, seconds: float) -> Rate:
    """Give the rate; a counter that fell began anew at 0, with its exporter."""
    pairs = zip(before.amounts, after.figures.amounts, strict=True)
    gains = [(now - then if now >= then else now) / seconds for then, now in pairs]
    return Rate(
        gains[0], gains[1] * BITS, gains[2], gains[3] * BITS, gains[4], gains[5] * BITS,
        None if after.limit is None else after.limit * BITS, after.meter_missing,
    )  # fmt: skip
