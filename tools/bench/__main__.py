"""`make bench`: the benchmark. `python -m tools.bench [short|full] [REPEATS] [--out DIRECTORY]`.

Out: the report on standard output, and in docs/. `short` measures the cells of the peer's table, `full` also
100,000 pods with 1,000 policies, and one cell on a real kube-apiserver. Rule: of repeated measurements the median
counts, and of repeated counts the largest.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.services.latency import Latency
from tools.bench.cell import Cell, measure
from tools.bench.figures import FULL, HUGE, LARGE, SHORT, SMALL
from tools.bench.real_api import measure_real
from tools.bench.report import comma_separated, markdown
from tools.bench.running import Written
from tools.bench.stages import stages

DOCS = Path(__file__).parents[2] / "docs"
REPEATS = 3


def main() -> int:
    """Measure all cells, print the report and write it."""
    options = _parse()
    sizes = FULL if options.sizes == "full" else SHORT
    cells = []
    for size in sizes:
        begin = time.monotonic()
        found = [
            measure(size, idle=number == 0 and size == LARGE, churn=number == 0 and size in (LARGE, HUGE))
            for number in range(options.repeats if size != HUGE else 1)
        ]
        cells.append(median(found))
        print(f"[bench] {size}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    real = measure_real(LARGE) if HUGE in sizes else None
    report = markdown(cells, machine(options.repeats), {size: stages(size) for size in (SMALL, LARGE)}, real)
    options.out.mkdir(exist_ok=True, parents=True)
    (options.out / "benchmark.md").write_text(report)
    (options.out / "benchmark.csv").write_text(comma_separated(cells))
    print(report)
    return 0


def machine(repeats: int) -> str:
    """Say where and how this was measured."""
    load = os.getloadavg()[1]
    return (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"the median of {repeats}; load average over five minutes at the end: {load:.1f}."
    )


def median(cells: Sequence[Cell]) -> Cell:
    """Make one cell of repeated measurements of it."""
    parts: dict[str, Any] = {}  # of four types, which mypy can't tell apart
    for field in attrs.fields(Cell)[1:]:
        values = [value for cell in cells if (value := getattr(cell, field.name)) is not None]
        parts[field.name] = _middle(values) if values else None
    return Cell(size=cells[0].size, **parts)


def _middle(values: Sequence[object]) -> object:
    """Summarise the measurements of one thing."""
    if isinstance(values[0], Written):
        return Written(*map(max, zip(*(each.counts for each in values if isinstance(each, Written)), strict=True)))
    if isinstance(values[0], Latency):
        times = zip(*(each.times for each in values if isinstance(each, Latency)), strict=True)
        return Latency(*map(statistics.median, times))
    return statistics.median(each for each in values if isinstance(each, float))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.bench", description="Measure the daemon beside goals and the peer.")
    parser.add_argument("sizes", nargs="?", choices=("short", "full"), default="short", help="(default: short)")
    parser.add_argument("repeats", nargs="?", type=int, default=REPEATS, help=f"(default: {REPEATS})")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIRECTORY", help="(default: docs/)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
