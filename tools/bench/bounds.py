"""`make bench-bounds`: policies at every bound. `python -m tools.bench.bounds` prints docs/bounds.md and writes it.

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

from nqosd.compiler.matching import LONGEST_LIST, LONGEST_SET
from nqosd.northbound.shares import MOST
from tools.bench.bound_cases import CASES, Case
from tools.bench.bounded import Found, compiled, measure
from tools.bench.bounds_ovn import ROWS, Cost, Scene, lists
from tools.bench.northbound import quiet

PAGE = Path(__file__).parents[2] / "docs/bounds.md"

INTRODUCTION = """\
# Policies at every bound

`make bench-bounds` measures this and writes this page. Who may write NetworkQoS objects in a namespace can write the
largest that the limits let through ([configuration](configuration.md#limits)), and many of them. So each bound is tried
with one policy and with many at once, all different, in one namespace: on the real daemon, with a callback in its event
loop that is due every millisecond, beside a light API server and a real ovsdb-server. What the older policies of a
namespace leave no room for is `TooLarge` and has no rows. One policy of each is also compiled alone, and its rows and
sets given to a real OVN 25.03 with one chassis.
"""

MISSED = f"""
## What is missed, and why

- Stalls: where one of more than 50 ms stands above, threads that read and compile policies held Python's lock together.
  What a single step of the event loop takes is less: some 10 ms for the members of a set, 25 for all authorities of the
  system where the kubeconfig names none.
- ovn-controller: its CPU time goes with the flows, some 11 microseconds for each, and each prefix is one; the first
  100,000 take a third more, in which its memory grows. How many sets the prefixes are spread over makes no difference:
  measured in turn, twice, sets of {LONGEST_SET:,}, of 20,000 and of all of them took 1.38, 1.31, 1.09 and then 1.09,
  1.05, 1.07 s. A set of 20,000 would keep pods of other namespaces waiting four times as long.
- Memory, members: an address that a selector chooses is some 200 bytes (desired, and stored), which few bytes can ask
  for: `limits.members` and `limits.namespace_members` bound them, by default to 40 MB for a namespace.
- Memory, selectors: an entry of 51 bytes is some 340 bytes as values of Python (five objects and two texts), for as
  long as the policy is there, applied or not. `limits.policies` and the API server's bound for an object bound it.
- Memory, limits per pod: it goes with the rows, some 2.7 KB each (desired, stored, and in the plan), which few bytes
  can ask for: `limits.namespace_rows` bounds them, by default to 27 MB for a namespace.
- Memory, policies with little in them: each is some 15 KB (its values, its row, what its status says and is to say),
  also where it is 1.3 KB of JSON. `limits.policies` bounds it, by default to 15 MB for a namespace.
- Time, 999 policies: once a namespace has more than {MOST} rows, a round takes one of its policies, so that the pods of
  others don't wait. Its own owner waits.
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


@attrs.frozen
class Alone:
    """What one policy comes to, and what that takes OVN; `compile` is seconds of CPU, decoding included."""

    compile: float
    match: int
    members: int
    cost: Cost

    @classmethod
    def of(cls, case: Case, scene: Scene) -> "Alone":
        """Compile it and give it to OVN."""
        desired, seconds = compiled(case)
        members = sum(len(each) for found in desired.address_sets.values() for each in found.addresses)
        return cls(seconds, max(len(row.match) for row in desired.rows.values()), members, scene.cost(desired))


Measured = Mapping[Case, Sequence[Found]]
APPLIED = [case for case in CASES if case.is_applied]


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
        alone = {case: Alone.of(case, scene) for case in APPLIED}
        by_length = {length: (scene.cost(listed), scene.cost(named)) for length, listed, named in lists()}
    page = "\n".join([INTRODUCTION, *_parts(measured, alone, by_length), ""])
    PAGE.write_text(page)
    print(page)
    return 0


def _parts(
    measured: Measured, alone: Mapping[Case, Alone], by_length: Mapping[int, tuple[Cost, Cost]]
) -> Iterator[str]:
    yield (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; load average "
        f"over five minutes at the end: {os.getloadavg()[1]:.1f}."
    )
    yield "\n## Goals\n\n| what | goal | measured | |\n| --- | --- | --- | --- |"
    yield from map(str, _goals(measured, alone))
    yield MISSED
    yield "## The daemon\n"
    yield from _table(
        ("", "policies", "KB of objects", "rows", "until they are there", "until a pod is that comes then",
         "longest stall of the event loop", "memory", "memory / objects", "on dd6334f"),
        ([case.name if found is every[0] else "", *_cells(found), case.before if found is every[0] else ""]
         for case, every in measured.items() for found in every),
    )  # fmt: skip
    yield "\n## One policy, and OVN 25.03\n"
    yield from _table(
        ("", "decoded and compiled in", "longest match, characters", "KB of members of sets", "OpenFlow flows",
         "CPU of ovn-controller", "its memory"),
        ([case.name, f"{found.compile * 1000:.0f} ms", f"{found.match:,}", f"{found.members / 1000:,.0f}",
          f"{found.cost.flows:,}", f"{found.cost.cpu:.2f} s", f"{found.cost.resident:.0f} MiB"]
         for case, found in alone.items()),
    )  # fmt: skip
    yield "\n## A list of prefixes in the match, or in an address set\n"
    yield f"CPU time of ovn-controller for {ROWS} rows with one list. Lists of more than {LONGEST_LIST} become sets.\n"
    yield from _table(
        ("prefixes", "flows", "in the match", "in a set"),
        ([f"{length:,}", f"{pair[0].flows:,}", *(f"{each.cpu:.2f} s" for each in pair)]
         for length, pair in by_length.items()),
    )  # fmt: skip


def _goals(measured: Measured, alone: Mapping[Case, Alone]) -> Iterator[Goal]:
    excepts = alone[CASES[0]]
    yield Goal("5,000 excepts: compile, seconds", 0.3, excepts.compile)
    yield Goal("5,000 excepts: match of a row, characters", 1024, excepts.match)
    yield Goal("5,000 excepts: CPU of ovn-controller, seconds", 1.0, excepts.cost.cpu)
    for case, every in measured.items():
        worst = max(found.stall for found in every)
        yield Goal(f"{case.name}: longest stall, milliseconds", 50, worst * 1000)
        yield Goal(f"{case.name}: memory / bytes of objects, of many", 10, every[-1].factor)


def _cells(found: Found) -> list[str]:
    return [
        f"{found.count:,}",
        f"{found.written / 1000:,.0f}",
        f"{found.rows:,}",
        f"{found.there:.2f} s" if found.rows else "-",
        f"{found.pod * 1000:,.0f} ms",
        f"{found.stall * 1000:.0f} ms",
        f"{found.grown:.1f} MiB",
        f"{found.factor:.1f}",
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    sys.exit(main())
