"""Digests of names of policies, where a report has no room for the names themselves.

In: names. Out: four bytes for each, as text too, and whether one of some name is among them. Pure.
"""

import base64
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator


class Digests:
    """Stand for the names of policies that fail and aren't listed, four bytes for each, as there may be a thousand.

    Who makes two names alike, of one namespace, has one policy called failing as the other is. Immutable.
    """

    __slots__ = ("_sorted",)

    def __init__(self, keys: Iterable[str] = (), *, text: str = "") -> None:
        """Digest names, or read digests.

        Raises:
            ValueError: the text is none that `__str__` gives.
        """
        self._sorted = array("I", sorted(map(digest_of, keys)))
        if text:
            self._sorted.frombytes(base64.b64decode(text, validate=True))
            self._swap(self._sorted)

    def with_keys(self, keys: Iterable[str]) -> "Digests":
        """Give these and those of other names."""
        together = Digests(keys)
        together._sorted = array("I", sorted((*self._sorted, *together._sorted)))
        return together

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[int]:
        return iter(self._sorted)

    def __contains__(self, digest: int) -> bool:
        at = bisect_left(self._sorted, digest)
        return at < len(self._sorted) and self._sorted[at] == digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digests) and self._sorted == other._sorted

    def __hash__(self) -> int:
        return hash(self._sorted.tobytes())

    def __str__(self) -> str:
        mine = self._sorted[:]
        self._swap(mine)
        return base64.b64encode(mine.tobytes()).decode()

    @staticmethod
    def _swap(digests: "array[int]") -> None:
        """Put bytes in the order that all machines read, or back."""
        if sys.byteorder == "big":
            digests.byteswap()


def digest_of(key: str) -> int:
    """Digest the name of a policy."""
    return zlib.crc32(key.encode())
