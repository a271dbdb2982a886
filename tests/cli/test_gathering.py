"""When commands give an API server up that can't be used."""

import asyncio

import pytest

from nqosd.api.changes import ResourceKind
from nqosd.commands import gathering


async def test_a_fault_counts_once_it_has_lasted_for_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first fault of any kind begins them, and they begin anew when all faults have ended."""
    delays: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def at_once(delay: float, call: object) -> asyncio.TimerHandle:
        delays.append(delay)
        return call_later(0, call)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_later", at_once)
    listing = gathering._Listing(tuple(ResourceKind))
    for kind in (ResourceKind.POD, ResourceKind.NODE):
        listing.in_touch(kind, is_in_touch=False, reason="401")
    for kind in (ResourceKind.POD, ResourceKind.NODE):
        listing.in_touch(kind, is_in_touch=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not listing.done.is_set()
    listing.in_touch(ResourceKind.POD, is_in_touch=False, reason="403")
    await listing.done.wait()
    assert delays == [2.0, 2.0]
