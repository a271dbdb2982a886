"""When a zone reports."""

import asyncio

import pytest

from nqosd.kube.client import Response
from nqosd.status import reporter
from nqosd.status.leases import Leases
from nqosd.status.reporter import AT_ONCE, ZoneReporter
from nqosd.status.zone_state import Progress, ZoneState
from tests.status.fakes import FakeBody, FakeClient, eventually

ZONES = frozenset(f"node-{number}" for number in range(1000))
BUSY = 0.5
"""Seconds for all of them."""


async def test_who_changes_policies_all_the_time_has_a_thousand_zones_write_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some reports in a row come at once, and then few, until it has been quiet for a while."""
    monkeypatch.setattr(reporter, "SPREAD", 0.0)
    monkeypatch.setattr(reporter, "GAP", 0.0)
    monkeypatch.setattr(reporter, "BUSY", BUSY / len(ZONES))
    state, is_changed = ZoneState(), True

    def answer(_body: FakeBody) -> Response:
        state.is_urgent = is_changed
        return Response(200, b"{}")

    client = FakeClient(*[answer] * 10_000)
    reports = ZoneReporter(
        Leases(client, "nqosd"), lambda: state, lambda: True, holder="h", took=lambda *_: None, refresh=lambda: None
    )
    began = asyncio.get_running_loop().time()
    state.committed(Progress("node-0", 1, ZONES), (), (), 0.0)
    running = asyncio.create_task(reports.run())
    await eventually(lambda: len(client.requests) >= AT_ONCE)
    await asyncio.sleep(3 * BUSY)
    many = len(client.requests)
    assert many <= AT_ONCE + (asyncio.get_running_loop().time() - began) / BUSY + 1
    is_changed = False
    await eventually(lambda: len(client.requests) == many + 1)
    await asyncio.sleep(AT_ONCE * BUSY)
    is_changed, began = True, asyncio.get_running_loop().time()
    state.is_urgent = True
    reports.wake.set()
    await eventually(lambda: len(client.requests) > many + AT_ONCE // 2)
    assert asyncio.get_running_loop().time() - began < AT_ONCE // 2 * BUSY
    running.cancel()
