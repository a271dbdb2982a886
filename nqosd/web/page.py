"""The status page: one HTML document without a script, for a phone as well as for a desk.

In: the state. Out: text. Rule: whatever comes from outside is escaped; the page loads nothing, and its Content Security
Policy lets it run nothing.
"""

import base64
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from urllib.parse import quote

import msgspec

from nqosd.web.views import Overview, PolicyState, RowState, RuleTotals, Statistics

MOST = 200
"""How many policies the page shows, those with trouble first; `nqosd get policies` shows all."""
MOST_ROWS = 20
"""How many rows, or problems, of one policy; its own page shows more."""
LONGEST = 500
"""Characters of a condition's message."""
REFRESH = 10
"""Seconds after which a browser loads the page again."""
THOUSAND = 999.5
"""From here on, three digits are a thousand of a unit."""

STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c5221f; --line: #8885; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: .75rem; max-width: 60rem; }
h1 { font-size: 1.3rem; margin: .2rem 0; } h2 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
.badge { border-radius: .3rem; padding: .05rem .45rem; color: #fff; background: var(--good); white-space: nowrap; }
.bad { background: var(--bad); }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .7rem; margin: .5rem 0; }
form { display: flex; gap: .4rem; } input { flex: 1; min-width: 0; }
input, button { font: inherit; padding: .2rem .5rem; } input::placeholder { color: inherit; opacity: .7; }
article > b { overflow-wrap: anywhere; }
p, ul { margin: .3rem 0; overflow-wrap: anywhere; } ul { padding-left: 1.2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
code { font-size: .85em; overflow-wrap: anywhere; } summary { cursor: pointer; padding: .25rem 0; }
footer { margin: 1.5rem 0 .5rem; font-size: .9rem; }
"""

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""The Content Security Policy: the style above, and nothing else."""

LINKS = """<footer><a href="/metrics">/metrics</a> for Prometheus ·
<a href="/healthz">/healthz</a> 200 while the daemon lives, 503 with reasons if it should be restarted ·
<a href="/readyz">/readyz</a> 200 once it does its work, as the active one or as a standby</footer>
"""


class Asked(msgspec.Struct, frozen=True):
    """Which policies a reader wants to see: those of a namespace, those with a text; empty for all."""

    namespace: str = ""
    text: str = ""

    def has(self, policy: PolicyState) -> bool:
        """Say whether a policy is one of them."""
        words = (policy.namespace, policy.name, policy.reason, policy.message, *policy.networks, *policy.switches)
        is_there = self.text.lower() in "\n".join(words).lower()
        return is_there and self.namespace in ("", policy.namespace)


def page(
    overview: Overview,
    policies: Sequence[PolicyState],
    rows: Iterable[RowState],
    statistics: Statistics | None = None,
    asked: Asked | None = None,
) -> str:
    """Write the page."""
    return "".join(_parts(overview, policies, rows, statistics or Statistics((), {}), asked or Asked()))


def head(title: str, heading: str) -> str:
    """Begin a page."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH}"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{heading}</h1>"
    )


def _parts(
    overview: Overview, policies: Sequence[PolicyState], rows: Iterable[RowState], statistics: Statistics, asked: Asked
) -> Iterator[str]:
    name = "nqosd" if overview.instance == "nqosd" else f"nqosd {overview.instance}"
    is_good = overview.synced and not overview.problems
    yield head(name, f"{escape(name)} {badge(overview.role, good=is_good)}")
    yield from _troubles(overview, statistics)
    yield from _policies(policies, rows, statistics, asked)
    yield from _database(overview)
    yield from _rounds(overview)
    yield from _informers(overview)
    yield LINKS


def _troubles(overview: Overview, statistics: Statistics) -> Iterator[str]:
    troubles = [*overview.problems, *(f"waiting for {part}: {why}" for part, why in overview.waiting_for.items())]
    troubles += [f"no statistics from {url}: {why}" for url, why in statistics.failures.items()]
    troubles += [
        f"{each.policy} rule {each.rule} on {each.network}: {_without_meter(each)}"
        for each in statistics.totals
        if each.nodes_without_meter
    ][:MOST_ROWS]
    if troubles:
        yield f"<h2>Problems</h2><ul id=problems>{''.join(f'<li>{escape(each)}' for each in troubles)}</ul>"


def _database(overview: Overview) -> Iterator[str]:
    lock = "held: this daemon writes" if overview.lock_held else "not held: this daemon writes nothing"
    state = "in step" if overview.synced else "connected, not in step yet" if overview.connected else "not connected"
    facts = [
        ("Northbound database", f"{overview.remote or 'none'} ({state})"),
        ("Lock", f"{overview.lock}, {lock}"),
        ("Zone", overview.zone or "the whole cluster"),
        ("northd", overview.northd_version or "not known"),
        ("nqosd", f"{overview.version}, since {_moment(overview.started)}"),
    ]
    yield f"<h2>Database</h2>{table((), facts)}"


def _policies(
    policies: Sequence[PolicyState], rows: Iterable[RowState], statistics: Statistics, asked: Asked
) -> Iterator[str]:
    ready = sum(each.ready for each in policies)
    yield f"<h2>Policies: {len(policies)}, {len(policies) - ready} with trouble</h2>"
    fields = {"namespace": asked.namespace, "text": asked.text}.items()
    inputs = (
        f'<input name={name} value="{escape(value)}" placeholder={name} aria-label={name}>' for name, value in fields
    )
    yield f"<form>{' '.join(inputs)} <button>Filter</button></form>"
    if asked != Asked():
        policies = [each for each in policies if asked.has(each)]
        yield f'<p>{count(len(policies), "policy", "policies")} of these; <a href="/">all</a></p>'
    yield "<div id=policies>"
    by_policy: dict[str, list[RowState]] = {}
    for row in rows:
        by_policy.setdefault(row.policy, []).append(row)
    totals: dict[str, list[RuleTotals]] = {}
    for each in statistics.totals:
        totals.setdefault(each.policy, []).append(each)
    shown = sorted(policies, key=lambda each: each.ready)[:MOST]
    for policy in shown:
        key = f"{policy.namespace}/{policy.name}"
        yield from _policy(policy, by_policy.get(key, []), totals.get(key, []))
    if len(shown) < len(policies):
        yield f"<p>{len(policies) - len(shown)} more: filter, or <code>nqosd get policies</code>.</p>"
    yield "</div>"


def _policy(policy: PolicyState, rows: Sequence[RowState], totals: Sequence[RuleTotals]) -> Iterator[str]:
    yield f"<article><b>{link(f'{policy.namespace}/{policy.name}')}</b> {badge(policy.reason, good=policy.ready)}"
    if policy.problems:
        yield f"<ul class=problems>{''.join(f'<li>{escape(brief(each))}' for each in policy.problems[:MOST_ROWS])}</ul>"
    else:
        yield f"<p>{escape(brief(policy.message))}</p>"
    if totals:
        yield f"<ul>{''.join(f'<li>{escape(counted(each))}' for each in totals[:MOST_ROWS])}</ul>"
    if rows:
        entries = "".join(f"<li>{escape(row_text(row))}" for row in rows[:MOST_ROWS])
        yield f"<details><summary>{count(len(rows), 'row')}</summary><ul>{entries}</ul>"
        if len(rows) > MOST_ROWS:
            yield f"<p>{len(rows) - MOST_ROWS} more: its own page shows them.</p>"
        yield "</details>"
    yield "</article>"


def row_text(row: RowState) -> str:
    """Write a row but for its match."""
    burst = "" if row.burst is None else f", burst {row.burst} kb"
    limit = "no limit" if row.rate is None else f"{row.rate} kbps{burst}"
    mark = "no mark" if row.dscp is None else f"DSCP {row.dscp}"
    waits = " (waiting for the switch)" if row.waits else ""
    return f"rule {row.rule} on {row.switch}{waits}: {row.direction}, priority {row.priority}, {mark}, {limit}"


def counted(totals: RuleTotals) -> str:
    """Write the counters of a rule; one without a limit has nothing to pass or drop."""
    text = f"rule {totals.rule} on {totals.network}, {count(totals.nodes, 'node')}: "
    text += f"packets marked {_packets(totals.marked_packets, totals.marked_bytes)}"
    if totals.limited or totals.passed_packets or totals.dropped_packets:
        text += f", passed {_packets(totals.passed_packets, totals.passed_bytes)}"
        text += f", dropped {_packets(totals.dropped_packets, totals.dropped_bytes)}"
    return text if not totals.nodes_without_meter else f"{text}; {_without_meter(totals)}"


def _without_meter(totals: RuleTotals) -> str:
    return f"its limit is not enforced on {count(totals.nodes_without_meter, 'node')}, where br-int has no meter for it"


def _packets(packets: int, size: float) -> str:
    """Write packets and bytes, between spaces that don't break."""
    units = iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= THOUSAND and unit != "TB":
        size, unit = size / 1000, next(units)
    return f"{packets:,}\u00a0({size:.3g}\u00a0{unit})"


def _rounds(overview: Overview) -> Iterator[str]:
    yield "<h2>Rounds</h2>"
    last = overview.last_round
    if last is not None:
        yield f"<p>The last one {escape(last.outcome)} at {_moment(last.ended)}, in {last.seconds * 1000:.1f} ms.</p>"
    counts = {f"rounds {name}": number for name, number in overview.rounds.items()}
    counts |= {f"transactions {name}": number for name, number in overview.transactions.items()}
    counts["rows and sets repaired"] = overview.repaired
    yield table((), [(name, str(number)) for name, number in counts.items() if number])


def _informers(overview: Overview) -> Iterator[str]:
    lines = [
        (each.kind, str(each.objects), "all known" if each.synced else "not listed yet") for each in overview.informers
    ]
    yield f"<h2>Informers</h2><div class=wide>{table(('kind', 'objects', ''), lines)}</div>"


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a table of texts."""
    first = f"<tr>{''.join(f'<th>{escape(each)}' for each in header)}" if header else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}' for cell in line)}" for line in lines)
    return f"<table>{first}{body}</table>"


def badge(text: str, *, good: bool) -> str:
    """Show a word in the colour of what it means."""
    return f'<span class="badge{"" if good else " bad"}">{escape(text)}</span>'


def count(number: int, noun: str, nouns: str = "") -> str:
    """Write a number of things."""
    return f"{number} {noun if number == 1 else nouns or f'{noun}s'}"


def link(policy: str) -> str:
    """Lead to the page of a policy."""
    return f'<a href="/policy/{quote(policy)}">{escape(policy)}</a>'


def brief(text: str, longest: int = LONGEST) -> str:
    """Cut a text to what a page bears."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
