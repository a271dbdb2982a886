"""What was measured as tables, and what follows from it for larger clusters.

In: costs of some sizes. Out: Markdown. Rule: what is reckoned is a straight line through what was measured, times the
number of zones where it is about all of them, and says so.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tests.services.latency import Latency
from tools.zones.cluster import PODS_OF_A_NODE
from tools.zones.measure import Cost, Load
from tools.zones.one_pod import BARE

LARGE = (1_000, 5_000)
EVENTS_OF_A_DAY = 6
"""Of each pod, which is one day old when it ends."""
DAY = 86_400
READY_WITHIN = 10.0
"""Seconds from a policy's change until it is Ready in all of 1,000 zones."""
LISTS_WITHIN, STARTS_WITHIN = 0.35, 1.0
"""Seconds from a daemon's start until its first request for objects, and until it is ready, in the median."""

POD_WITHIN = 1.0
"""Milliseconds from a pod's event until its effect, in the median."""
MIB, LESS, FURTHER, KIB = 85, 50, 20, 16
"""MiB of a daemon, how many times less it receives than by default; of a policy that changes, writes besides one of
each zone, and its KiB then."""

Figure = Callable[[Cost], float | None]


def markdown(costs: Sequence[Cost], load: Load) -> str:
    """Give all tables."""
    modes = list(dict.fromkeys(each.mode for each in costs))
    groups = {mode: [each for each in costs if each.mode == mode] for mode in modes}
    one, whole = _of_one(load), _of_all(load)
    parts = [_table(group, one, f"one daemon, {mode}") for mode, group in groups.items()]
    parts += [_table(group, whole, f"all daemons, {mode}") for mode, group in groups.items() if group[0].with_fleet]
    before = next(iter(groups.values()))
    if len(next(iter(groups.values()))) > 1:
        parts.append(_together(groups, one))
    return "\n".join([*parts, _goals(costs, before, one), _assumptions(load)])


FIRST_LIST, READY, ALL_READY = "first list, s", "ready, s", "Ready, s"
EVENT = "bytes for a pod that changes, of those that it hears of"
IDLE = "KB/s when nothing changes"
POD = "a pod alone, ms: "
WAYS = ("own", "peer", "own and peer", BARE)
NOT_RECKONED = {FIRST_LIST, READY, ALL_READY, EVENT, IDLE, *(POD + way for way in WAYS)}
"""Seconds are this machine's, where daemons and servers share two cores. And in a larger cluster, a smaller share
of pods concerns a daemon: what that makes is reckoned a second. An idle daemon receives the same in any cluster."""
UNTIL_READY = "KB until ready"
A_SECOND = "KB/s more as pods come and go"


def _of_one(load: Load) -> Mapping[str, Figure]:
    def event(cost: Cost) -> float:
        return max(0, cost.busy.last - cost.idle.last) / load.changes

    return {
        UNTIL_READY: lambda it: statistics.median(each.received for each in it.started) / 1e3,
        EVENT: event,
        IDLE: lambda it: it.idle.last / load.seconds / 1e3,
        "KB/s, if it sums up": lambda it: it.idle.first / load.seconds / 1e3,
        A_SECOND: lambda it: event(it) * _events(it.nodes) * it.heard / 1e3,
        "MiB": lambda it: it.resident,
        FIRST_LIST: lambda it: statistics.median(each.first_list for each in it.started),
        READY: lambda it: statistics.median(each.ready for each in it.started),
        **{POD + way: partial(_of_pod, way=way) for way in WAYS},
    }


def _of_pod(cost: Cost, way: str) -> float | None:
    return cost.pods[way].p50 if way in cost.pods else None


def _of_all(load: Load) -> Mapping[str, Figure]:
    return {
        "API server, CPU s for a zone that starts": lambda it: it.fleet_start_cpu,
        "API server, cores when nothing changes": lambda it: it.idle.server_cpu / load.seconds,
        "one policy changed: reports": lambda it: it.change.writes.get("reports", 0),
        "writes of its status": lambda it: it.change.writes.get("status", 0),
        "writes above 100 ms": lambda it: it.change.slow,
        "KB of reports": lambda it: it.change.reported / 1e3,
        "KB of the object": lambda it: it.change.size / 1e3,
        ALL_READY: lambda it: it.change.seconds,
    }


def _table(costs: Sequence[Cost], figures: Mapping[str, Figure], title: str) -> str:
    """Give a table with a row for each figure: the sizes that were measured, and what the line makes of larger ones."""
    sizes = [each.nodes for each in costs]
    heads = [title, *(f"{size:,} nodes" for size in sizes)]
    heads += [f"{size:,} (reckoned)" for size in LARGE] if len(sizes) > 1 else []
    rows = []
    for name, figure in figures.items():
        row = [name, *(_shown(figure(each)) for each in costs)]
        if len(sizes) > 1:
            row += ["" if name in NOT_RECKONED else _shown(_line(costs, figure, size)) for size in LARGE]
        rows.append(row)
    return _rendered(heads, rows)


def _goals(costs: Sequence[Cost], before: Sequence[Cost], one: Mapping[str, Figure]) -> str:
    """Say of each size at which every node had a daemon whether its goals were met; they are for 1,000 nodes.

    `before` are the costs by default, and `one` the figures of a daemon.
    """

    def received(cost: Cost) -> float:
        return (one[IDLE](cost) or 0.0) + (one[A_SECOND](cost) or 0.0)

    lines: list[str] = []
    for each in costs:
        if each.with_fleet:
            lines += _goals_of(each)
            for other in before:
                if other.nodes == each.nodes and other is not each:
                    ratio = received(other) / received(each)
                    goal = f"1/{LESS} of what a daemon receives by default"
                    lines.append(_goal(goal, each.nodes, f"1/{ratio:.0f}", ratio >= LESS))
    return "".join(f"- {line}\n" for line in lines)


def _goals_of(cost: Cost) -> Sequence[str]:
    nodes, change, writes = cost.nodes, cost.change, sum(cost.change.writes.values())
    is_ready = change.seconds is not None and change.seconds <= READY_WITHIN
    return [
        _goal_of_starts(
            f"{LISTS_WITHIN:g} s until the first list", nodes, [one.first_list for one in cost.started], LISTS_WITHIN
        ),
        _goal_of_starts(
            f"{STARTS_WITHIN:g} s until a start is ready", nodes, [one.ready for one in cost.started], STARTS_WITHIN
        ),
        *(_goal_of_pod(nodes, way, latency) for way, latency in cost.pods.items() if way != BARE),
        _goal(f"{MIB} MiB", nodes, _shown(cost.resident), cost.resident <= MIB),
        _goal(f"{READY_WITHIN:g} s until Ready", nodes, f"{_shown(change.seconds)} s", is_ready),
        _goal("no write above 100 ms", nodes, f"{change.slow} above it", change.slow == 0),
        _goal(f"a write for each node and {FURTHER} more", nodes, f"{writes:,}", writes <= nodes + FURTHER),
        _goal(f"{KIB} KiB of the policy", nodes, _shown(change.size / 1024), change.size <= KIB * 1024),
    ]


def _goal(goal: str, nodes: int, found: str, is_met: bool) -> str:  # noqa: FBT001 - what follows from the two before
    return f"goal {goal}, {nodes:,} nodes: {found}, {_met(is_met)}"


def _goal_of_starts(goal: str, nodes: int, seconds: Sequence[float], within: float) -> str:
    median, least, most = statistics.median(seconds), min(seconds), max(seconds)
    found = f"{median:.3g} s ({least:.3g} to {most:.3g}, starts: {len(seconds)})"
    return _goal(goal, nodes, found, median <= within)


def _goal_of_pod(nodes: int, way: str, found: Latency) -> str:
    goal, shown = f"{POD_WITHIN:g} ms for a pod alone, {way}", f"{found.p50:.3g} ms (99 %: {found.p99:.3g})"
    return _goal(goal, nodes, shown, found.p50 <= POD_WITHIN)


def _met(goal: bool) -> str:  # noqa: FBT001 - one word of its own
    return "met" if goal else "MISSED"


def _together(groups: Mapping[str, Sequence[Cost]], one: Mapping[str, Figure]) -> str:
    """Give what all daemons of a cluster receive together, which grows with the square of what each has to hear."""
    rows = []
    for size in (max(each.nodes for group in groups.values() for each in group), *LARGE):
        for mode, group in groups.items():
            start = _line(group, one[UNTIL_READY], size)
            second = _line(group, one[A_SECOND], size) + statistics.mean(one[IDLE](each) or 0.0 for each in group)
            rows.append([f"{size:,}", mode, _shown(start * size / 1e6), _shown(second * size / 1e3)])
    return _rendered(["nodes (reckoned)", "daemons with", "GB if all start", "MB/s as pods come and go"], rows)


def _events(nodes: int) -> float:
    return nodes * PODS_OF_A_NODE * EVENTS_OF_A_DAY / DAY


def _line(costs: Sequence[Cost], figure: Figure, size: int) -> float:
    """Lay a straight line through a figure, by least squares, and give its value for a size."""
    slope, base = statistics.linear_regression([each.nodes for each in costs], [figure(each) or 0.0 for each in costs])
    return max(0.0, base + slope * size)


def _rendered(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in [heads, ["---"] * len(heads), *rows])


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _assumptions(load: Load) -> str:
    others = "the other zones are clients that repeat what a real one requested"
    if load.fleet is not None:
        others += f", {load.fleet} of them all of it and the rest what policies and reports need"
    return f"""{load.daemons} real daemons, each with an ovsdb-server; {others}. {PODS_OF_A_NODE} pods a node, of
6.4 KB in etcd; ten policies with senders on every node, two of them with peers in one namespace. {load.changes} pods
changed in {load.seconds:g} s. Reckoned: a straight line through what was measured; for all,
times the zones; pods have {EVENTS_OF_A_DAY} events in a day, and end with it. Seconds and CPU are this machine's, with
an etcd without fsync. Pods that changed are of those that the daemon hears of; how many these are is known.
"""
