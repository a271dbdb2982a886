"""Prefixes: what a list of `cidr` minus `except` covers, as the shortest list of positive prefixes.

OVN pays for every negation (`!=`) with hundreds of flows per address (measured: 9,529 flows instead of 132), so
exceptions never reach a match. In: blocks of one family. Out: sorted, disjoint, minimal prefixes as text. Rule: one
exception can take twenty prefixes (of IPv6 a hundred), so a long list isn't kept, only the ranges that it is made of.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TypeVar

import attrs

from nqosd.api.ipnetworks import IPNetwork, address_text
from nqosd.api.networkqos import IPBlock
from nqosd.compiler.desired import Family

_BITS = {Family.IP4: 32, Family.IP6: 128}

_T = TypeVar("_T")

Range = tuple[int, int]
"""Addresses as integers, both ends included."""


def family_of(network: IPNetwork) -> Family:
    """Say which family a network is of."""
    return Family.IP4 if network.version == 4 else Family.IP6  # noqa: PLR2004 - the version number of IPv4


def covered(blocks: Iterable[IPBlock], family: Family) -> list[Range]:
    """Give the sorted, disjoint, non-adjacent ranges that the blocks of one family cover together."""
    pieces: list[Range] = []
    for block in blocks:
        if family_of(block.cidr) is family:
            pieces.extend(_without(_range(block.cidr), map(_range, block.excepts)))
    return _merged(pieces)


def is_everything(ranges: list[Range], family: Family) -> bool:
    """Say whether ranges cover a whole family."""
    return ranges == [(0, (1 << _BITS[family]) - 1)]


def prefixes(ranges: Iterable[Range], family: Family) -> tuple[str, ...]:
    """Write ranges as the fewest prefixes, in address order; a single address has no mask."""
    return tuple(_text(first, length, family) for low, high in ranges for first, length in _split(low, high, family))


def count(ranges: Iterable[Range]) -> int:
    """Count the prefixes that ranges take, without writing them.

    From the low end up to the largest power of two within, each bit that is to be added is a prefix, and from there to
    the high end each bit that is left.
    """
    found = 0
    for low, high in ranges:
        end = high + 1
        bit = (low ^ end).bit_length() - 1
        middle = end >> bit << bit
        found += (middle - low).bit_count() + (end - middle).bit_count()
    return found


@attrs.frozen(slots=False, eq=False)
class Prefixes(AbstractSet[str]):
    """The fewest prefixes that cover some ranges, as a set that writes its members anew for whoever goes through it."""

    family: Family
    packed: bytes
    """The ends of the ranges, one after another."""

    @classmethod
    def of(cls, family: Family, ranges: Iterable[Range]) -> "Prefixes":
        """Give the prefixes of ranges that are sorted, disjoint and not adjacent."""
        size = _BITS[family] // 8
        return cls(family, b"".join(end.to_bytes(size) for both in ranges for end in both))

    def __iter__(self) -> Iterator[str]:
        for low, high in self._ranges():
            for first, length in _split(low, high, self.family):
                yield _text(first, length, self.family)

    def __len__(self) -> int:
        return self._number

    def __contains__(self, text: object) -> bool:
        """Say whether it is one of the prefixes, as slowly as going through them; make a `set` to ask for many."""
        return any(each == text for each in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Prefixes):
            return (self.family, self.packed) == (other.family, other.packed)
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash((self.family, self.packed))

    @classmethod
    def _from_iterable(cls, members: Iterable[_T]) -> AbstractSet[_T]:  # what `|` and the like give
        return frozenset(members)

    @cached_property
    def _number(self) -> int:
        return count(self._ranges())

    def _ranges(self) -> Iterator[Range]:
        size = _BITS[self.family] // 8
        ends = (int.from_bytes(self.packed[at : at + size]) for at in range(0, len(self.packed), size))
        return zip(ends, ends, strict=True)


def _range(network: IPNetwork) -> Range:
    return network.first, network.last


def _without(whole: Range, holes: Iterable[Range]) -> list[Range]:
    low, high = whole
    pieces = []
    for first, last in sorted(holes):
        if first > low:
            pieces.append((low, min(first - 1, high)))
        low = max(low, last + 1)
    if low <= high:
        pieces.append((low, high))
    return pieces


def _merged(pieces: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for low, high in sorted(pieces):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _split(low: int, high: int, family: Family) -> Iterable[tuple[int, int]]:
    """Cut a range into aligned blocks, the largest that fits each time: the minimal cover of a range."""
    while low <= high:
        size = min(low & -low if low else 1 << _BITS[family], 1 << (high - low + 1).bit_length() - 1)
        yield low, _BITS[family] - size.bit_length() + 1
        low += size


def _text(first: int, length: int, family: Family) -> str:
    text = address_text(4 if family is Family.IP4 else 6, first)
    return text if length == _BITS[family] else f"{text}/{length}"
