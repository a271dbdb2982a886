"""An explanation as text for people.

In: a `Found`. Out: lines. Rule: what decides stands first; the reasons follow, policy by policy.
"""

from collections.abc import Callable, Iterator

from nqosd.commands.colour import Hue, Painter
from nqosd.commands.explain_found import Found
from nqosd.commands.presence import RowPresence
from nqosd.compiler.desired import NEVER_BITES
from nqosd.explain.question import PodQuestion
from nqosd.explain.verdict import (
    AttachmentVerdict,
    ClassifierEntry,
    Part,
    PolicyReason,
    PolicyVerdict,
    RuleOutcome,
    RuleVerdict,
)


def text(found: Found, paint: Painter, *, everything: bool = False, show: Callable[[str], str] = str) -> Iterator[str]:
    """Write an explanation; `everything`: also each policy of other namespaces; `show` gives a match for the eye."""
    question = found.explanation.question
    transport = "" if question.transport is None else f", {question.transport}"
    port = "" if question.port is None else f" port {question.port}"
    yield paint(f"pod {question.pod} to {question.to}{transport}{port}", Hue.BOLD)
    for verdict in found.explanation.attachments:
        yield ""
        to = f" to {verdict.destination}" if isinstance(question, PodQuestion) and verdict.destination else ""
        yield from _attachment(verdict, found, paint, show, to=to, everything=everything)


def _attachment(
    verdict: AttachmentVerdict, found: Found, paint: Painter, show: Callable[[str], str], *, to: str, everything: bool
) -> Iterator[str]:
    if verdict.network:
        kind = f" ({verdict.topology})" if verdict.topology else ""
        source = "" if verdict.source is None else f", from {verdict.source}"
        yield paint(f"network {verdict.network}{kind}{source}{to}", Hue.BOLD)
    if verdict.obstacle:
        yield f"  {paint('no rule', Hue.RED)}: {verdict.obstacle}"
    else:
        yield f"  switch {verdict.switch}, direction {verdict.direction}"
        yield from _decision(verdict, found, paint, show)
    yield from (f"  note: {note}" for note in verdict.notes)
    yield "  policies:" if verdict.policies else "  there are no policies"
    namespace = found.explanation.question.pod.partition("/")[0]
    elsewhere = 0
    for policy in verdict.policies:
        if policy.reason is PolicyReason.SELECTED or everything or policy.key.startswith(f"{namespace}/"):
            yield from _policy(policy, paint)
        else:
            elsewhere += 1
    if elsewhere:
        yield f"    {elsewhere} in other namespaces: --all lists them"


def _decision(verdict: AttachmentVerdict, found: Found, paint: Painter, show: Callable[[str], str]) -> Iterator[str]:
    if not verdict.matching:
        yield f"  {paint('no rule', Hue.RED)} matches: the packet is neither marked nor limited by a policy"
    for rule in verdict.matching:
        hue = Hue.GREEN if rule.outcome is RuleOutcome.WINS else Hue.DIM
        what = paint(f"{rule.outcome} {rule.policy} rule {rule.index}", hue)
        yield f"  {what}: {_action(rule)}, priority {rule.priority}"
        yield from (f"    {line}" for line in _row(rule, found, paint, show))


def _action(rule: RuleVerdict) -> str:
    limit = rule.limit
    if limit is None:
        return f"DSCP {rule.dscp}, no limit"
    burst = "" if limit.burst is None else f" with burst {limit.burst} kb"
    pods = "this pod alone" if rule.shared_by == 1 else f"{rule.shared_by} pods on this switch together"
    return f"DSCP {rule.dscp}, {limit.rate} kbps{burst} for {pods}"


def _row(rule: RuleVerdict, found: Found, paint: Painter, show: Callable[[str], str]) -> Iterator[str]:
    row = rule.row
    if row is None:
        return
    yield f"row: {show(row.match)}"
    if row.rate == NEVER_BITES and rule.limit is None:
        yield "the row carries a limit that never bites, which keeps off lower rules' limits on OVN before 24.09"
    there = found.rows.get(row.key)
    if there is not None:
        good = there.standing is RowPresence.AS_DESIRED
        name = f" (uuid {there.uuid})" if there.uuid else ""
        detail = f": {there.detail}" if there.detail else ""
        yield f"Northbound: {paint(there.standing, Hue.GREEN if good else Hue.RED)}{name}{detail}"
    flows = found.flows.get(row.key)
    if flows is not None and not flows:
        yield f"Southbound: {paint('no flow', Hue.RED)} of this row"
    for flow in flows or ():
        merged = "" if flow.hinted else " (of an equal row: northd has merged them)"
        yield f"Southbound: {flow.stage}, {flow.pipeline} table {flow.table}, uuid {flow.uuid}{merged}"


def _policy(policy: PolicyVerdict, paint: Painter) -> Iterator[str]:
    selects = policy.reason is PolicyReason.SELECTED
    yield f"    {_mark(paint, good=selects)} {policy.key}: {'selects the pod; ' if selects else ''}{policy.detail}"
    yield from (f"        problem: {problem}" for problem in policy.problems)
    for rule in policy.rules:
        yield f"        rule {rule.index} (DSCP {rule.dscp}, priority {rule.priority}): {rule.outcome}"
        for part in rule.parts:
            yield from (f"          {line}" for line in _part(part, paint))
    yield from (f"        warning: {warning}" for warning in policy.warnings) if selects else ()


def _part(part: Part, paint: Painter) -> Iterator[str]:
    entries = [each for each in part.entries if each.matches][:1] or part.entries
    for entry in entries:
        yield f"{_mark(paint, good=entry.matches)} {_entry(part, entry)}"


def _entry(part: Part, entry: ClassifierEntry) -> str:
    index = entry.field.rpartition("[")[2].rstrip("]")
    return f"{part.name}[{index}] {entry.asks}: {entry.why}"


def _mark(paint: Painter, *, good: bool) -> str:
    return paint("+", Hue.GREEN) if good else paint("-", Hue.RED)
