"""Which rule a cookie of br-int counts for: rows of the Northbound database joined with northd's logical flows.

In: both tables as the databases hold them. Out: for each cookie its rule, and whether its flows mark or limit. Rules:
northd names the row in `external_ids:stage-hint` by the first eight digits of its uuid, and ovn-controller makes the
cookie of the first eight digits of the logical flow's uuid (measured on OVN 23.03 and 25.03). Until 24.09 marks and
limits are logical flows of their own, in stages `…_qos_mark` and `…_qos_meter`; since then both are one, in `…_qos`.

A row without a mark (what comes back from a router is let through by such a row) marks nothing, and a rate that never
bites is no limit.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from nqosd.compiler.desired import NEVER_BITES
from nqosd.northbound.stored import key_of

Columns: TypeAlias = Mapping[str, Mapping[str, str]]
"""The columns of a row that are maps, by name."""
Table: TypeAlias = Mapping[str, Columns]
"""Rows by uuid."""

STAGES = tuple(f"ls_{way}_qos{kind}" for way in ("in", "out") for kind in ("", "_mark", "_meter"))
"""Every stage that northd puts QoS rows into, in all generations of OVN."""

HINT_DIGITS = 8
KILOBIT = 125
"""Bytes."""


@attrs.frozen(order=True)
class Rule:
    """A rule on a network; `index` is that in `spec.egress`."""

    namespace: str
    policy: str
    index: int
    network: str


@attrs.frozen
class Purpose:
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
    found: dict[int, Purpose] = {}
    for uuid, flow in flows.items():
        ids = flow["external_ids"]
        row = by_hint.get(ids.get("stage-hint", ""))
        rule = None if row is None else _rule(row)
        if row is None or rule is None:
            continue
        kind = ids.get("stage-name", "").partition("_qos")[2]
        marks = kind != "_meter" and "dscp" in row["action"]
        limits = kind != "_mark" and _rate(row) is not None
        if marks or limits:
            found[int(uuid[:HINT_DIGITS], 16)] = Purpose(rule, marks, limits)
    return found


def _rule(row: Columns) -> Rule | None:
    key = key_of(row["external_ids"])
    if key is None:
        return None
    namespace, _, policy = key.policy.partition("/")
    return Rule(namespace, policy, key.rule, key.network)


def _rate(row: Columns) -> int | None:
    """Give the limit of a row in kbps, unless it never bites."""
    rate = int(row["bandwidth"].get("rate", NEVER_BITES))
    return None if rate >= NEVER_BITES else rate
