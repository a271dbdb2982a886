"""The page of one policy: its rules, its rows, its sets with their members, its counters, and what it loses to.

In: all about a policy. Out: one HTML document. Rule: as for the status page; whatever the policy selects, the page
stays small: of long lists it shows a part, and says where the rest is.
"""

from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

import msgspec

from nqosd.explain.prefix_lists import folded
from nqosd.web.page import badge, brief, count, counted, head, row_text, table
from nqosd.web.views import PolicyDetail, RowState, RuleState, SelectionState

MOST = 200
"""Rules, rows, sets and others that are shown."""
PAGE = 100
"""Members of a set on one page."""
LONGEST = 2_000
"""Characters of a match, or of what a rule is for."""
FOLDED = 10 * LONGEST
"""Characters of a match up to which its prefixes are put together: it takes time, and the rest wouldn't be shown."""


class MembersPage(msgspec.Struct, frozen=True):
    """Which members a reader turned to: those of a set from a number on; of other sets the first ones are shown."""

    name: str = ""
    first: int = 0


def policy_page(detail: PolicyDetail, members: MembersPage) -> str:
    """Write the page."""
    return "".join(_parts(detail, members))


def _parts(detail: PolicyDetail, members: MembersPage) -> Iterator[str]:
    policy = detail.policy
    key = f"{policy.namespace}/{policy.name}"
    yield head(key, f"NetworkQoS {escape(key)} {badge(policy.reason, good=policy.ready)}")
    yield f'<p>{escape(brief(policy.message, LONGEST))}</p><p><a href="/">all policies</a></p>'
    said = [*policy.problems, *(f"warning: {each}" for each in policy.warnings if each not in policy.message)]
    said = said[:MOST]
    if said:
        yield f"<ul class=problems>{''.join(f'<li>{escape(brief(each))}' for each in said)}</ul>"
    yield from _section("Rules", [_rule(each) for each in detail.rules], ("rule", "DSCP", "limit", "packets"))
    yield from _section("Counters", [(counted(each),) for each in detail.statistics])
    rivals = [
        (each.policy, str(each.rule), each.switch, f"{each.priority} over {each.below}", str(each.senders))
        for each in detail.rivals
    ]
    yield from _section("Loses to", rivals, ("policy", "rule", "switch", "priority", "senders of both"))
    if detail.more_rivals:
        yield "<p>These were found first; there are more. <code>nqosd explain</code> has all for a packet.</p>"
    yield from _rows(detail.rows)
    if detail.selections:
        yield f"<h2>Sets: {len(detail.selections)}</h2>"
    for selection in detail.selections[:MOST]:
        yield from _set(selection, members.first if selection.name == members.name else 0)
    yield _more(len(detail.selections))


def _section(title: str, lines: Sequence[Sequence[str]], header: Sequence[str] = ()) -> Iterator[str]:
    if lines:
        yield f"<h2>{title}: {len(lines)}</h2><div class=wide>{table(header, lines[:MOST])}</div>{_more(len(lines))}"


def _rows(rows: Sequence[RowState]) -> Iterator[str]:
    """Give each row above its match, which is too long for a column of a table."""
    if rows:
        shown = "".join(f"<li>{escape(row_text(each))}<br>{_match(each.match)}" for each in rows[:MOST])
        yield f"<h2>Rows: {len(rows)}</h2><ul>{shown}</ul>{_more(len(rows))}"


def _match(match: str) -> str:
    """Show lists of prefixes as a block and its exceptions, and the match as OVN has it to whoever asks for it."""
    short = folded(match) if len(match) <= FOLDED else match
    text = f"<code>{escape(brief(short, LONGEST))}</code>"
    if short == match:
        return text
    return f"{text}<details><summary>as OVN has it</summary><code>{escape(brief(match, LONGEST))}</code></details>"


def _more(number: int) -> str:
    return f"<p>{number - MOST} more: <code>nqosd get policy</code> shows them.</p>" if number > MOST else ""


def _rule(rule: RuleState) -> tuple[str, ...]:
    burst = "" if rule.burst is None else f", burst {rule.burst} kb"
    limit = "none" if rule.rate is None else f"{rule.rate} kbps{burst}"
    return str(rule.rule), str(rule.dscp), limit, brief(rule.packets, LONGEST) or "all"


def _set(selection: SelectionState, first: int) -> Iterator[str]:
    sign = "$" if selection.kind == "address set" else "@"
    yield f'<article id="{escape(selection.name)}"><b>{sign}{escape(selection.name)}</b> '
    yield f"{count(len(selection.members), 'member')}<p>{escape(brief(selection.selection, LONGEST))}</p>"
    yield f"<p><code>{escape(' '.join(selection.members[first : first + PAGE]))}</code></p>"
    turns = {"before": first - PAGE, "after": first + PAGE}
    links = [
        f'<a href="?set={quote(selection.name)}&amp;from={max(0, turn)}#{quote(selection.name)}">{name}</a>'
        for name, turn in turns.items()
        if -PAGE < turn < len(selection.members) and turn != first
    ]
    shown = f"{first + 1} to {min(first + PAGE, len(selection.members))}" if links else ""
    yield f"<p>{shown} {' '.join(links)}</p></article>"
