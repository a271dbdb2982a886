"""Who sums up while election, Leases or lock go: nothing that was due is forgotten, and nobody waits for them."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from nqosd.kube.writes import Answer
from nqosd.status import patience, reporter, summariser
from nqosd.status.leases import Election, Leases, Listed
from nqosd.status.outages import Outages
from nqosd.status.reports import OLD, Renewal, Reports
from nqosd.status.zone_report import ZoneReport
from nqosd.status.zone_state import PolicyStanding, Progress
from tests.status.fakes import eventually
from tests.status.test_summariser import MISSING, POLICIES, ZONE, elected, standing, summing

BOTH = frozenset({ZONE, MISSING})
AWAY = Answer(503, "ServiceUnavailable")
Campaign = Callable[..., object]


def campaigning(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool], seconds: float = 0.0) -> list[str]:
    """Let the one who asks be elected, but for the times at which it fails, after so many seconds; gives who asked."""
    asked: list[str] = []

    async def campaign(self: Election, name: str, **_: object) -> Answer:
        asked.append(name)
        if fails(len(asked)):
            await asyncio.sleep(seconds)
            self.holder = ""
            return AWAY
        self.holder = name
        return Answer(200)

    monkeypatch.setattr(Election, "campaign", campaign)
    return asked


def everything() -> list[PolicyStanding]:
    """Give all policies, each with senders in zone a."""
    return [standing(each, "w") for each in POLICIES]


def renewed(seconds: float = 0.0) -> str:
    """Give the time so many seconds ago."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).isoformat()


def movable(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the loop's clock and the wall's be as many seconds ahead as stand in this list."""
    loop, moved = asyncio.get_running_loop(), [0.0]
    clock, wall = loop.time, time.time
    monkeypatch.setattr(loop, "time", lambda: clock() + moved[0])
    monkeypatch.setattr(time, "time", lambda: wall() + moved[0])
    return moved


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pauses be short, and each policy be a turn."""
    for name in ("TURN", "RENEWAL"):
        monkeypatch.setattr(summariser, name, 0.0)
    monkeypatch.setattr(summariser, "LOOK", 0.02)
    monkeypatch.setattr(summariser, "IDLE", 0.05)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    monkeypatch.setattr(patience, "HOLD", 0.0)


@pytest.mark.parametrize(("every", "pause", "seconds"), [(1000, 0.1, 0.0), (1000, 0.1, 0.3), (20, 0.0, 0.0)])
async def test_an_election_that_fails_in_the_middle_forgets_nothing(
    monkeypatch: pytest.MonkeyPatch, every: int, pause: float, seconds: float
) -> None:
    """Whether it is asked again at once, and won, or after a pause, or fails often, all that was due is summed up."""
    monkeypatch.setattr(summariser, "ASKED", (pause, pause))
    elected(monkeypatch, lambda: Listed({}, {}))
    asked = campaigning(monkeypatch, lambda times: times % every == 20 % every, seconds)
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 1, BOTH), everything())
        await eventually(lambda: len(asked) >= 20)
        await eventually(lambda: {name for name, _ in submitted} == {each.name for each in POLICIES})


async def test_a_lone_zone_waits_for_no_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Leases don't answer, its policies don't wait for them one by one."""
    monkeypatch.setattr(summariser, "ASKED", (0.0, 0.0))
    elected(monkeypatch, lambda: Listed({}, {}))
    asked = campaigning(monkeypatch, lambda _: True, 0.2)
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 1, frozenset({ZONE})), everything())
        await eventually(lambda: len(submitted) >= len(POLICIES))
        assert len(asked) < 4


@pytest.mark.parametrize("is_whole", [True, False])
async def test_no_zone_is_silent_since_leases_were_away(monkeypatch: pytest.MonkeyPatch, *, is_whole: bool) -> None:
    """Whether all of the API server is away for ten minutes, or only who answers for Leases: none could be renewed."""
    monkeypatch.setattr(summariser, "ASKED", (0.02, 0.02))
    is_away, renewal = [False], [renewed()]
    written = elected(monkeypatch, lambda: Listed({}, {}))
    campaigning(monkeypatch, lambda _: is_away[0])

    async def reports(_self: Leases) -> tuple[Answer, Listed | None]:
        found = Listed({**written, MISSING: Renewal(ZoneReport(MISSING, 9), renewal[0])}, {})
        return (AWAY, None) if is_away[0] else (Answer(200), found)

    monkeypatch.setattr(Leases, "reports", reports)
    moved = movable(monkeypatch)
    async with summing(monkeypatch, in_touch=lambda: not (is_away[0] and is_whole)) as (status, submitted):
        status.publish(Progress(ZONE, 9, BOTH), [replace(standing(POLICIES[0], "w"), sources=BOTH)])
        await eventually(lambda: any("Applied in 2 zones" in text for _, text in submitted))
        is_away[0] = True
        await asyncio.sleep(0.2)
        moved[0] = 600.0
        await asyncio.sleep(0.2)
        del submitted[:]
        is_away[0] = False
        await asyncio.sleep(0.3)
        assert not submitted  # what was said stays
        renewal[0] = renewed(-600.0)
        await eventually(lambda: bool(submitted))
        assert "Applied in 2 zones" in submitted[0][1]


async def test_who_alone_was_out_of_touch_calls_no_silent_zone_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another daemon summed up meanwhile and named the zone: that stays until the zone is heard of, or named again."""
    hears, renewal = [True], renewed()
    elected(monkeypatch, lambda: Listed({MISSING: Renewal(ZoneReport(MISSING, 9), renewal)}, {}))
    moved = movable(monkeypatch)
    async with summing(monkeypatch, in_touch=lambda: hears[0]) as (status, submitted):
        status.publish(Progress(ZONE, 9, BOTH), [replace(standing(POLICIES[0], "w"), sources=BOTH)])
        await eventually(lambda: any("Applied in 2 zones" in text for _, text in submitted))
        hears[0] = False
        await asyncio.sleep(0.2)
        moved[0] = 300.0
        await asyncio.sleep(0.2)
        del submitted[:]
        hears[0] = True
        await asyncio.sleep(0.3)
        assert not submitted
        moved[0] += OLD
        await eventually(lambda: bool(submitted))
        assert "No report from zone b" in submitted[0][1]


async def test_what_others_can_not_read_yet_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is elected next would say something else: what this zone finds counts when its report is written, too."""
    now, is_away = renewed(), [False]
    told = Listed({MISSING: Renewal(ZoneReport(MISSING, 9), now)}, {})
    elected(monkeypatch, lambda: told, is_away=lambda: is_away[0])
    monkeypatch.setattr(reporter, "GAP", 0.0)
    monkeypatch.setattr(reporter, "LAST_PAUSE", 0.02)
    async with summing(monkeypatch) as (status, submitted):
        well = replace(standing(POLICIES[0], "w"), sources=BOTH)
        status.publish(Progress(ZONE, 9, BOTH), [well])
        await eventually(lambda: any("Applied in 2 zones" in text for _, text in submitted))
        is_away[0] = True
        failing = replace(well.mine, status="False", reason="Blocked", message="why")
        status.publish(Progress(ZONE, 10, BOTH), [replace(well, mine=failing)])
        await asyncio.sleep(0.3)
        assert "Applied in 2 zones" in submitted[-1][1]
        is_away[0] = False
        await eventually(lambda: "Not applied in zone a: why" in submitted[-1][1])


async def test_who_has_not_reported_yet_does_not_sum_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """All daemons were gone for long, and one is back: it doesn't call its own zone silent."""
    is_away, old = [True], renewed(3600.0)
    written = elected(monkeypatch, lambda: Listed({}, {}), is_away=lambda: is_away[0])
    written.update({zone: Renewal(ZoneReport(zone, 9), old) for zone in BOTH})
    monkeypatch.setattr(reporter, "LAST_PAUSE", 0.02)
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 9, BOTH), everything())
        await asyncio.sleep(0.3)
        assert not submitted
        is_away[0] = False
        await eventually(lambda: bool(submitted))
        assert all("Applied in 1 zone" in text for _, text in submitted)


async def test_a_report_that_was_removed_counts_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator may remove all Leases: the zones write them again, and no policy waits for that."""
    is_there, now = [True], renewed()
    elected(
        monkeypatch,
        lambda: Listed({MISSING: Renewal(ZoneReport(MISSING, 9), now)} if is_there[0] else {}, {}),
    )
    loop, moved = asyncio.get_running_loop(), [0.0]
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + moved[0])
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 9, BOTH), [replace(each, sources=BOTH) for each in everything()])
        await eventually(lambda: len(submitted) >= len(POLICIES))
        del submitted[:]
        is_there[0] = False
        await asyncio.sleep(0.3)
        assert not [text for _, text in submitted if "Applied in 2 zones" not in text]
        moved[0] = OLD + 1
        await eventually(lambda: any("Applied" not in text for _, text in submitted))


async def test_a_zone_that_only_a_policy_knows_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders may be in a zone that isn't among all zones yet: it counts as one that has said nothing."""
    elected(monkeypatch, lambda: Listed({}, {}))
    async with summing(monkeypatch) as (status, submitted):
        both = replace(standing(POLICIES[0], "w"), sources=BOTH)
        status.publish(Progress(ZONE, 9, frozenset({ZONE})), [both])
        await eventually(lambda: bool(submitted))
        assert "Waiting for zone b" in submitted[0][1]


async def test_nothing_is_told_after_the_lock_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if that happens while all reports are listed: another daemon speaks for the zone now."""
    elected(monkeypatch, lambda: Listed({}, {}))
    asked, goes_on, may_report = asyncio.Event(), asyncio.Event(), [True]

    async def reports(_self: Leases) -> tuple[Answer, Listed]:
        asked.set()
        await goes_on.wait()
        return Answer(200), Listed({}, {})

    monkeypatch.setattr(Leases, "reports", reports)
    async with summing(monkeypatch, may_report=lambda: may_report[0]) as (status, submitted):
        status.publish(Progress(ZONE, 1, BOTH), everything())
        await asked.wait()
        may_report[0] = False
        status.clear()
        goes_on.set()
        await asyncio.sleep(0.3)
        assert not submitted


async def test_the_election_is_renewed_while_reports_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of zones that are gone there may be many, and each removal may take long."""
    gone = {f"gone-{number}": Renewal(ZoneReport(f"gone-{number}", 1), renewed(3600)) for number in range(20)}
    elected(monkeypatch, lambda: Listed(gone, {each: each for each in gone}))
    asked = campaigning(monkeypatch, lambda _: False)
    before: list[int] = []

    async def remove(_self: Leases, _name: str) -> Answer:
        before.append(len(asked))
        return Answer(200)

    monkeypatch.setattr(Leases, "remove", remove)
    async with summing(monkeypatch) as (status, _submitted):
        status.publish(Progress(ZONE, 1, BOTH), everything())
        await eventually(lambda: len(before) >= len(gone))
        assert len(set(before[: len(gone)])) == len(gone)


async def test_who_loses_the_election_while_reports_are_removed_says_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another daemon sums up from then on."""
    gone = {f"gone-{number}": Renewal(ZoneReport(f"gone-{number}", 1), renewed(3600)) for number in range(5)}
    elected(monkeypatch, lambda: Listed(gone, {each: each for each in gone}))
    is_lost = [False]
    campaigning(monkeypatch, lambda _: is_lost[0])
    monkeypatch.setattr(summariser, "TURN", 3600.0)

    async def remove(_self: Leases, _name: str) -> Answer:
        is_lost[0] = True
        return Answer(200)

    monkeypatch.setattr(Leases, "remove", remove)
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 1, BOTH), everything())
        await eventually(lambda: is_lost[0])
        await asyncio.sleep(0.3)
        assert not submitted


async def test_a_report_that_is_ahead_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the cluster's store has been restored, at once, though the zone may yet be there."""
    restored, now = [False], renewed()
    elected(
        monkeypatch,
        lambda: Listed({}, {}, 5) if restored[0] else Listed({MISSING: Renewal(ZoneReport(MISSING, 9), now)}, {}, 9),
    )
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 9, BOTH), [replace(standing(POLICIES[0], "w"), sources=BOTH)])
        await eventually(lambda: bool(submitted) and "Applied in 2 zones" in submitted[-1][1])
        restored[0] = True
        await eventually(lambda: "Waiting for zone b" in submitted[-1][1])


async def test_few_policies_do_not_wait_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policies of namespaces with few of them are summed up first, whatever these are called."""
    elected(monkeypatch, lambda: Listed({}, {}))
    monkeypatch.setattr(summariser, "TURN", 3600.0)
    async with summing(monkeypatch) as (status, submitted):
        policy = POLICIES[0]
        late = replace(standing(policy, "w"), policy=type(policy)("z", "late", spec=policy.spec))
        status.publish(Progress(ZONE, 1, BOTH), [*everything(), late])
        await eventually(lambda: len(submitted) > len(POLICIES))
        assert submitted[0][0] == "late"


@pytest.mark.parametrize(
    ("age", "late", "is_silent"), [(57.0, 22.0, False), (57.0, 24.0, True), (61.0, 0.0, True), (20.0, 59.0, False)]
)
def test_a_silent_zone_is_named_in_time_whoever_sums_up(age: float, late: float, *, is_silent: bool) -> None:
    """Who begins to sum up takes a report to be as old as it says, but for as long as renewals are apart."""
    reports = Reports()
    renewals = [Renewal(ZoneReport(MISSING, 1), "2026-11-28T10:00:00Z")]
    reports.listed(renewals, 100.0, wall=renewals[0].age(0.0) * -1 + age)
    reports.listed(renewals, 100.0 + late)
    doubted = reports.view(frozenset({MISSING}), 100.0).doubted
    assert bool(doubted) is (25.0 < age <= OLD)
    assert bool(reports.silent(100.0 + late)) is is_silent


def test_short_outages_hide_no_silent_zone() -> None:
    """However many there were while a zone renewed its report: those since then count, and no others."""
    outages, now = Outages(), 0.0
    for _ in range(24 * 60):  # 2 s in every minute for a day
        outages.note(now + 58, hears=False)
        outages.note(now + 60, hears=True)
        now += 60
    assert outages.heard(70.0, now + 10) == pytest.approx(68.0)
    assert outages.heard(0.0, now) == 0.0
    assert outages.heard(1.0, now) == pytest.approx(0.0)
    outages.note(now + 20, hears=False)
    assert outages.heard(100.0, now + 90) == 30.0 - 2.0
    assert outages.heard(float("inf"), now) == float("inf")
