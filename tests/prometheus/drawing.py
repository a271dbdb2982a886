"""Draws the dashboard, since no Grafana can be had where the tests run: its own panels, with Prometheus's own answers.

In: the dashboard's JSON, and a function that gives the series of a query. Out: a picture. Rule: place, title, query,
legend, unit, stacking and texts for values are the dashboard's; colours and letters are ours.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

Panel: TypeAlias = dict[str, Any]
"""A panel as JSON has it."""
CELL = 0.54, 0.3
"""Width and height of a cell of the grid, in inches."""
COLUMNS = 24
GAP = 0.004
SCALES: Mapping[str, tuple[float, str]] = {
    "bps": (1e-6, "Mbit/s"), "s": (1, "s"), "bytes": (2**-20, "MiB"), "percentunit": (100, "%"), "ops": (1, "1/s"),
    "short": (1, ""),
}  # fmt: skip
"""By the dashboard's unit: what to multiply by, and what to write beside the axis."""
GOOD, GREY = "#1a7f37", "#666666"
SHOWN = ("version", "northd_version", "zone")
"""The labels that the table of versions has room for."""
FEW, WIDE, MOST = 3, 25, 10
"""So many entries of a legend stand below each other; more stand in columns, two of them if one is as wide as this.

No more than the last number of them are shown, and none of a series that was 0 all the time.
"""


def filled(expression: str, rate_interval: str, chosen: Mapping[str, str] | None = None) -> str:
    """Fill the dashboard's variables in, as Grafana does; all of each that isn't `chosen`."""
    expression = expression.replace("$__rate_interval", rate_interval).replace("$job", "nqosd")
    return re.sub(
        r"\$(cluster|instance|namespace|policy|node)\b", lambda found: (chosen or {}).get(found[1], ".*"), expression
    )


@attrs.frozen
class Line:
    """A series: its labels, moments in seconds, and values."""

    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]


Ask: TypeAlias = Callable[[str], Sequence[Line]]


def draw(panels: Sequence[Panel], ask: Ask, file: Path, span: tuple[float, float]) -> None:
    """Draw all panels into a file (PNG), over a span of Unix time; where nothing happened there is nothing."""
    mpl.use("Agg")
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(COLUMNS * CELL[0], rows * CELL[1]))
    for panel in panels:
        grid = panel["gridPos"]
        place = (grid["x"] / COLUMNS + GAP, 1 - (grid["y"] + grid["h"]) / rows, grid["w"] / COLUMNS, grid["h"] / rows)
        if panel["type"] == "row":
            figure.text(place[0], place[1] + place[3] / 3, panel["title"], weight="bold")
            continue
        left, bottom = 0.12 if panel["type"] == "timeseries" else 0.02, 0.34 if panel["type"] == "timeseries" else 0.05
        width, height = place[2] * (0.96 - left), place[3] * (0.86 - bottom)
        axes = figure.add_axes((place[0] + place[2] * left, place[1] + place[3] * bottom, width, height))
        axes.set_title(panel["title"], loc="left", fontsize="small", weight="bold", x=0 if left < 0.1 else -0.1)
        lines = [(line, target) for target in panel["targets"] for line in ask(target["expr"])]
        if panel["type"] == "timeseries":
            _curves(axes, panel, lines, span)
        else:
            {"stat": _numbers, "table": _versions}[panel["type"]](axes, panel, lines)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def _curves(axes: Axes, panel: Panel, lines: Sequence[tuple[Line, Panel]], span: tuple[float, float]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    factor, unit = SCALES[defaults["unit"]]
    is_stacked = defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    zero, end = span
    times = sorted({moment - zero for line, _ in lines for moment in line.times})
    base = dict.fromkeys(times, 0.0)
    for line, target in lines:
        mine = {moment - zero: value * factor for moment, value in zip(line.times, line.values, strict=True)}
        label = _legend(target["legendFormat"], line) if any(line.values) else None
        if is_stacked:
            top = {moment: base[moment] + mine.get(moment, 0.0) for moment in times}
            (curve,) = axes.plot(times, list(top.values()), lw=0.9, label=label)
            axes.fill_between(times, list(base.values()), list(top.values()), alpha=0.25, color=curve.get_color())
            base = top
        else:
            axes.plot(list(mine), list(mine.values()), lw=1.1, label=label)
    axes.set_ylim(0, max(1.1 * axes.get_ylim()[1], 1e-9))
    axes.set_xlim(0, end - zero)
    axes.tick_params(labelsize=6)
    axes.grid(visible=True, alpha=0.25)
    axes.set_ylabel(unit, fontsize=6)
    axes.set_xlabel("s", fontsize=6, labelpad=0)
    curves, labels = axes.get_legend_handles_labels()
    if not labels:
        axes.text(0.5, 0.5, "nothing, all the time", transform=axes.transAxes, ha="center", size=8, color=GREY)
        return
    columns = 1 if len(labels) <= FEW else 2 if max(map(len, map(str, labels))) > WIDE else 3
    below = (-0.1, -0.16)
    axes.legend(
        curves[:MOST], labels[:MOST], loc="upper left", bbox_to_anchor=below, fontsize=5.5, ncols=columns, frameon=False
    )


def _numbers(axes: Axes, panel: Panel, lines: Sequence[tuple[Line, Panel]]) -> None:
    axes.axis("off")
    defaults = panel["fieldConfig"]["defaults"]
    texts = {key: each for mapping in defaults.get("mappings", ()) for key, each in mapping["options"].items()}
    for number, (line, target) in enumerate(lines):
        value, at = line.values[-1], (number + 0.5) / len(lines)
        text = texts.get(f"{value:g}", {"text": f"{value:.3g} {SCALES[defaults['unit']][1]}", "color": "green"})
        axes.text(at, 0.5, text["text"], ha="center", size=15, color=GOOD if text["color"] == "green" else GREY)
        axes.text(at, 0.15, _legend(target["legendFormat"], line), ha="center", size=7)


def _versions(axes: Axes, _panel: Panel, lines: Sequence[tuple[Line, Panel]]) -> None:
    axes.axis("off")
    cells = [[line.labels.get(label, "") for label in SHOWN] for line, _ in lines]
    table = axes.table(cellText=cells, colLabels=SHOWN, loc="upper center", edges="horizontal")
    table.auto_set_font_size(value=False)
    table.set_fontsize(6)


def _legend(pattern: str, line: Line) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: line.labels.get(found[1], ""), pattern)
