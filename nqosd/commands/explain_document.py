"""An explanation as plain data, for `--format json`.

In: a `Found`. Out: what JSON takes, in a fixed order. Rates are in kbps, bursts in kilobits. Rule: everything that the
text says is here too.
"""

from typing import TypeAlias

from nqosd.commands.explain_found import Found
from nqosd.explain.verdict import AttachmentVerdict, Part, PolicyVerdict, RuleVerdict

Plain: TypeAlias = dict[str, object]


def document(found: Found) -> Plain:
    """Write an explanation as plain data."""
    question = found.explanation.question
    return {
        "packet": {
            "pod": question.pod,
            "node": found.explanation.node,
            "to": str(question.destination),
            "protocol": question.transport.value,
            "port": question.port,
        },
        "attachments": [_attachment(each, found) for each in found.explanation.attachments],
    }


def _attachment(verdict: AttachmentVerdict, found: Found) -> Plain:
    winner = verdict.winner
    return {
        "attachment": verdict.attachment,
        "network": verdict.network,
        "topology": verdict.topology,
        "switch": verdict.switch,
        "direction": None if verdict.direction is None else verdict.direction.value,
        "from": verdict.source,
        "obstacle": verdict.obstacle,
        "notes": list(verdict.notes),
        "winner": None if winner is None else _rule(winner, found),
        "matching": [{"policy": each.policy, "rule": each.index, "outcome": each.outcome} for each in verdict.matching],
        "policies": [_policy(each, found) for each in verdict.policies],
    }


def _policy(verdict: PolicyVerdict, found: Found) -> Plain:
    return {
        "policy": verdict.key,
        "reason": verdict.reason.value,
        "detail": verdict.detail,
        "problems": list(verdict.problems),
        "warnings": list(verdict.warnings),
        "rules": [_rule(each, found) for each in verdict.rules],
    }


def _rule(verdict: RuleVerdict, found: Found) -> Plain:
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


def _part(part: Part) -> Plain:
    entries = [
        {"field": each.field, "asks": each.asks, "matches": each.matches, "why": each.why} for each in part.entries
    ]
    return {"matches": part.matches, "entries": entries}


def _northbound(verdict: RuleVerdict, found: Found) -> Plain | None:
    there = None if verdict.row is None else found.rows.get(verdict.row.key)
    if there is None:
        return None
    return {"state": there.standing.value, "uuid": there.uuid, "detail": there.detail}


def _southbound(verdict: RuleVerdict, found: Found) -> list[Plain] | None:
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
