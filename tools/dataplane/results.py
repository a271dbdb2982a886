"""What a run has found, and how it is written: for the terminal as it comes, for `docs/` at the end.

In: cells, measurements, captures and costs of each generation. Out: text. The rule: a table shows what was seen beside
what was expected, and says so where they differ.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from tests.dataplane.guide import Measurement
from tests.dataplane.matrix import Cell, Row
from tools.dataplane.flow_costs import SIZES

DIFFERS = "✗"
ABSENT = "not there"
"""What stands for a network or neighbour that ovn-kubernetes doesn't make on a generation."""

_COSTS = (
    f"Flows: OpenFlow flows by which br-int grows, for {' / '.join(f'{size:,}' for size in SIZES)} source addresses. "
    "OVN before 24.09 has a logical flow for the mark and one for the limit. Recomputes: how often logical flows were "
    "computed anew, for the whole database by northd, for a whole chassis by ovn-controller; northd of OVN 23.03 does "
    "so at every change. Measured by `make dataplane DATAPLANE_ARGS='--part costs'`."
)
_BESIDE = (
    "EgressIP's own rows stand on primary layer2 networks beside the daemon's; OVN 23.03 can't have them, nor the "
    "default network's virtual machines that migrate. Neighbour discovery passes the same table as what is limited. "
    "Measured by `make dataplane DATAPLANE_ARGS='--part beside'`."
)


@attrs.define
class Results:
    """What was found with one generation; `versions` says which OVN and OVS ran."""

    series: str
    versions: str
    cells: list[Cell] = attrs.field(factory=list)
    bandwidth: list[Measurement] = attrs.field(factory=list)
    captures: list[tuple[Measurement, str]] = attrs.field(factory=list)
    beside: list[Measurement] = attrs.field(factory=list)
    costs: list[Measurement] = attrs.field(factory=list)

    @property
    def measurements(self) -> list[Measurement]:
        """Everything but the cells of the matrix."""
        return [*self.bandwidth, *(each for each, _ in self.captures), *self.beside, *self.costs]

    @property
    def differences(self) -> int:
        """How many cells and measurements are not as expected."""
        return sum(not cell.agrees for cell in self.cells) + sum(not each.agrees for each in self.measurements)

    @property
    def total(self) -> int:
        """How many cells and measurements there are."""
        return len(self.cells) + len(self.measurements)


def show_cells(cells: Sequence[Cell]) -> str:
    """Write a case for the terminal."""
    rows = [
        [row.site, row.traffic, row.family, _joined(each.expected for each in here), _joined(map(_seen, here))]
        for row, here in _by_row(cells).items()
    ]
    return _aligned(["network", "traffic", "family", f"expected ({_probes(cells)})", "seen"], rows)


def show_measurement(each: Measurement) -> str:
    """Write a measurement for the terminal."""
    wanted = f"expected {each.expected}, seen " if each.expected else ""
    return f"{'ok' if each.agrees else DIFFERS + ' '} {each.what}: {wanted}{each.seen}"


def markdown(runs: Sequence[Results]) -> str:
    """Write everything as a page."""
    first = runs[0]
    agreeing = sum(run.total - run.differences for run in runs)
    parts = [
        "# The data plane, measured",
        "Written by `make dataplane`; [See it on the wire](wire.md) says how it is measured and how to read it.",
        "\n".join(f"- {run.versions}" for run in runs),
        f"{agreeing} of {sum(run.total for run in runs)} results are as expected; one that isn't is marked {DIFFERS}.",
        "## The guide's section 4.2: bandwidth",
        _measurement_table(runs, [run.bandwidth for run in runs]),
        "## The guide's section 4.3: captures",
        _measurement_table(runs, [[each for each, _ in run.captures] for run in runs]),
        f"What tcpdump wrote on node 1 (OVN {first.series}):",
        *(f"{each.what}\n\n```\n{text}\n```" for each, text in first.captures),
        "## The matrix",
    ]
    for case in dict.fromkeys(cell.case for cell in first.cells):
        parts += [f"### {case[0].upper()}{case[1:]}", _case_table(runs, case)]
    warnings = dict.fromkeys(cell.warning for run in runs for cell in run.cells if cell.warning)
    if warnings:
        parts += ["The policies' status on flat networks with services:", *(f"> {text}" for text in warnings)]
    parts += [
        "## Beside the matrix",
        _BESIDE,
        _measurement_table(runs, [run.beside for run in runs]),
    ]
    parts += ["## Costs in OVN", _COSTS, _measurement_table(runs, [run.costs for run in runs])]
    return "\n\n".join(parts) + "\n"


def _case_table(runs: Sequence[Results], case: str) -> str:
    by_run = [_by_row([cell for cell in run.cells if cell.case == case]) for run in runs]
    header = ["network", "traffic", "family", f"expected ({_probes([c for cs in by_run[0].values() for c in cs])})"]
    rows = {row: here for found in by_run for row, here in found.items()}
    lines = [
        [row.site, row.traffic, row.family, _joined(each.expected for each in rows[row])]
        + [_joined(map(_seen, found[row])) if row in found else ABSENT for found in by_run]
        for row in dict.fromkeys(row for found in reversed(by_run) for row in found)
    ]
    return _table([*header, *(f"OVN {run.series}" for run in runs)], lines)


def _measurement_table(runs: Sequence[Results], measured: Sequence[Sequence[Measurement]]) -> str:
    by_run = [{each.what: each for each in found} for found in measured]
    lines = []
    for what in dict.fromkeys(what for found in reversed(by_run) for what in found):
        expected = {run.series: each[what].expected for run, each in zip(runs, by_run, strict=True) if what in each}
        (first, *others) = dict.fromkeys(expected.values())
        text = "; ".join(f"{series}: {each}" for series, each in expected.items()) if others else first
        lines.append([what, text, *(_seen(found[what]) if what in found else ABSENT for found in by_run)])
    return _table(["what", "expected", *(f"OVN {run.series}" for run in runs)], lines)


def _by_row(cells: Iterable[Cell]) -> Mapping[Row, list[Cell]]:
    found: dict[Row, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.row, []).append(cell)
    return found


def _probes(cells: Iterable[Cell]) -> str:
    return _joined(dict.fromkeys(cell.probe for cell in cells))


def _seen(each: Cell | Measurement) -> str:
    return each.seen if each.agrees else f"{each.seen} {DIFFERS}"


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(texts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    return "\n".join(
        "  ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in (header, *rows)
    )
