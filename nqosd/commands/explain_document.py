"""An explanation as plain data, for `--format json`.

In: a `Found`. Out: what JSON takes, in a fixed order. Rates are in kbps, bursts in kilobits. Rule: everything that the
text says is here too.
"""

from typing import TypedDict

from nqosd.commands.explain_found import Found
from nqosd.explain.verdict import AttachmentVerdict, Part, PolicyVerdict, RuleVerdict


class PacketEntry(TypedDict):
    """What was asked about; `node` is where the pod is; `protocol` and `port` None: not named."""

    pod: str
    node: str
    to: str
    protocol: str | None
    port: int | None


class FlowEntry(TypedDict):
    """A logical flow; `stage_hint`: it names the row, rather than an equal one."""

    uuid: str
    pipeline: str
    table: int
    stage: str
    priority: int
    stage_hint: bool


class NorthboundEntry(TypedDict):
    """What the Northbound database holds of a row."""

    state: str
    uuid: str
    detail: str


class RowEntry(TypedDict):
    """The row of a rule; `northbound` and `southbound` are None where nobody looked."""

    switch: str
    part: str
    direction: str
    priority: int
    match: str
    action: dict[str, int]
    bandwidth: dict[str, int]
    northbound: NorthboundEntry | None
    southbound: list[FlowEntry] | None


class ConditionEntry(TypedDict):
    """An entry of `to`, `from` or `ports`."""

    field: str
    asks: str
    matches: bool
    why: str


class PartEntry(TypedDict):
    """`to`, `from` or `ports`."""

    matches: bool
    entries: list[ConditionEntry]


class RuleEntry(TypedDict):
    """A rule; `rate` in kbps, `burst` in kilobits, `shared_by`: how many pods share its limit, None without one."""

    policy: str
    rule: int
    outcome: str
    priority: int
    dscp: int
    rate: int | None
    burst: int | None
    shared_by: int | None
    parts: dict[str, PartEntry]
    row: RowEntry | None


class ExplainedPolicy(TypedDict):
    """A policy, and why it does or doesn't select the pod."""

    policy: str
    reason: str
    detail: str
    problems: list[str]
    warnings: list[str]
    rules: list[RuleEntry]


class MatchingEntry(TypedDict):
    """A rule that matches, and whether it wins."""

    policy: str
    rule: int
    outcome: str


AttachmentEntry = TypedDict(
    "AttachmentEntry",
    {
        "attachment": str,
        "network": str,
        "topology": str,
        "switch": str,
        "direction": str | None,
        "from": str | None,
        "to": str | None,
        "obstacle": str,
        "notes": list[str],
        "winner": RuleEntry | None,
        "matching": list[MatchingEntry],
        "policies": list[ExplainedPolicy],
    },
)
"""What becomes of the packet on one network; `obstacle` says why no rule can apply there."""


class ExplainDocument(TypedDict):
    """What `nqosd explain` prints."""

    packet: PacketEntry
    attachments: list[AttachmentEntry]


def document(found: Found) -> ExplainDocument:
    """Write an explanation as plain data."""
    question = found.explanation.question
    return {
        "packet": {
            "pod": question.pod,
            "node": found.explanation.node,
            "to": question.to,
            "protocol": None if question.transport is None else question.transport.value,
            "port": question.port,
        },
        "attachments": [_attachment(each, found) for each in found.explanation.attachments],
    }


def _attachment(verdict: AttachmentVerdict, found: Found) -> AttachmentEntry:
    winner = verdict.winner
    return {
        "attachment": verdict.attachment,
        "network": verdict.network,
        "topology": verdict.topology,
        "switch": verdict.switch,
        "direction": None if verdict.direction is None else verdict.direction.value,
        "from": verdict.source,
        "to": verdict.destination,
        "obstacle": verdict.obstacle,
        "notes": list(verdict.notes),
        "winner": None if winner is None else _rule(winner, found),
        "matching": [{"policy": each.policy, "rule": each.index, "outcome": each.outcome} for each in verdict.matching],
        "policies": [_policy(each, found) for each in verdict.policies],
    }


def _policy(verdict: PolicyVerdict, found: Found) -> ExplainedPolicy:
    return {
        "policy": verdict.key,
        "reason": verdict.reason.value,
        "detail": verdict.detail,
        "problems": list(verdict.problems),
        "warnings": list(verdict.warnings),
        "rules": [_rule(each, found) for each in verdict.rules],
    }


def _rule(verdict: RuleVerdict, found: Found) -> RuleEntry:
    limit, row = verdict.limit, verdict.row
    return {
        "policy": verdict.policy,
        "rule": verdict.index,
        "outcome": verdict.outcome.value,
        "priority": verdict.priority,
        "dscp": verdict.dscp,
        "rate": None if limit is None else limit.rate,
        "burst": None if limit is None else limit.burst,
        "shared_by": None if limit is None else verdict.shared_by,
        "parts": {part.name: _part(part) for part in verdict.parts},
        "row": None
        if row is None
        else {
            "switch": row.key.switch,
            "part": row.key.part,
            "direction": row.direction.value,
            "priority": row.priority,
            "match": row.match,
            "action": dict(row.action),
            "bandwidth": dict(row.bandwidth),
            "northbound": _northbound(verdict, found),
            "southbound": _southbound(verdict, found),
        },
    }


def _part(part: Part) -> PartEntry:
    entries: list[ConditionEntry] = [
        {"field": each.field, "asks": each.asks, "matches": each.matches, "why": each.why} for each in part.entries
    ]
    return {"matches": part.matches, "entries": entries}


def _northbound(verdict: RuleVerdict, found: Found) -> NorthboundEntry | None:
    there = None if verdict.row is None else found.rows.get(verdict.row.key)
    if there is None:
        return None
    return {"state": there.standing.value, "uuid": there.uuid, "detail": there.detail}


def _southbound(verdict: RuleVerdict, found: Found) -> list[FlowEntry] | None:
    flows = None if verdict.row is None else found.flows.get(verdict.row.key)
    if flows is None:
        return None
    return [
        {
            "uuid": flow.uuid,
            "pipeline": flow.pipeline,
            "table": flow.table,
            "stage": flow.stage,
            "priority": flow.priority,
            "stage_hint": flow.hinted,
        }
        for flow in flows
    ]
