"""What is summed up anew: what may stand otherwise, however many policies there are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import attrs
import pytest

from nqosd.api.networkqos import NetworkQoS
from nqosd.status import summariser
from nqosd.status.conditions import condition
from nqosd.status.readiness import StatusVerdict
from nqosd.status.zone_state import PolicyStanding, Progress
from nqosd.status.zone_status import ZoneStatus
from tests.status.fakes import Counting, FakeClient, eventually
from tests.status.policies import policy, report

ZONE = "a"
POLICIES = [attrs.evolve(policy(), name=f"p{number}") for number in range(50)]


def standing(policy: NetworkQoS, warning: str) -> PolicyStanding:
    """Say that a policy is applied, with a warning."""
    warned = attrs.evolve(report("default", warnings=(warning,)), name=policy.name)
    return PolicyStanding(policy, condition(policy, warned, ZONE), frozenset({ZONE}))


@contextlib.asynccontextmanager
async def summing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ZoneStatus, list[tuple[str, str]]]]:
    """Run the status of a zone that is alone, and note the policies that it sums up, with what it says of them."""
    status = ZoneStatus(FakeClient(), Counting(), namespace="nqosd", holder="host-a")
    submitted: list[tuple[str, str]] = []

    def submit(policy: NetworkQoS, verdict: StatusVerdict) -> None:
        submitted.append((policy.name, verdict.ready.message))

    monkeypatch.setattr(status.writer, "submit", submit)
    running = asyncio.create_task(status.run())
    yield status, submitted
    running.cancel()


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
    monkeypatch.setattr(summariser, "GRACE", 0.0)
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
