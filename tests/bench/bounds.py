"""`make bench-bounds`: policies at every bound. `python -m tests.bench.bounds` prints docs/bounds.md and writes it.

In: the cases. Out: what one policy of each, and many at once, take the daemon and OVN; goals beside figures. Rule: each
case has a daemon, a database and an API server of its own; no goal is left out, met or not.
"""

import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from nqosd.compiler.matching import LONGEST_LIST
from tests.bench.bound_cases import CASES, Case
from tests.bench.bounded import Found, compiled, measure
from tests.bench.bounds_ovn import ROWS, Cost, Scene, lists
from tests.bench.northbound import quiet

PAGE = Path(__file__).parents[2] / "docs/bounds.md"

INTRODUCTION = """\
# Policies at every bound

`make bench-bounds` measures this and writes this page. Who may write NetworkQoS objects in a namespace can write the
largest that the limits let through ([configuration](configuration.md#limits)), and many of them. So each bound is tried
with one policy and with many at once, all different: on the real daemon, with a callback in its event loop that is due
every millisecond, beside a light API server and a real ovsdb-server. "Compile" is the CPU time for decoding and
compiling them; "there" is the time from the moment before the first watch event was written until the database had the
last row. What the older policies of a namespace leave no room for is `TooLarge` and has no rows. The rows and sets of
one policy are then given to a real OVN 25.03 with one chassis.
"""


@attrs.frozen
class Goal:
    """A number that must not be exceeded."""

    what: str
    limit: float
    found: float

    def __str__(self) -> str:
        verdict = "met" if self.found <= self.limit else "MISSED"
        return f"| {self.what} | at most {self.limit:,g} | {self.found:,.3g} | {verdict} |"


Measured = Mapping[Case, Sequence[Found]]


def main() -> int:
    """Measure all cases, print the page and write it."""
    quiet()
    measured: dict[Case, list[Found]] = {}
    for case in CASES:
        for count in (1, case.many):
            begun = time.monotonic()
            measured.setdefault(case, []).append(measure(case, count))
            print(f"[bounds] {case.name}, {count}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    with Scene() as scene:
        costs = {case: scene.cost(compiled(case, case.policies(1))[0]) for case in CASES if measured[case][0].rows}
        by_length = {length: (scene.cost(listed), scene.cost(named)) for length, listed, named in lists()}
    page = "\n".join([INTRODUCTION, *_parts(measured, costs, by_length), ""])
    PAGE.write_text(page)
    print(page)
    return 0


def _parts(measured: Measured, costs: Mapping[Case, Cost], by_length: Mapping[int, tuple[Cost, Cost]]) -> Iterator[str]:
    yield (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; load average "
        f"over five minutes at the end: {os.getloadavg()[1]:.1f}."
    )
    yield "\n## Goals\n\n| what | goal | measured | |\n| --- | --- | --- | --- |"
    yield from map(str, _goals(measured, costs))
    yield "\n## The daemon\n"
    yield from _table(
        ("", "policies", "KB of objects", "rows", "compile", "there", "longest stall of the event loop",
         "longest match, characters", "KB of members of sets", "memory", "memory / objects", "on dd6334f"),
        ([case.name if found is every[0] else "", *_cells(found), case.before if found is every[0] else ""]
         for case, every in measured.items() for found in every),
    )  # fmt: skip
    yield "\n## OVN 25.03, for one policy\n"
    yield from _table(
        ("", "OpenFlow flows", "CPU of ovn-controller", "its memory"),
        (
            [case.name, f"{cost.flows:,}", f"{cost.cpu:.2f} s", f"{cost.resident:.0f} MiB"]
            for case, cost in costs.items()
        ),
    )
    yield "\n## A list of prefixes in the match, or in an address set\n"
    yield f"CPU time of ovn-controller for {ROWS} rows with one list. Lists of more than {LONGEST_LIST} become sets.\n"
    yield from _table(
        ("prefixes", "in the match", "in a set"),
        (
            [str(length), *(f"{each.cpu:.2f} s, {each.flows:,} flows" for each in pair)]
            for length, pair in by_length.items()
        ),
    )


def _goals(measured: Measured, costs: Mapping[Case, Cost]) -> Iterator[Goal]:
    excepts = CASES[0]
    yield Goal("5,000 excepts: compile, seconds", 0.3, measured[excepts][0].compile)
    yield Goal("5,000 excepts: match of a row, characters", 1024, measured[excepts][0].match)
    yield Goal("5,000 excepts: CPU of ovn-controller, seconds", 1.0, costs[excepts].cpu)
    for case, every in measured.items():
        worst = max(found.stall for found in every)
        yield Goal(f"{case.name}: longest stall, milliseconds", 50, worst * 1000)
        yield Goal(f"{case.name}: memory / bytes of objects, of many", 10, every[-1].factor)


def _cells(found: Found) -> list[str]:
    return [
        f"{found.count:,}",
        f"{found.written / 1000:,.0f}",
        f"{found.rows:,}",
        f"{found.compile * 1000:,.0f} ms",
        f"{found.commit:.2f} s" if found.commit else "-",
        f"{found.stall * 1000:.0f} ms",
        f"{found.match:,}",
        f"{found.sets / 1000:,.0f}",
        f"{found.grown:.1f} MiB",
        f"{found.factor:.1f}",
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    sys.exit(main())
