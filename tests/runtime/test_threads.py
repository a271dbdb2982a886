"""Work beside the event loop goes on without the garbage collector."""

import asyncio
import gc
import threading

from nqosd.runtime.threads import aside


async def test_the_collector_is_off_until_the_last_work_has_ended() -> None:
    """Of works that overlap the first one to end doesn't turn it on again; the last one does."""
    gc.enable()
    gates = [threading.Event() for _ in range(2)]
    works = [asyncio.create_task(aside(gate.wait)) for gate in gates]
    await asyncio.sleep(0)
    found = []
    for gate, work in zip(gates, works, strict=True):
        found.append(gc.isenabled())
        gate.set()
        assert await work
    assert found == [False, False]
    assert gc.isenabled()
    gc.unfreeze()


async def test_work_that_fails_leaves_the_collector_as_it_was() -> None:
    """The error is the caller's, and the collector is on again, or off if it was."""
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            await aside(lambda: 1 // 0)
        except ZeroDivisionError:
            assert gc.isenabled() == enabled
        else:
            raise AssertionError
    gc.enable()
    gc.unfreeze()
