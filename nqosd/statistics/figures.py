"""What a rule did, in packets and bytes.

Rule: nothing is imported here that only who reads a bridge needs.
"""

import msgspec


class Figures(msgspec.Struct, frozen=True):
    """Packets and bytes (from the Ethernet header on): marked, let through by the limit, dropped by it."""

    marked_packets: int = 0
    marked_bytes: int = 0
    passed_packets: int = 0
    passed_bytes: int = 0
    dropped_packets: int = 0
    dropped_bytes: int = 0

    @property
    def amounts(self) -> tuple[int, ...]:
        """All of them, in this order."""
        return msgspec.structs.astuple(self)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*map(sum, zip(self.amounts, other.amounts, strict=True)))
