"""Sums up what the zones say of one policy: the condition `Ready`, those of zones that aren't well, and the counts.

In: a policy, its condition in this zone, and how it stands in the zones with senders. Out: what its status should say,
without the times of transitions. Pure. Rule: True only if every zone with senders has applied this very generation; the
size is bounded whatever the number of zones.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from sys import intern

import msgspec
from msgspec.structs import replace

from nqosd.api.networkqos import Condition
from nqosd.status.conditions import FALSE, READY, TRUE, UNKNOWN, WARNING, ConditionReason, condition_type
from nqosd.status.reports import WELL, Standing, ZonesView
from nqosd.status.zone_report import ZoneFinding, clipped
from nqosd.status.zone_state import Entry, Progress

APPLIED = "NetworkQoS Destinations applied"
"""The summary when all is well, as users of ovn-kubernetes know it."""
SEE_THERE = "See nqosd get policy there."
"""Where a report has no room for the message."""
MAX_SUMMARY_DETAIL = 300
"""The longest part of a message, in characters, that the summary repeats: it is a column of kubectl."""
MAX_READY = 4096
"""Bytes of the message of `Ready`."""
MAX_ZONES = 10
"""How many zones have a condition of their own."""
MAX_WARNINGS = 3
"""How many different warnings of other zones are shown."""


class ZoneCounts(msgspec.Struct, frozen=True):
    """Zones with senders, and how many of them have applied the policy or can't; the others haven't said so yet."""

    with_senders: int = 0
    ready: int = 0
    failing: int = 0


class StatusVerdict(msgspec.Struct, frozen=True):
    """What the status of a policy should say; `conditions` begins with `Ready`.

    `kept` are the types of conditions that an earlier version has written for zones that don't report yet; as many of
    them stay as there is room for.
    """

    summary: str
    conditions: tuple[Condition, ...]
    counts: ZoneCounts
    kept: AbstractSet[str] = frozenset()
    is_doubted: bool = False
    """Whether a zone with senders is late, of which another daemon may have known that it is silent."""

    @property
    def ready(self) -> Condition:
        """The condition over all zones."""
        return self.conditions[0]

    @property
    def zones(self) -> tuple[Condition, ...]:
        """The conditions of zones that aren't well."""
        return self.conditions[1:]


def standing_of(entry: Entry, progress: Progress, view: ZonesView) -> Standing:
    """Say how a policy stands in the zones with senders, or in all where these aren't known."""
    if entry.standing.fails_everywhere:
        return WELL
    asked = _asked(entry, progress)
    return view.standing(entry.standing.policy.key, entry.needed, asked or {progress.zone})


def verdict_on(
    entry: Entry, progress: Progress, standing: Standing, kept: AbstractSet[str] = frozenset()
) -> StatusVerdict:
    """Say what the status of a policy should be, by how it stands."""
    return sum_up(
        entry.standing.mine,
        progress.zone,
        _asked(entry, progress) | standing.failing.keys(),
        standing,
        kept,
        knows_senders=entry.standing.sources is not None,
        is_alone=progress.is_alone,
        fails_everywhere=entry.standing.fails_everywhere,
    )


def _asked(entry: Entry, progress: Progress) -> AbstractSet[str]:
    return progress.zones if entry.standing.sources is None else entry.standing.sources


def sum_up(
    mine: Condition,
    own: str,
    sources: AbstractSet[str],
    standing: Standing,
    kept: AbstractSet[str] = frozenset(),
    *,
    knows_senders: bool = True,
    is_alone: bool = False,
    fails_everywhere: bool = False,
) -> StatusVerdict:
    """Sum up; `mine` is the condition in this daemon's `own` zone, `sources` the zones with senders.

    Who doesn't know which zones have senders gives all that there are. Where there is one zone only, its own words say
    more; else nothing that is well depends on which zone's daemon sums up. That a policy fails which
    `fails_everywhere`, or has no sender anywhere, takes nobody's report: each zone knows it.
    """
    generation = mine.observed_generation
    if fails_everywhere:
        summary = f"Not applied: {_cut(mine.message)}"
        return StatusVerdict(summary, (_ready(mine, mine.message),), ZoneCounts(len(sources)), kept)
    is_asked = own in standing.failing or (not sources and own not in standing.behind)
    if is_asked and mine.status != TRUE:  # also since of many that fail a report doesn't say why
        standing = replace(standing, failing={**standing.failing, own: ZoneFinding(mine.reason, mine.message)})
    unwell = len(standing.failing) + len(standing.silent) + len(standing.behind) + len(standing.doubted)
    counts = ZoneCounts(len(sources), max(0, len(sources) - unwell), len(standing.failing))
    zones = tuple(islice(_unwell(standing, generation), MAX_ZONES))
    well = _applied(mine, sources, knows_senders=knows_senders, is_alone=is_alone)
    summary, ready = _outcome(well, standing, counts)
    text, _warned, told = ready.message.partition(WARNING)
    if counts.with_senders > 1 and counts.ready < counts.with_senders:
        text = f"{text} ({counts.ready} of {counts.with_senders} zones are ready)"
    if warnings := _warnings(told, mine.message.partition(WARNING)[2], standing.warnings):
        text = f"{text}{WARNING}{warnings}"
    ready = _ready(ready, text)
    return StatusVerdict(summary, (ready, *zones), counts, kept, bool(standing.doubted))


def _unwell(standing: Standing, generation: int) -> Iterator[Condition]:
    """Give a condition for each zone that fails, is silent, or has not looked at this generation, in this order."""

    def condition(zone: str, status: str, reason: str, text: str) -> Condition:
        return Condition(condition_type(zone), status, reason, clipped(text), generation)

    for zone, each in standing.failing.items():
        yield condition(zone, FALSE, each.reason, each.message or SEE_THERE)
    for zone, when in standing.silent.items():
        yield condition(zone, UNKNOWN, ConditionReason.ZONE_SILENT, _silence(when))
    behind = f"It has not reported yet that it has looked at generation {generation}."
    for zone in sorted(standing.behind):
        yield condition(zone, UNKNOWN, ConditionReason.WAITING_FOR_ZONE, behind)


def _outcome(well: Condition, standing: Standing, counts: ZoneCounts) -> tuple[str, Condition]:
    """Give the summary and the condition `Ready`, which is `well` where nothing is wrong."""
    if standing.failing:
        zone, finding = next(iter(standing.failing.items()))
        why = finding.message or SEE_THERE
        where = f"Not applied in zone {zone}{_more(counts.failing, 'and in')}: "
        failed = Condition(READY, FALSE, finding.reason, clipped(where + why, MAX_READY), well.observed_generation)
        return where + _cut(why), failed
    if standing.silent:
        zone, when = next(iter(standing.silent.items()))
        text = f"No report from zone {zone}{_more(len(standing.silent), 'and from')} since {when}"
        return text, Condition(READY, UNKNOWN, ConditionReason.ZONE_SILENT, text, well.observed_generation)
    if standing.behind:
        others = len(standing.behind) - 1
        text = f"Waiting for zone {min(standing.behind)}" + (f" and {_count(others, 'other zone')}" if others else "")
        return text, Condition(READY, UNKNOWN, ConditionReason.WAITING_FOR_ZONE, text, well.observed_generation)
    return APPLIED, well


def _applied(mine: Condition, sources: AbstractSet[str], *, knows_senders: bool, is_alone: bool) -> Condition:
    zones = _count(len(sources), "zone")
    text = f"Applied in {zones} with senders." if knows_senders else f"Applied in all {zones}."
    reason = ConditionReason.APPLIED if sources else ConditionReason.NO_SOURCE_PODS
    if is_alone and mine.status == TRUE:
        text, reason = mine.message.partition(WARNING)[0], ConditionReason(mine.reason)
    if reason is ConditionReason.NO_SOURCE_PODS:
        text = "The policy is valid; it selects no pod."
    return replace(mine, type=READY, status=TRUE, reason=reason.value, message=text)


def _warnings(told: str, here: str, elsewhere: Sequence[str]) -> str:
    """Put together what is said already, and what zones that have applied it warn of, also while others haven't."""
    warnings = told
    found = [each for each in dict.fromkeys(elsewhere) if each not in here]
    for each in (here, *found[:MAX_WARNINGS]):
        if each not in warnings:
            warnings = f"{warnings} {each}" if warnings else each
    return warnings


def _ready(condition: Condition, message: str) -> Condition:
    return replace(condition, type=READY, message=intern(clipped(message, MAX_READY)))


def _silence(when: str) -> str:
    return f"It has reported nothing since {when}; what stands in its database is not known."


def _more(number: int, words: str) -> str:
    return f" ({words} {_count(number - 1, 'other zone')})" if number > 1 else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SUMMARY_DETAIL else text[: MAX_SUMMARY_DETAIL - 1] + "…"
