"""`kubectl nqos top`: what the rules do now, on every node.

In: exporters (`nqosd stats`) beside the daemons, through the API server's proxy. Out: as `nqosd top`. Rule: it is that
command's own; only the way to the exporters is another.
"""

import argparse
import asyncio

from nqosd.commands.kubectl.pod_proxy import Cluster, ClusterError, DaemonPod, cluster, each
from nqosd.commands.top import follow
from nqosd.runtime import interrupts
from nqosd.statistics.endpoints import Collected, Snapshot, read

PORT = "stats"


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return interrupts.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    async with cluster(options) as there:
        return await follow(lambda: _collect(there), options)


async def _collect(there: Cluster) -> Collected:
    async def snapshot(pod: DaemonPod) -> Snapshot | str:
        try:
            return await asyncio.to_thread(read, (await there.ask(pod, PORT, "/metrics")).decode(errors="replace"))
        except ClusterError as error:
            return str(error).removeprefix(f"{pod}: ")
        except ValueError as error:
            return str(error)

    pods = [pod for pod in await there.pods() if PORT in pod.ports]
    if not pods:
        raise ClusterError(f"no pod of nqosd in namespace {there.daemons} has a port {PORT}: do exporters run there?")
    answers, _none = await each(snapshot, pods)
    return Collected.of({str(pod): answer for pod, answer in answers})
