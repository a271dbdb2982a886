"""How long one pod takes that comes alone: from its event at a daemon's port to the effect in the database.

In: a daemon that has settled, and the ways in which a pod can concern it. Out: latencies by way, and that of a bare
transaction after the same pause. Rules: nothing else happens meanwhile; the moment of an event is the one at which its
bytes are passed on to the daemon, by the first watch that tells it.
"""

import asyncio
from collections.abc import Mapping, Sequence

from tests.services.kubernetes import ApiServer
from tests.services.latency import Latency
from tests.services.monitor import Monitor
from tests.services.ovsdb import OvsdbServer
from tools.bench.cell import PAUSE
from tools.bench.floor import Floor
from tools.zones import cluster
from tools.zones.recorder import Recorder

TIMEOUT = 10.0
BARE = "bare"
"""The way of a transaction that no pod asks for."""


async def one_pod(
    api: ApiServer, recorder: Recorder, server: OvsdbServer, ways: Mapping[str, Sequence[int]], samples: int
) -> Mapping[str, Latency]:
    """Give pods another address, so many one after another for each way, in turns; `ways` name pods by number."""
    seconds: dict[str, list[float]] = {way: [] for way in (*(way for way, pods in ways.items() if pods), BARE)}
    with Monitor(server.socket) as monitor, Floor(server.socket) as floor:
        for count in range(samples):
            for way, taken in seconds.items():
                await asyncio.sleep(PAUSE)
                if way == BARE:
                    taken.append(await asyncio.to_thread(floor.time))
                else:
                    pod = ways[way][count % len(ways[way])]
                    taken.append(await _moved(api, recorder, monitor, pod))
    return {way: Latency.of(taken) for way, taken in seconds.items()}


async def _moved(api: ApiServer, recorder: Recorder, monitor: Monitor, pod: int) -> float:
    """Give a pod another address; gives the seconds until the database had it."""
    address = cluster.spare_address()
    told = recorder.await_bytes(f"{address}/".encode())
    await asyncio.to_thread(cluster.move, api, pod, address)
    async with asyncio.timeout(TIMEOUT):
        moment = await told
    await asyncio.to_thread(monitor.wait, lambda found: address in found.seen, TIMEOUT)
    return monitor.seen[address] - moment
