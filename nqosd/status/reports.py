"""What all zones have reported, and what follows from it for one policy.

In: the zones' reports as they come. Out: which of the zones with senders of a policy fail, are silent, or have yet to
look at it. No I/O. Rule: a report's age is measured by this process's own clock, from when it was seen to change.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.status.digests import digest_of
from nqosd.status.zone_findings import ZoneFindings
from nqosd.status.zone_report import ZoneFinding, ZoneReport

RENEWAL = 20.0
"""Seconds after which a zone renews its report."""
OLD = 60.0
"""Seconds after which a zone that hasn't is silent."""


LATE = RENEWAL + 5.0
"""Seconds after which a zone should have renewed its report, that takes its time."""


class Renewal(msgspec.Struct, frozen=True):
    """A report, and when its zone says that it was renewed (RFC 3339)."""

    report: ZoneReport
    renewed: str

    def age(self, now: float) -> float:
        """Give the seconds since then, by its zone's own word on the time; `now` in seconds since the epoch."""
        try:
            return now - dt.datetime.fromisoformat(self.renewed).timestamp()
        except ValueError:  # whoever wrote this, no daemon has renewed it
            return math.inf

    def is_old(self, now: float) -> bool:
        """Say whether its zone is silent, by that."""
        return self.age(now) > OLD


class Standing(msgspec.Struct, frozen=True):
    """The zones, of those asked, that aren't well; every other one has applied the policy. All by name."""

    failing: Mapping[str, ZoneFinding]
    silent: Mapping[str, str]
    """With the time of the last report."""
    behind: AbstractSet[str]
    """Haven't reported, or not up to the version that was asked for."""
    warnings: tuple[str, ...] = ()
    doubted: AbstractSet[str] = frozenset()
    """Were late when this daemon began to sum up, and haven't been heard of since."""


WELL = Standing({}, {}, frozenset())


class ZonesView(msgspec.Struct, frozen=True):
    """All reports at one moment, laid out by what is asked of them."""

    reports: Mapping[str, ZoneReport]
    silent: Mapping[str, str]
    missing: AbstractSet[str]
    findings: ZoneFindings
    pending: AbstractSet[str]
    """Zones that have something to write yet, for some namespace."""
    lowest: int
    """The lowest version that a zone has reported."""
    doubted: AbstractSet[str] = frozenset()
    """Zones of which it isn't known whether another daemon has called them silent already."""

    def has_other_zones(self, before: "ZonesView") -> bool:
        """Say whether other zones are silent or missing than before, so that any policy may stand otherwise."""
        return (self.silent, self.missing) != (before.silent, before.missing)

    def standing(self, key: str, needed: int, sources: AbstractSet[str]) -> Standing:
        """Say how a policy stands in these zones, whose current generation came with the resource version `needed`.

        Another zone counts, too, that doesn't apply it whether it has senders or not.
        """
        namespace = key.partition("/")[0]
        silent = {zone: self.silent[zone] for zone in sorted(self.silent.keys() & sources)}
        late = self.reports.keys() if needed > self.lowest else self.pending
        behind = {
            zone for zone in late & sources if self.reports[zone].reaches(namespace) < needed and zone not in silent
        } | (sources - self.reports.keys())
        found = self.findings.of(key)
        heard = [zone for zone in found.keys() & sources if zone not in silent and zone not in behind]
        heard += (
            zone
            for zone in found.keys() - sources
            if found[zone].counts_anyhow and self._looked(zone, namespace, needed)
        )
        heard.sort()
        failing = {zone: found[zone] for zone in heard if found[zone].fails}
        if crowded := self.findings.digests_of(namespace):
            digest = digest_of(key)
            unsaid = ZoneFinding(
                "Blocked", f"too many policies of namespace {namespace} fail there to say why each does"
            )
            for zone in sorted(crowded.keys() & sources - behind - silent.keys() - found.keys()):
                if not (others := crowded[zone]) or digest in others:
                    failing[zone] = unsaid
        warnings = dict.fromkeys(found[zone].message for zone in heard if not found[zone].fails)
        return Standing(failing, silent, behind, tuple(warnings), self.doubted & sources - behind - failing.keys())

    def _looked(self, zone: str, namespace: str, needed: int) -> bool:
        """Say whether a zone has reported of late, and up to a version."""
        report = self.reports.get(zone)
        return report is not None and zone not in self.silent and report.reaches(namespace) >= needed


class _Known(msgspec.Struct):
    renewal: Renewal
    seen: float
    is_doubted: bool = False


class Reports:
    """The newest report of each zone."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._findings = ZoneFindings()
        self._taken: list[tuple[str, ZoneReport | None, ZoneReport | None]] = []
        """By zone, the reports that are still to be laid out in place of those before."""

    def listed(
        self,
        renewals: Iterable[Renewal],
        now: float,
        *,
        own: str = "",
        unheard: float = 0.0,
        wall: float | None = None,
        heard: Callable[[float], float] = lambda age: age,
        newest: int = 0,
    ) -> None:
        """Take all reports that there are, but for this daemon's `own`, of which `renewed` knows more.

        For so many seconds before that nobody listened, which ages none. One that is first seen is as old as its own
        word says at the time `wall`, but for outages of which `heard` knows, and less the time between two renewals, by
        which clocks may differ; where that is too old, its zone is silent until it changes. It is in doubt where it is
        late by its own word: who summed up before may have seen that it is older, by another clock, or without outages.
        One that isn't there any more, since somebody has removed it, counts until it is old, as its zone may be about
        to write it again, unless it is ahead of the `newest` version of policies.
        """
        new = {each.report.zone: each for each in renewals if each.report.zone != own}
        for zone in self._known.keys() - new.keys() - {own}:
            known = self._known[zone]
            if now - known.seen >= OLD or 0 < newest < known.renewal.report.version:
                self._take(zone, None)
        for zone, renewal in new.items():
            before = self._known.get(zone)
            if before is not None and before.renewal == renewal:
                before.seen += unheard
                continue
            said = renewal.age(wall) if before is None and wall is not None else 0.0
            age = heard(said)
            seen = now - (OLD if age > OLD else max(0.0, age - RENEWAL))
            self._take(zone, _Known(renewal, seen, is_doubted=said > LATE))

    def renewed(self, renewal: Renewal, now: float) -> None:
        """Take one zone's report, this daemon's own."""
        self._take(renewal.report.zone, _Known(renewal, now))

    def _take(self, zone: str, known: _Known | None) -> None:
        before = self._known.pop(zone, None)
        old, new = (each.renewal.report if each is not None else None for each in (before, known))
        self._taken.append((zone, old, new))
        if known is not None:
            self._known[zone] = known

    def silent(self, now: float) -> dict[str, str]:
        """Give the zones that haven't renewed their report for long, with the time of the last."""
        return {zone: each.renewal.renewed for zone, each in self._known.items() if now - each.seen >= OLD}

    def lay_out(self) -> Iterator[None]:
        """Lay out one report after the other: at first there may be a thousand, each with hundreds of findings."""
        taken, self._taken = self._taken, []
        for each in taken:
            self._findings.replace(*each)
            yield

    def view(self, zones: AbstractSet[str], now: float) -> ZonesView:
        """Give what the zones say that there are."""
        for _ in self.lay_out():
            pass
        reports = {zone: each.renewal.report for zone, each in self._known.items() if zone in zones}
        silent = {zone: when for zone, when in self.silent(now).items() if zone in zones}
        return ZonesView(
            reports,
            silent,
            zones - reports.keys(),
            self._findings,
            frozenset(zone for zone, report in reports.items() if report.pending),
            min((report.version for report in reports.values()), default=0),
            frozenset(zone for zone in reports if self._known[zone].is_doubted and zone not in silent),
        )
