"""What is summed up anew: what may stand otherwise, however many policies there are."""

import asyncio
import contextlib
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Callable, Sequence

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.networkqos import NetworkQoS
from nqosd.kube.writes import Answer
from nqosd.status import patience, summariser
from nqosd.status.conditions import condition
from nqosd.status.digests import Digests
from nqosd.status.leases import Election, Leases, Listed
from nqosd.status.readiness import StatusVerdict
from nqosd.status.reports import Renewal
from nqosd.status.zone_report import ZoneReport
from nqosd.status.zone_state import PolicyStanding, Progress
from nqosd.status.zone_status import ZoneStatus
from tests.status.fakes import Counting, FakeClient, eventually
from tests.status.policies import policy, report

ZONE, MISSING = "a", "b"
POLICIES = [attrs.evolve(policy(), name=f"p{number}") for number in range(50)]


def standing(policy: NetworkQoS, warning: str) -> PolicyStanding:
    """Say that a policy is applied, with a warning."""
    warned = replace(report("default", warnings=(warning,)), name=policy.name)
    return PolicyStanding(policy, condition(policy, warned, ZONE), frozenset({ZONE}))


@contextlib.asynccontextmanager
async def summing(
    monkeypatch: pytest.MonkeyPatch,
    *,
    in_touch: Callable[[], bool] = lambda: True,
    may_report: Callable[[], bool] = lambda: True,
) -> AsyncIterator[tuple[ZoneStatus, list[tuple[str, str]]]]:
    """Run the status of zone a, and note the policies that it sums up without a doubt, with what it says of them."""
    status = ZoneStatus(
        FakeClient(), Counting(), namespace="nqosd", holder="host-a", in_touch=in_touch, may_report=may_report
    )
    submitted: list[tuple[str, str]] = []

    def submit(policy: NetworkQoS, verdict: StatusVerdict) -> None:
        if not verdict.is_doubted:
            submitted.append((policy.name, verdict.ready.message))

    monkeypatch.setattr(status.writer, "submit", submit)
    running = asyncio.create_task(status.run())
    yield status, submitted
    running.cancel()


def elected(
    monkeypatch: pytest.MonkeyPatch, listed: Callable[[], Listed], *, is_away: Callable[[], bool] = lambda: False
) -> dict[str, Renewal]:
    """Let whoever asks be elected, and all reports be these and those that were written while it wasn't away."""
    written: dict[str, Renewal] = {}

    async def reports(_self: Leases) -> tuple[Answer, Listed]:
        found = listed()
        return Answer(200), Listed(written | found.renewals, found.names, found.newest)

    async def campaign(self: Election, name: str, **_: object) -> Answer:
        self.holder = name
        return Answer(200)

    async def report(_self: Leases, report: ZoneReport, _holder: str) -> Answer:
        if is_away():
            return Answer(503, "ServiceUnavailable")
        written[report.zone] = Renewal(report, dt.datetime.now(dt.UTC).isoformat())
        return Answer(200)

    monkeypatch.setattr(Leases, "report", report)
    monkeypatch.setattr(Leases, "reports", reports)
    monkeypatch.setattr(Election, "campaign", campaign)
    return written


async def test_another_warning_concerns_its_policy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other policies aren't summed up anew when a zone finds something else about one of them."""
    async with summing(monkeypatch) as (status, submitted):
        warned = [standing(each, "ten of one priority") for each in POLICIES]
        status.publish(Progress(ZONE, 1, frozenset({ZONE})), warned)
        await eventually(lambda: len(submitted) == len(POLICIES))
        del submitted[:]
        status.publish(Progress(ZONE, 2, frozenset({ZONE})), [standing(POLICIES[1], "eleven of one priority")])
        await eventually(lambda: bool(submitted))
        assert [name for name, _ in submitted] == ["p1"]
        assert "eleven" in submitted[0][1]


async def test_policies_that_wait_are_not_summed_up_by_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a namespace is being written, a round concerns the policies that changed; its end concerns all at once."""
    monkeypatch.setattr(summariser, "LOOK", 3600.0)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    async with summing(monkeypatch) as (status, submitted):
        for version, policy in enumerate(POLICIES, 1):
            came = attrs.evolve(policy, resource_version=str(version))
            pending = Progress(ZONE, version, frozenset({ZONE}), pending=frozenset({policy.namespace}))
            status.publish(pending, [standing(came, "one of ten")])
            await eventually(lambda name=policy.name: name in {name for name, _ in submitted})  # type: ignore[misc]
        assert len(submitted) < 2 * len(POLICIES)
        del submitted[:]
        last = attrs.evolve(POLICIES[0], resource_version="1")
        status.publish(Progress(ZONE, len(POLICIES), frozenset({ZONE})), [standing(last, "one of ten")])
        await eventually(lambda: {name for name, _ in submitted} == {each.name for each in POLICIES})


async def test_a_zone_that_never_comes_is_waited_for_at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    """All reports are listed again and again after a policy has changed, and later as if no zone was missing."""
    monkeypatch.setattr(summariser, "LOOK", 0.01)
    monkeypatch.setattr(summariser, "IDLE", 0.5)
    monkeypatch.setattr(patience, "LONG", 1.6)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    loop, moments = asyncio.get_running_loop(), list[float]()

    def listed() -> Listed:
        moments.append(loop.time())
        return Listed({}, {})

    elected(monkeypatch, listed)
    async with summing(monkeypatch) as (status, submitted):
        began = loop.time()
        sources = frozenset({ZONE, MISSING})
        awaited = replace(standing(POLICIES[0], "one of ten"), sources=sources)
        status.publish(Progress(ZONE, 1, sources), [awaited])
        await eventually(lambda: moments[-1:] > [began + 3.5])
        assert MISSING in submitted[-1][1]
    late = [each for each in moments if each > began + 1.6]
    assert len(moments) - len(late) > 5
    assert all(after - before >= 0.5 for before, after in itertools.pairwise(late))


async def test_policies_that_wait_for_long_are_summed_up_as_often_as_reports_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of thousands of them for a zone that never comes, while others that have just changed are looked at."""
    monkeypatch.setattr(summariser, "LOOK", 0.01)
    monkeypatch.setattr(summariser, "IDLE", 2.0)
    monkeypatch.setattr(patience, "LONG", 1.0)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    elected(monkeypatch, lambda: Listed({}, {}))
    sources = frozenset({ZONE, MISSING})
    async with summing(monkeypatch) as (status, submitted):
        awaited = [replace(standing(each, "one of ten"), sources=sources) for each in POLICIES]
        status.publish(Progress(ZONE, 1, sources), awaited[:-1])
        await eventually(lambda: len(submitted) > len(POLICIES))
        await asyncio.sleep(1.2)
        del submitted[:]
        status.publish(Progress(ZONE, 2, sources), awaited[-1:])
        await eventually(lambda: [name for name, _ in submitted].count(POLICIES[-1].name) > 3)
        assert len(submitted) < 5 * len(POLICIES)
        del submitted[:]
        await eventually(lambda: {name for name, _ in submitted} == {each.name for each in POLICIES})


async def test_a_namespace_with_many_failures_concerns_its_own_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a report has room for all of them, or no more, is nothing new for others."""
    monkeypatch.setattr(summariser, "LOOK", 0.01)
    monkeypatch.setattr(summariser, "IDLE", 0.01)
    monkeypatch.setattr(patience, "LONG", 0.0)
    report = ZoneReport(MISSING, 1)
    renewed = dt.datetime.now(dt.UTC).isoformat()
    elected(monkeypatch, lambda: Listed({MISSING: Renewal(report, renewed)}, {}))
    sources = frozenset({ZONE, MISSING})
    mine = attrs.evolve(POLICIES[0], namespace="crowd")
    async with summing(monkeypatch) as (status, submitted):
        every = [replace(standing(each, "one of ten"), sources=sources) for each in (mine, *POLICIES[1:])]
        status.publish(Progress(ZONE, 1, sources), every)
        await eventually(lambda: {name for name, _ in submitted} == {each.name for each in POLICIES})
        await asyncio.sleep(0.2)
        del submitted[:]
        report = replace(report, overflow={"crowd": Digests()})
        await eventually(lambda: bool(submitted))
        await asyncio.sleep(0.2)
        assert {name for name, _ in submitted} == {mine.name}
        assert "too many policies" in submitted[-1][1]


async def test_a_new_generation_in_a_crowd_is_not_said_to_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where very many of its namespace fail, too, an applied policy waits for zones as long as another one does."""
    monkeypatch.setattr(summariser, "LOOK", 0.01)
    monkeypatch.setattr(summariser, "IDLE", 0.01)
    others = Digests(f"team-a/{number}" for number in range(100))
    told = [ZoneReport(MISSING, 1, overflow={"team-a": others})]
    elected(monkeypatch, lambda: Listed({MISSING: Renewal(told[0], dt.datetime.now(dt.UTC).isoformat())}, {}))
    sources = frozenset({ZONE, MISSING})
    failing = replace(condition(policy(), report("default"), ZONE), status="False", reason="TooLarge", message="x")
    crowd = [
        PolicyStanding(attrs.evolve(policy(), name=f"crowd-{number:02}"), failing, sources) for number in range(100)
    ]
    mine = attrs.evolve(POLICIES[0], resource_version="2", generation=2)
    async with summing(monkeypatch) as (status, submitted):
        status.publish(Progress(ZONE, 1, sources), [*crowd, replace(standing(POLICIES[0], "w"), sources=sources)])
        await eventually(lambda: POLICIES[0].name in {name for name, _ in submitted})
        del submitted[:]
        status.publish(Progress(ZONE, 2, sources), [replace(standing(mine, "w"), sources=sources)])
        await asyncio.sleep(0.3)
        assert mine.name not in {name for name, _ in submitted}
        told[0] = ZoneReport(MISSING, 2, overflow={"team-a": others})
        await eventually(lambda: mine.name in {name for name, _ in submitted})
        assert all("Applied in 2 zones" in text for name, text in submitted if name == mine.name)


@pytest.mark.parametrize(
    ("before", "outages", "after", "is_silent"),
    [
        (5.0, [90.0], 0.0, False),
        (200.0, [90.0], 0.0, True),
        (-100.0, [90.0], 100.0, True),
        (5.0, [90.0, 90.0], 0.0, False),
        (5.0, [600.0, 8.0], 0.0, False),
    ],
)
async def test_who_heard_nothing_for_long_lets_others_renew_first(
    monkeypatch: pytest.MonkeyPatch, before: float, outages: Sequence[float], after: float, *, is_silent: bool
) -> None:
    """No zone could renew its report while the API server was away; who had ended before, or doesn't after, is silent.

    A zone reported last so many seconds `before` that was so, and is seen first so many `after` it was so last.
    """
    monkeypatch.setattr(summariser, "LOOK", 0.01)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    renewed = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=before + sum(outages) + after)).isoformat()
    elected(monkeypatch, lambda: Listed({MISSING: Renewal(ZoneReport(MISSING, 1), renewed)}, {}))
    loop, sources, hears = asyncio.get_running_loop(), frozenset({ZONE, MISSING}), [True]
    clock, moved = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: clock() + moved[0])
    async with summing(monkeypatch, in_touch=lambda: hears[0]) as (status, submitted):
        for seconds in outages:
            hears[0] = False
            await asyncio.sleep(0.1)
            moved[0] += seconds
            hears[0] = True
            await asyncio.sleep(0.1)
        moved[0] += after
        status.publish(Progress(ZONE, 1, sources), [replace(standing(POLICIES[0], "w"), sources=sources)])
        if is_silent:
            await eventually(lambda: bool(submitted))
            assert "No report from zone b" in submitted[-1][1]
        else:
            await asyncio.sleep(0.3)
            assert not submitted  # what was said before stays, until it is heard of or silent


async def test_without_its_database_a_lonely_zone_speaks_only_while_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A standby that has taken over sums up by what it has done; where there is none, somebody has to say that."""
    monkeypatch.setattr(summariser, "LOOK", 0.01)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    monkeypatch.setattr(summariser, "RENEWAL", 0.01)
    elected(monkeypatch, lambda: Listed({}, {}))
    held_by = ["host-b"]

    async def campaign(self: Election, _name: str, **_: object) -> Answer:
        self.holder, self._since = held_by[0], asyncio.get_running_loop().time()
        return Answer(200)

    monkeypatch.setattr(Election, "campaign", campaign)
    async with summing(monkeypatch, may_report=lambda: False) as (status, submitted):
        status.publish(Progress(ZONE, 1, frozenset({ZONE})), [standing(POLICIES[0], "w")])
        await asyncio.sleep(0.3)
        assert not submitted
        held_by[0] = ""
        monkeypatch.setattr(summariser, "ASKED", (0.01, 0.01))
        await eventually(lambda: bool(submitted))


async def test_the_election_is_renewed_while_much_is_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where thousands of policies fail in hundreds of zones that may take longer than the Lease is held."""
    monkeypatch.setattr(summariser, "TURN", 0.0)
    monkeypatch.setattr(summariser, "RENEWAL", 0.0)
    elected(monkeypatch, lambda: Listed({}, {}))
    asked: list[str] = []

    async def campaign(self: Election, name: str, **_: object) -> Answer:
        asked.append(name)
        self.holder = name if len(asked) <= 30 else "zone-b"
        self._since = asyncio.get_running_loop().time()
        return Answer(200)

    monkeypatch.setattr(Election, "campaign", campaign)
    monkeypatch.setattr(patience, "GRACE", 0.0)
    async with summing(monkeypatch) as (status, submitted):
        every = [replace(standing(each, "w"), sources=frozenset({ZONE})) for each in POLICIES]
        status.publish(Progress(ZONE, 1, frozenset({ZONE, MISSING})), every)
        await eventually(lambda: len(asked) > 30)
        await asyncio.sleep(0.1)
        assert 20 < len(submitted) < len(POLICIES)
