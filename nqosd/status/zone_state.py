"""How all policies stand in this daemon's own zone, as of the last committed round.

In: each policy's condition and the zones in which it has senders, and how far a round came. Out: the zone's report, and
what is asked of the other zones. No I/O. Rule: a report reaches no further than what has been committed.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.informers.resource_versions import as_number
from nqosd.status.conditions import ConditionReason
from nqosd.status.zone_report import NamespaceFindings, ZoneFinding, ZoneReport, finding_of, together


class Progress(msgspec.Struct, frozen=True):
    """How far a round came: everything up to a resource version, but for the `pending` namespaces.

    `zones` are all that there are; of the policies in `left_out` only this daemon can't make anything.
    """

    zone: str
    version: int
    zones: frozenset[str]
    pending: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def is_alone(self) -> bool:
        """Say whether there is no other zone."""
        return self.zones <= {self.zone}


class PolicyStanding(msgspec.Struct, frozen=True):
    """How a policy stands in this zone, and the zones in which it has senders; None: any may have some.

    `fails_everywhere` is for one that isn't applied by what the policies alone say: every zone comes to the same.
    """

    policy: NetworkQoS
    mine: Condition
    sources: frozenset[str] | None
    fails_everywhere: bool = False

    def finding(self, zone: str, *, is_ours: bool) -> ZoneFinding | None:
        """Give what this `zone` has to report, if anything: nobody asks one without senders of an applied policy.

        Where one isn't applied isn't known which zones have senders. What is invalid by itself no zone needs to say,
        unless `is_ours`: the compiler fails on it here, and perhaps nowhere else.
        """
        reason, finding = self.mine.reason, finding_of(self.mine)
        if finding is None or is_ours:
            return finding
        if reason in (ConditionReason.TOO_LARGE, ConditionReason.TOO_MANY_TIES):
            return replace(finding, is_everywhere=self.fails_everywhere)
        is_asked = self.sources is None or zone in self.sources
        return finding if is_asked and reason != ConditionReason.INVALID else None


class Entry(msgspec.Struct, frozen=True):
    """What is known of one policy.

    `needed` is the resource version with which its generation came; at most, if that `is_bound`: it was there when the
    daemon started. `since` is when this daemon first knew of it, in monotonic seconds.
    """

    standing: PolicyStanding
    needed: int
    since: float
    is_bound: bool


class ZoneState:
    """One for each daemon."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.progress: Progress | None = None
        self.report: ZoneReport | None = None
        """None until a round has been committed while this daemon held the lock."""
        self.changed: set[str] = set()
        """Policies that stand otherwise than when they were last summed up."""
        self.is_urgent = False
        """Whether the report says more than its last renewal that others wait for."""
        self.is_reported = False
        """Whether others can read a report of this state."""
        self._findings: dict[str, dict[str, ZoneFinding]] = {}
        """What there is to report of policies, by namespace and key."""
        self._listed: dict[str, NamespaceFindings] = {}
        """What of that a report lists, by namespace, where it is the same as in the last one."""
        self._findings_due = False
        self._awaited: dict[str, int] = {}
        """By namespace, up to which version others wait for this zone, as policies came with it."""

    def committed(
        self, progress: Progress, standings: Iterable[PolicyStanding], gone: Iterable[str], now: float
    ) -> None:
        """Take how far a round came, the policies that stand otherwise now, and those that are gone."""
        if self.progress is not None and progress.version < self.progress.version:  # the cluster's store was restored
            self._awaited.clear()
        for key in gone:
            self.entries.pop(key, None)
            self.changed.discard(key)
            self._note(key, None)
        for standing in standings:
            key = standing.policy.key
            is_ours = key in progress.left_out
            self._take(replace(standing, fails_everywhere=False) if is_ours else standing, now)
            self._note(key, standing.finding(progress.zone, is_ours=is_ours))
        before = self.report
        if progress.zone != (self.progress.zone if self.progress else progress.zone):
            before = None
        if self._findings_due or before is None:
            for namespace in self._findings.keys() - self._listed.keys():
                self._listed[namespace] = NamespaceFindings.of(self._findings[namespace])
            findings, overflow = together(self._listed)
            self._findings_due = False
        else:
            findings, overflow = dict(before.findings), dict(before.overflow)
        pending = {
            each: min(before.reaches(each), progress.version) if before else 0 for each in sorted(progress.pending)
        }
        report = ZoneReport(progress.zone, progress.version, pending, findings, overflow)
        reached = [name for name, version in self._awaited.items() if report.reaches(name) >= version]
        for namespace in reached:
            del self._awaited[namespace]
        if before is None or reached or (before.findings, before.overflow) != (findings, overflow):
            self.is_urgent = True
        self.progress, self.report = progress, report

    def _take(self, standing: PolicyStanding, now: float) -> None:
        policy = standing.policy
        version = as_number(policy.resource_version)
        old = self.entries.get(policy.key)
        known = old.standing.policy if old is not None else None
        if old is not None and known is not None and (known.uid, known.generation) == (policy.uid, policy.generation):
            # versions go back when the cluster's store is restored
            entry = replace(old, standing=standing, needed=min(old.needed, version))
        else:
            entry = Entry(standing, version, now, is_bound=self.report is None)
            self._awaited[policy.namespace] = max(version, self._awaited.get(policy.namespace, 0))
        self.entries[policy.key] = entry
        self.changed.add(policy.key)

    def _note(self, key: str, finding: ZoneFinding | None) -> None:
        """Take what there is to report of a policy now, so that no report looks at those that stand as before."""
        namespace = key.partition("/")[0]
        mine = self._findings.setdefault(namespace, {})
        if mine.get(key) != finding:
            self._findings_due = True
            self._listed.pop(namespace, None)
        if finding is not None:
            mine[key] = finding
        else:
            mine.pop(key, None)
        if not mine:
            del self._findings[namespace]
