"""How cost grows: `python -m tools.bench.growth` measures, fits exponents, and plots to docs/growth.png and growth.csv.

In: one dimension at a time (pods, policies, rules, churn rate), the others held. Out: CPU seconds of the daemon, which
noise on the machine changes less than it changes times. Rule: an exponent is fitted to what was measured, the cost of
an empty daemon taken off the starts; it says linear at 1 and flat at 0.
"""

import csv
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import matplotlib as mpl
from matplotlib import pyplot as plt

from tools.bench.running import Bench
from tools.bench.services import usage
from tools.bench.workload import Size

DOCS = Path(__file__).parents[2] / "docs"
BASE = Size(10_000, 100)
EMPTY = Size(1, 1)
RATE = 200.0
SECONDS = 8.0
AXES: dict[str, Sequence[Size]] = {
    "pods": [Size(pods, 100) for pods in (1_000, 3_000, 10_000, 30_000, 100_000)],
    "policies": [Size(10_000, policies) for policies in (10, 30, 100, 300, 1_000)],
    "rules": [Size(10_000, 100, rules) for rules in (1, 2, 4, 8, 16)],
}
RATES = (50.0, 100.0, 200.0, 400.0, 800.0)


@attrs.frozen
class Point:
    """One measurement: `value` is what varied along `axis`; costs are CPU time of the daemon."""

    axis: str
    value: float
    start_seconds: float
    event_milliseconds: float
    operations_for_an_event: float


def main() -> int:
    """Measure everything, plot it and write it down."""
    empty = statistics.median(_start(EMPTY) for _ in range(3))
    points = [
        measure(axis, float(getattr(size, axis)), size, [RATE], empty)[0]
        for axis, sizes in AXES.items()
        for size in sizes
    ]
    points += measure("events a second", math.nan, BASE, RATES, empty)
    with (DOCS / "growth.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in attrs.fields(Point)])
        writer.writerows(attrs.astuple(point) for point in points)
    plot(points)
    for axis in dict.fromkeys(point.axis for point in points):
        print(f"{axis}: {describe([point for point in points if point.axis == axis])}")
    return 0


def measure(axis: str, value: float, size: Size, rates: Iterable[float], empty: float) -> list[Point]:
    """Start a daemon on a cluster, then let pods come and go at each rate; a rate is the value if there is no other."""
    points = []
    with Bench(size) as bench:
        bench.cold()
        start = usage(bench.daemon.pid).cpu - empty
        for rate in rates:
            before = usage(bench.daemon.pid).cpu
            _latency, written = bench.counted(lambda rate=rate: bench.churn(rate, SECONDS))  # type: ignore[misc]
            events = rate * SECONDS
            cost = (usage(bench.daemon.pid).cpu - before) / events * 1000
            where = rate if math.isnan(value) else value
            points.append(Point(axis, where, start, round(cost, 4), round(written.writes / events, 3)))
            print(points[-1], file=sys.stderr, flush=True)
    return points


def exponent(pairs: Sequence[tuple[float, float]]) -> float:
    """Fit y = a * x^b to pairs by least squares of the logarithms; gives b."""
    slope, _intercept = statistics.linear_regression(*zip(*[(math.log(x), math.log(y)) for x, y in pairs], strict=True))
    return slope


def describe(points: Sequence[Point]) -> str:
    """Give the exponents along one axis. The start is fitted to its upper half, where it isn't lost in the noise."""
    event = exponent([(point.value, point.event_milliseconds) for point in points])
    if points[0].axis not in AXES:
        return f"event ~ x^{event:.2f}"
    upper = [(point.value, max(point.start_seconds, 0.01)) for point in points[len(points) // 2 :]]
    return f"start ~ x^{exponent(upper):.2f}, event ~ x^{event:.2f}"


def plot(points: Sequence[Point]) -> None:
    """Draw the costs along each axis."""
    mpl.use("Agg")
    axes = list(dict.fromkeys(point.axis for point in points))
    figure, panels = plt.subplots(1, len(axes), figsize=(4 * len(axes), 3.6), layout="constrained")
    for axis, panel in zip(axes, panels, strict=True):
        mine = [point for point in points if point.axis == axis]
        values = [point.value for point in mine]
        panel.loglog(values, [point.event_milliseconds / 1000 for point in mine], "o-", label="a pod event")
        if axis in AXES:
            panel.loglog(values, [max(point.start_seconds, 0.01) for point in mine], "s-", label="a cold start")
        panel.set(title=describe(mine), xlabel=axis, ylim=(1e-4, 10))
        panel.title.set_fontsize("small")
        panel.grid(visible=True, which="both", alpha=0.3)
        panel.legend(fontsize="small")
    panels[0].set_ylabel("CPU seconds of nqosd")
    figure.savefig(DOCS / "growth.png", dpi=110)


def _start(size: Size) -> float:
    with Bench(size) as bench:
        bench.cold()
        return usage(bench.daemon.pid).cpu


if __name__ == "__main__":
    sys.exit(main())
