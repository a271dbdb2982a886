"""What every target of the fuzzer is: seeds, and something that is done with each mutation of one."""

from collections import Counter
from typing import Protocol


class Target(Protocol):
    """Takes inputs one by one; whatever it raises is a find."""

    seeds: list[bytes]
    """Where mutations begin; the first byte of each says what the rest, a JSON document, is of."""
    seen: Counter[str]
    """How many inputs came to what, to show that the fuzzer doesn't stop at the first check."""

    def take(self, data: bytes) -> None:
        """Do with an input what the daemon would, and hold what comes of it against what must never be."""
