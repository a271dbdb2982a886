"""What came of runs: faults, recoveries and lies, counted and written down.

In: the results of runs. Out: lines for a person. The rule: a recovery takes from the moment at which the last open
fault was over until the database equals the definition and an active daemon is ready; it counts for every kind that
was open in that bout.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

import attrs

from tests.chaos.lies import ACTIVE, Lie

FAULTS = 1000
KINDS = 40
"""How many there are at least in a whole run."""
MEDIAN_RECOVERY = 3.0
LONGEST_RECOVERY = 35.0
LONGEST_LIE = 10.0
"""Seconds: what is longer has missed its goal."""


@attrs.frozen
class Recovery:
    """How long it took after these faults."""

    seconds: float
    kinds: tuple[str, ...]


@attrs.frozen
class Result:
    """Of one run; `failure` says what was different in the end, `logs` where to look."""

    seed: int
    injected: Counter[str]
    recoveries: tuple[Recovery, ...] = ()
    lies: tuple[Lie, ...] = ()
    failure: str = ""
    logs: Path | None = None

    @property
    def is_remarkable(self) -> bool:
        """Whether it failed, or missed a goal."""
        recovery = max((each.seconds for each in self.recoveries), default=0.0)
        lie = max((each.seconds for each in self.lies), default=0.0)
        return bool(self.failure) or recovery > LONGEST_RECOVERY or lie > LONGEST_LIE

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {self.injected.total()} faults"]
        if self.is_remarkable:
            lines += [f"  recoveries: {_slowest(self.recoveries)}", f"  lies: {_longest(self.lies)}"]
            lines += [f"  logs, and the steps in their order: {self.logs}"]
        if self.failure:
            lines += [f"  FAILED {self.failure}"]
        return "\n".join(lines)


def summary(results: Sequence[Result]) -> Iterator[str]:
    """Write the figures of all runs, and one line for each kind of fault."""
    injected: Counter[str] = sum((each.injected for each in results), Counter())
    recoveries = [each for result in results for each in result.recoveries]
    lies = [each for result in results for each in result.lies]
    yield from _by_kind(injected, recoveries, lies)
    failed = [result.seed for result in results if result.failure]
    yield f"{injected.total()} faults of {len(injected)} kinds in {len(results)} runs"
    yield f"differences: {len(failed)}{f' (seeds {failed})' if failed else ''}"
    yield f"from the end of the last fault to converged: {_slowest(recoveries)}"
    active = [each for each in lies if each.role == ACTIVE]
    yield f"longest lie of an active daemon: {_longest(active)}"
    yield f"longest lie of standbys, none being active: {_longest(each for each in lies if each.role != ACTIVE)}"


def goals(results: Sequence[Result], *, is_whole: bool) -> Iterator[tuple[str, bool]]:
    """Give each goal with its figure, and whether it was met; a short run has only those that hold for any size."""
    injected: Counter[str] = sum((each.injected for each in results), Counter())
    times = [each.seconds for result in results for each in result.recoveries]
    longest = max(times, default=0.0)
    lie = max((each.seconds for result in results for each in result.lies), default=0.0)
    differences = sum(bool(each.failure) for each in results)
    yield f"no difference: {differences}", not differences
    yield f"no lie of more than {LONGEST_LIE:g} s: {lie:.1f} s", lie <= LONGEST_LIE
    if is_whole:
        middle = median(times or [0.0])
        yield f"at least {FAULTS} faults: {injected.total()}", injected.total() >= FAULTS
        yield f"at least {KINDS} kinds: {len(injected)}", len(injected) >= KINDS
        yield f"converged within {LONGEST_RECOVERY:g} s at the longest: {longest:.1f} s", longest <= LONGEST_RECOVERY
        yield f"converged within {MEDIAN_RECOVERY:g} s in the median: {middle:.1f} s", middle <= MEDIAN_RECOVERY


def _by_kind(injected: Counter[str], recoveries: Iterable[Recovery], lies: Iterable[Lie]) -> Iterator[str]:
    times: defaultdict[str, list[float]] = defaultdict(list)
    for recovery in recoveries:
        for kind in set(recovery.kinds):
            times[kind].append(recovery.seconds)
    longest: defaultdict[str, float] = defaultdict(float)
    for lie in lies:
        for kind in lie.faults:
            longest[kind] = max(longest[kind], lie.seconds)
    yield "times  median  longest  longest lie  kind"
    for kind, number in sorted(injected.items(), key=lambda each: (-each[1], each[0])):
        found = times[kind] or [0.0]
        yield f"{number:5d} {median(found):5.1f} s {max(found):6.1f} s {longest[kind]:9.1f} s   {kind}"


def _slowest(recoveries: Sequence[Recovery]) -> str:
    if not recoveries:
        return "never"
    worst = max(recoveries, key=lambda each: each.seconds)
    middle = median(each.seconds for each in recoveries)
    return f"median {middle:.1f} s, longest {worst.seconds:.1f} s ({', '.join(worst.kinds)})"


def _longest(lies: Iterable[Lie]) -> str:
    worst = max(lies, key=lambda each: each.seconds, default=None)
    if worst is None:
        return "none"
    return f"{worst.seconds:.1f} s ({worst.daemon} about {worst.what}; {', '.join(sorted(worst.faults))})"
