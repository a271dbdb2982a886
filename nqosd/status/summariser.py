"""Sums up for all zones, if this daemon's zone is elected to: lists the reports and hands verdicts to the writer.

In: this zone's state, and the reports of all zones. Out: a verdict on each policy that may stand otherwise. Rule: who
doesn't hear of every change sums up nothing; where there is only one zone, it needs nobody's vote.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.kube.writes import Answer
from nqosd.runtime.waiting import wait_anew
from nqosd.status.conditions import condition_type
from nqosd.status.leases import Election, Leases
from nqosd.status.outages import Outages
from nqosd.status.patience import is_awaited_soon, may_say_behind
from nqosd.status.readiness import standing_of, verdict_on
from nqosd.status.reports import Renewal, Reports, ZonesView
from nqosd.status.turns import fewest_first
from nqosd.status.writer import StatusWriter
from nqosd.status.zone_state import Entry, Progress, ZoneState

RENEWAL = 5.0
"""Seconds between two renewals of the election."""
ASKED = 2.0, 10.0
"""Seconds at least, and at most, until a daemon that wasn't elected asks again: a hundred of them ask in a second."""
LOOK = 1.0
"""Seconds between two looks while a zone is waited for."""
IDLE = 5.0
"""Seconds between two lists of all reports when none is waited for, or one has been for long."""
AFRESH = 60.0
"""Seconds after which all policies are summed up anew, whatever has changed."""
REMOVED = 20
"""Leases of zones that are gone that are removed at a time: the election is renewed in between."""
TURN = 0.005
"""Seconds after which others have their turn."""


class Summed(msgspec.Struct, frozen=True):
    """What a look came to, for those who count: zones that report, are silent, or have never reported."""

    reporting: int
    silent: int
    missing: int


class Summariser:
    """Sums up while `run` runs."""

    def __init__(
        self,
        leases: Leases,
        election: Election,
        state: Callable[[], ZoneState],
        writer: StatusWriter,
        *,
        in_touch: Callable[[], bool],
        may_report: Callable[[], bool],
        took: Callable[[str, Answer], None],
        observe: Callable[[Summed | None], None],
        holder: str = "",
    ) -> None:
        self._leases = leases
        self._election = election
        self._state = state
        self._writer = writer
        self._in_touch = in_touch
        self._may_report = may_report
        self._took = took
        self._observe = observe
        self._holder = holder
        self.wake = asyncio.Event()
        self._campaigned = self._listed = self._summed = self._retried = self._all_retried = float("-inf")
        self._pending: AbstractSet[str] = frozenset()
        """The namespaces of which this zone had something to write yet, when it was looked last."""
        self._reports = Reports()
        self._view: ZonesView | None = None
        self._unsettled: set[str] = set()
        self._outages = Outages()
        self._is_answered = True
        """Whether the last request about Leases was."""

    async def run(self) -> None:
        """Sum up for ever."""
        elected = ""
        try:
            while True:
                state = self._state()
                progress = state.progress
                hears = self._in_touch()
                self._outages.note(asyncio.get_running_loop().time(), hears=hears and self._is_answered)
                # who hasn't reported yet would find its own zone silent
                can_sum_up = progress is not None and (progress.is_alone or state.is_reported)
                if hears and progress is not None and can_sum_up and await self._is_elected(progress):
                    elected = self._name(progress)
                    await self._look(state, progress)
                else:
                    self._stop()
                    if progress is None and elected:  # the zone's standby writes now, and is a candidate of its own
                        await self._election.resign(elected)
                        elected = ""
                await wait_anew(self.wake, LOOK)
        finally:
            if elected:
                await self._election.resign(elected)

    def _stop(self) -> None:
        """Forget what was summed up: another daemon does it."""
        self._writer.clear()
        self._listed = self._summed = float("-inf")
        self._reports = Reports()
        self._observe(None)

    async def _is_elected(self, progress: Progress) -> bool:
        now = asyncio.get_running_loop().time()
        name = self._name(progress)
        is_held = self._election.holder == name
        least, most = ASKED
        if now - self._campaigned >= (RENEWAL if is_held else min(most, max(least, len(progress.zones) / 100))):
            self._campaigned = now
            answer = await self._election.campaign(name, renews=self._may_report())
            self._is_answered = answer.accepted
            self._took("the election", answer)
        if progress.is_alone and (self._may_report() or not self._election.is_anothers(name, now)):
            return True  # also where Leases may not be written; with its database away, unless a standby has taken over
        return self._election.holder == name

    async def _goes_on(self, progress: Progress) -> bool:
        """Renew the election, if it is time to, in the middle of something; the only zone waits for no answer."""
        return progress.is_alone or await self._is_elected(progress)

    def _name(self, progress: Progress) -> str:
        """Name this process: a standby of the zone is another one."""
        return f"{progress.zone}_{self._holder}"

    async def _look(self, state: ZoneState, progress: Progress) -> None:
        now = asyncio.get_running_loop().time()
        if progress.is_alone and self._may_report() and state.report is not None:
            renewed = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._reports.renewed(Renewal(state.report, renewed), now)
        if now - self._listed >= (LOOK if not progress.is_alone and self._awaits_soon(state, now) else IDLE):
            heard = await self._list(progress, now)
            if self._state() is not state or not (heard or progress.is_alone):
                return
        begun = time.monotonic()
        for _ in self._reports.lay_out():
            if time.monotonic() - begun > TURN:
                await asyncio.sleep(0)
                begun = time.monotonic()
        if self._state() is not state:
            return
        view = self._reports.view(progress.zones, now)
        due = self._due(view, state, now)
        state.changed = set()
        await self._sum_up(due, state, progress, view)
        silent, missing = len(view.silent), len(view.missing)
        self._observe(Summed(len(progress.zones) - silent - missing, silent, missing))

    def _awaits_soon(self, state: ZoneState, now: float) -> bool:
        """Say whether zones are waited for that may report at any moment."""
        return any(is_awaited_soon(state.entries.get(key), now) for key in self._unsettled)

    def _due(self, view: ZonesView, state: ZoneState, now: float) -> AbstractSet[str]:
        """Give the policies that may stand otherwise than when they were last summed up."""
        before, self._view = self._view, view
        waiting, news = self._waiting(state, now), view.findings.drain(state.entries)
        if before is None or now - self._summed >= AFRESH or view.has_other_zones(before):
            self._summed = now
            return state.entries.keys()
        return news | state.changed | waiting

    def _waiting(self, state: ZoneState, now: float) -> AbstractSet[str]:
        """Give the policies that wait for a zone and may do so no longer, of thousands that may wait for ever.

        All of them as often as reports are listed for none; those that haven't waited for long, as for them; those of a
        namespace that this zone has written, or begins to, at once.
        """
        pending = state.report.pending.keys() if state.report is not None else frozenset[str]()
        turned, self._pending = pending ^ self._pending, pending
        if now - self._all_retried >= IDLE:
            self._retried = self._all_retried = now
            return self._unsettled
        is_time = now - self._retried >= LOOK
        self._retried = now if is_time else self._retried
        return {
            key
            for key in (self._unsettled if is_time or turned else ())
            if key.partition("/")[0] in turned or (is_time and is_awaited_soon(state.entries.get(key), now))
        }

    async def _list(self, progress: Progress, now: float) -> bool:
        """List the reports; say whether that was answered."""
        answer, listed = await self._leases.reports()
        self._took("all reports", answer)
        if listed is None:
            return False
        unheard = max(0.0, now - self._listed - 2 * IDLE) if self._listed > 0 else 0.0
        # the own zone, too, counts by what others can read: who is elected next would say something else. The only one
        # speaks for itself, unless its database is away: a standby may have taken over
        own = progress.zone if progress.is_alone and self._may_report() else ""
        self._reports.listed(
            listed.renewals.values(),
            now,
            own=own,
            unheard=unheard,
            wall=time.time(),
            heard=lambda age: self._outages.heard(age, now),
            newest=listed.newest,
        )
        self._listed = now
        for zone in sorted((self._reports.silent(now).keys() & listed.names.keys()) - progress.zones)[:REMOVED]:
            if not await self._goes_on(progress):
                return False
            self._took("a zone that is gone", await self._leases.remove(listed.names[zone]))
        return True

    async def _sum_up(self, keys: Iterable[str], state: ZoneState, progress: Progress, view: ZonesView) -> None:
        kept = frozenset(map(condition_type, view.missing))
        self._unsettled &= state.entries.keys()
        ordered = [key for mine in fewest_first(keys) for key in sorted(mine)]
        begun = time.monotonic()
        for position, key in enumerate(ordered, 1):
            if (entry := state.entries.get(key)) is not None:
                self._sum_up_one(entry, progress, view, kept)
            if time.monotonic() - begun > TURN:
                await asyncio.sleep(0)
                if not await self._goes_on(progress) or self._state() is not state:
                    state.changed.update(ordered[position:])  # they are still to be summed up, if this daemon is to
                    return
                begun = time.monotonic()

    def _sum_up_one(self, entry: Entry, progress: Progress, view: ZonesView, kept: frozenset[str]) -> None:
        policy, standing = entry.standing.policy, standing_of(entry, progress, view)
        (self._unsettled.add if standing.behind or standing.doubted else self._unsettled.discard)(policy.key)
        if standing.behind and not standing.failing and not may_say_behind(entry, asyncio.get_running_loop().time()):
            return
        self._writer.submit(policy, verdict_on(entry, progress, standing, kept))
