"""Adds up what counters gain, though they are reset, deleted, made anew and handed to others at any time.

In: readings of counters, each with its place, its age and whom it counts for now. Out: what each of those gained since
the reading before. Rule: a gain is never negative, and what a counter held before it was first seen, or counted for
somebody else, is never anybody's gain.

A counter that stands where another one stood is told from it by the moment of its birth (now less its age), since it
may hold more than the one before it did. ovn-controller replaces a flow whose cookie alone has changed in place, and
the flow goes on counting: so it is its place that tells a flow from another one, and its owner may change.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

Owner = TypeVar("Owner", bound=Hashable)

SLACK = 1.0
"""Seconds by which two looks at one counter's birth may differ: the time that a reading takes, on a busy machine."""


class Sample(msgspec.Struct, Generic[Owner], frozen=True):
    """A counter as it was read: its values only grow for as long as it lives. `age` in seconds."""

    place: Hashable
    owner: Owner
    values: tuple[int, ...]
    age: float


class _Seen(msgspec.Struct, frozen=True):
    values: tuple[int, ...]
    born: float


class Ledger(Generic[Owner]):
    """The counters of one kind; `whole` takes what a counter holds at the first reading for a gain."""

    def __init__(self, *, whole: bool = False) -> None:
        self._read_at = float("-inf") if whole else float("inf")
        self._seen: dict[Hashable, _Seen] = {}

    def take(self, samples: Iterable[Sample[Owner]], now: float) -> Mapping[Owner, tuple[int, ...]]:
        """Take a reading of everything, made at a moment (seconds of a steady clock); give what each owner gained.

        Each owner of a sample is named, also one that gained nothing. A counter that isn't in the reading is gone.
        """
        seen: dict[Hashable, _Seen] = {}
        gains: dict[Owner, tuple[int, ...]] = {}
        for sample in samples:
            born = now - sample.age
            gain = self._gain(sample, born)
            seen[sample.place] = _Seen(sample.values, born)
            before = gains.get(sample.owner)
            gains[sample.owner] = gain if before is None else tuple(map(sum, zip(before, gain, strict=True)))
        self._seen, self._read_at = seen, now
        return gains

    def _gain(self, sample: Sample[Owner], born: float) -> tuple[int, ...]:
        before = self._seen.get(sample.place)
        if before is None:
            was_born_since = born > self._read_at - SLACK
            return sample.values if was_born_since else (0,) * len(sample.values)
        if born > before.born + SLACK or any(
            now < then for now, then in zip(sample.values, before.values, strict=True)
        ):
            return sample.values
        return tuple(now - then for now, then in zip(sample.values, before.values, strict=True))
