"""The report of a benchmark: a table of peer and nqosd side by side, the goals, and all figures as CSV.

In: cells. Out: Markdown and CSV. Rule: no goal of a measured cell is left out, met or not.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import attrs

from tests.services.latency import Latency
from tools.bench.cell import ONE_BY_ONE, PAUSE, Cell
from tools.bench.figures import GOALS, PEER, Peer
from tools.bench.real_api import RealCell
from tools.bench.running import Written
from tools.bench.workload import Size

_UNMEASURED = Peer(*(["not measured"] * len(attrs.fields(Peer))))

INTRODUCTION = f"""\
# Benchmark

`make bench` measures this and writes this file and `benchmark.csv`. The workload: one namespace, pods on one node, each
in the source set of one policy, every tenth in a set of peers; each policy has a rule with a limit to a CIDR with two
exceptions, and a rule to the peers on one port. The limits of a namespace are lifted, since the largest size is beyond
them, and the peer has none. The daemon is the real process; ovsdb-server is the real one, on a
unix socket; the API server is a light one that streams pods of 5.6 KB as WatchList over HTTP. Latency is measured from
outside: from the moment before a watch event is written to the one at which another OVSDB client has received the
change of the row.

The peer is ovn-kubernetes's own NetworkQoS controller (Go, commit 8871cd9c); its figures were recorded with the same
workload on a machine of this kind. Counts are exact. Times depend on the machine: the floor is the time of one bare
transaction with one mutation on the same server in the same run, and the ratios to it are what can be compared.

"One pod" is one of many in a row, as the peer's were measured; one that comes "alone" does so after {PAUSE * 1000:g} ms
in which nothing happened. Processors that have slept have other things in their caches, or none: a bare transaction
takes longer then, and all else as well.
"""


def markdown(
    cells: Sequence[Cell], machine: str, stages: Mapping[Size, Mapping[str, float]], real: RealCell | None
) -> str:
    """Write the report; `stages` are microseconds by size."""
    parts = [_comparison(cells), _goals(cells), _details(cells), _stages(stages, cells), _real(real) if real else ()]
    return "\n".join([INTRODUCTION, machine, *(line for part in parts for line in ("", *part)), ""])


def comma_separated(cells: Sequence[Cell]) -> str:
    """Write all figures, a line for each cell."""
    rows = [_flat(cell) for cell in cells]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _comparison(cells: Sequence[Cell]) -> Iterable[str]:
    yield "## Peer and nqosd\n"
    header = ("", "whose", "cold start", "transactions", "one pod: p50, p99", "transactions", "100 pods at once",
              "a policy for all pods", "memory, MiB")  # fmt: skip
    rows = []
    for cell in cells:
        peer = PEER.get(cell.size, _UNMEASURED)
        rows.append([str(cell.size), "peer", *attrs.astuple(peer)])
        per_pod = cell.one_written.transactions / ONE_BY_ONE
        rows.append([
            "", "**nqosd**", f"**{cell.cold:.2f} s**", f"**{cell.cold_written.transactions}**",
            f"**{cell.one.p50:.1f} ms, {cell.one.p99:.1f} ms**", f"**{per_pod:g}**",
            f"**{cell.at_once * 1000:.0f} ms, {_transactions(cell.at_once_written)}**",
            f"**{cell.everything * 1000:.0f} ms, {_transactions(cell.everything_written)}**",
            f"**{cell.resident:.0f}**",
        ])  # fmt: skip
    yield from _table(header, rows)


def _goals(cells: Sequence[Cell]) -> Iterable[str]:
    yield "## Goals\n"
    found: Mapping[Size, Cell] = {cell.size: cell for cell in cells}
    rows = []
    for goal in GOALS:
        cell = found.get(goal.size)
        value = None if cell is None else goal.value(cell)
        shown = "not measured" if value is None else f"{value:.3g} {goal.unit}"
        verdict = "not measured" if cell is None else goal.verdict(cell)
        rows.append([str(goal.size), goal.what, f"at most {goal.limit:g} {goal.unit}", shown, verdict])
    yield from _table(("cell", "what", "goal", "measured", ""), rows)


def _details(cells: Sequence[Cell]) -> Iterable[str]:
    yield "## More figures\n"
    header = ("", "floor, ms", "one pod p50 / floor", "one pod, worst", "one pod alone: p50, p99; floor",
              "operations for a pod", "cold: operations",
              "first list after", "CPU s until then: nqosd, ovsdb-server", "ready after a restart", "peak MiB",
              "idle, % of a core", "200 events/s: p50, p99")  # fmt: skip
    rows = [
        [
            str(cell.size), f"{cell.floor.p50:.3f}", f"{cell.one.p50 / cell.floor.p50:.0f}", f"{cell.one.worst:.1f} ms",
            f"{cell.alone.p50:.1f} ms, {cell.alone.p99:.1f} ms; {cell.alone_floor.p50:.1f} ms",
            f"{cell.one_written.writes / ONE_BY_ONE:g} + {cell.one_written.guards / ONE_BY_ONE:g} guards",
            f"{cell.cold_written.writes:,} + {cell.cold_written.guards} guards", f"{cell.first_list:.2f} s",
            f"{cell.daemon_cpu:.2f}, {cell.server_cpu:.2f}", f"{cell.restart:.2f} s", f"{cell.peak:.0f}",
            "" if cell.idle is None else f"{cell.idle * 100:.2f}",
            "" if cell.churn is None else f"{cell.churn.p50:.1f} ms, {cell.churn.p99:.1f} ms",
        ]
        for cell in cells
    ]  # fmt: skip
    yield from _table(header, rows)


def _stages(stages: Mapping[Size, Mapping[str, float]], cells: Sequence[Cell]) -> Iterable[str]:
    yield "## Where the time of one pod goes, in microseconds\n"
    floors = {cell.size: cell.floor.p50 * 1000 for cell in cells}
    rows = [
        [str(size), *(f"{value:.0f}" for value in times.values()), f"{floors[size]:.0f}"]
        for size, times in stages.items()
    ]
    yield from _table(("", *next(iter(stages.values())), "a round trip to ovsdb-server"), rows)
    yield (
        "\nEach stage is measured alone, in one process, with the daemon's own parts. The rest of an event's time is "
        "the event loop's and the sockets': two processes wake each other four times."
    )


def _real(real: RealCell) -> Iterable[str]:
    yield f"## With a real kube-apiserver and etcd: {real.size}\n"
    yield (
        f"Cold start {real.cold:.2f} s in {real.transactions} transaction(s), {real.daemon_cpu:.2f} s of CPU, "
        f"{real.resident:.0f} MiB. A pod created with POST, one at a time: from the request until its address was seen "
        f"p50 {real.from_request.p50:.1f} ms, p99 {real.from_request.p99:.1f} ms; after the API server's answer p50 "
        f"{real.from_answer.p50:.1f} ms, p99 {real.from_answer.p99:.1f} ms."
    )


def _transactions(written: Written) -> str:
    return f"{written.transactions} txn{'s' if written.transactions != 1 else ''}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"


def _flat(cell: Cell) -> dict[str, object]:
    flat: dict[str, object] = {}
    for field in attrs.fields(Cell):
        value = getattr(cell, field.name)
        if isinstance(value, Size | Latency | Written):
            unit = "_ms" if isinstance(value, Latency) else ""
            prefix = "" if isinstance(value, Size) else f"{field.name}_"
            flat |= {f"{prefix}{name}{unit}": part for name, part in attrs.asdict(value).items()}
        elif value is not None:
            flat[field.name] = value
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in flat.items()}
