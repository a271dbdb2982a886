"""Which rule a cookie of br-int counts for: rows of the Northbound database joined with northd's logical flows.

In: both tables as the databases hold them. Out: for each cookie its rule, and whether its flows mark or limit. Rules:
a logical flow has its row's direction, priority and match; ovn-controller makes the cookie of the first eight digits of
the logical flow's uuid (measured on OVN 23.03 and 25.03). Until 24.09 marks and limits are logical flows of their own,
in stages `…_qos_mark` and `…_qos_meter`; since then both are one, in `…_qos`.

`external_ids:stage-hint`, the first eight digits of the row's uuid, isn't enough: when a row is replaced by another one
that gives an equal logical flow, northd leaves the flow with the hint of the row that is gone (measured on 23.03). It
counts where no row has the flow's match any more: the row has been changed, and northd hasn't followed yet.

A row without a mark (what comes back from a router is let through by such a row) marks nothing, and a rate that never
bites is no limit.
"""

import msgspec

from nqosd.compiler.desired import NEVER_BITES, Direction
from nqosd.northbound.replica.stored import key_of
from nqosd.statistics.table_rows import Row, Table

ROW_MAPS, ROW_VALUES = ("external_ids", "action", "bandwidth"), ("direction", "priority", "match")
"""The columns of QoS that are needed."""
FLOW_MAPS, FLOW_VALUES = ("external_ids",), ("pipeline", "priority", "match")
"""The columns of Logical_Flow that are needed."""
STAGES = tuple(f"ls_{way}_qos{kind}" for way in ("in", "out") for kind in ("", "_mark", "_meter"))
"""Every stage that northd puts QoS rows into, in all generations of OVN."""

HINT_DIGITS = 8
KILOBIT = 125
"""Bytes."""
_PIPELINES = {Direction.FROM_LPORT.value: "ingress", Direction.TO_LPORT.value: "egress"}


class Rule(msgspec.Struct, frozen=True, order=True):
    """A rule on a network; `index` is that in `spec.egress`."""

    namespace: str
    policy: str
    index: int
    network: str


class Purpose(msgspec.Struct, frozen=True):
    """What the flows of a cookie do, and for which rule."""

    rule: Rule
    marks: bool
    limits: bool


def limits_of(rows: Table) -> dict[Rule, int | None]:
    """Give the limit of each rule that has rows, in bytes per second; None: it has none."""
    found: dict[Rule, int | None] = {}
    for row in rows.values():
        rule = _rule(row)
        if rule is not None:
            rate = _rate(row)
            found[rule] = found.get(rule) if rate is None else rate * KILOBIT
    return found


def purposes(rows: Table, flows: Table) -> dict[int, Purpose]:
    """Give the purpose of each cookie whose flows mark or limit for one of the rows."""
    by_hint = {uuid[:HINT_DIGITS]: row for uuid, row in rows.items()}
    by_match = {_place(row, _PIPELINES.get(row.values["direction"], "")): row for row in rows.values()}
    found: dict[int, Purpose] = {}
    for uuid, flow in flows.items():
        ids = flow.maps["external_ids"]
        row = by_match.get(_place(flow, flow.values["pipeline"])) or by_hint.get(ids.get("stage-hint", ""))
        rule = None if row is None else _rule(row)
        if row is None or rule is None:
            continue
        kind = ids.get("stage-name", "").partition("_qos")[2]
        marks = kind != "_meter" and "dscp" in row.maps["action"]
        limits = kind != "_mark" and _rate(row) is not None
        if marks or limits:
            found[int(uuid[:HINT_DIGITS], 16)] = Purpose(rule, marks, limits)
    return found


def _place(row: Row, pipeline: str) -> tuple[str, str, str]:
    return pipeline, row.values["priority"], row.values["match"]


def _rule(row: Row) -> Rule | None:
    key = key_of(row.maps["external_ids"])
    if key is None or not key.policy:
        return None
    namespace, _, policy = key.policy.partition("/")
    return Rule(namespace, policy, key.rule, key.network)


def _rate(row: Row) -> int | None:
    """Give the limit of a row in kbps, unless it never bites."""
    rate = int(row.maps["bandwidth"].get("rate", NEVER_BITES))
    return None if rate >= NEVER_BITES else rate
