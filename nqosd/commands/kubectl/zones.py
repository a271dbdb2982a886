"""The daemons of a cluster by the zones that they are for.

In: a cluster, and perhaps the name of one zone. Out: one daemon for each zone, the one that writes, and what couldn't
be reached. Rule: a node whose zone no daemon speaks for is named.
"""

import argparse
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import msgspec

from nqosd.api.decoding.cluster import decode_node
from nqosd.api.decoding.envelopes import decode_list
from nqosd.api.decoding.metadata import DecodeError
from nqosd.api.objects import Node
from nqosd.api.text import shortened
from nqosd.commands.exits import CommandError
from nqosd.commands.gathering import Database
from nqosd.commands.kubectl.pod_proxy import Cluster, ClusterError, DaemonPod, each
from nqosd.northbound.replica.replica import Replica
from nqosd.ovsdb.wire import UpdateError
from nqosd.web.views import DatabaseState

PORT = "http"
ACTIVE = "active"

T = TypeVar("T")


class DaemonSummary(msgspec.Struct):
    """What a daemon says of itself; `zone` is empty for the whole cluster."""

    zone: str
    instance: str
    role: str
    synced: bool


@attrs.frozen(order=True)
class Speaker:
    """The daemon that speaks for a zone."""

    zone: str
    instance: str
    pod: DaemonPod = attrs.field(order=False)

    def is_for(self, node: Node) -> bool:
        """Say whether a node is of its zone."""
        return self.zone in ("", node.name, node.zone)


class Zones(msgspec.Struct, frozen=True):
    """Who speaks for which zone, and what there is to say about the others."""

    cluster: Cluster
    speakers: tuple[Speaker, ...]
    problems: tuple[str, ...]

    async def ask(self, get: Callable[[Speaker], Awaitable[T]]) -> tuple[list[tuple[Speaker, T]], list[str]]:
        """Ask each, in order; gives the answers, and all that couldn't be reached.

        Raises:
            CommandError: nobody has answered; the message says why.
        """
        found, problems = await each(get, self.speakers)
        problems = [*self.problems, *problems]
        if not found:
            raise CommandError("\n".join(problems))
        return found, problems

    async def state(self, speaker: Speaker, what: str) -> bytes:
        """Get what a daemon has below /state.

        Raises:
            ClusterError: it gives no answer, or refuses.
        """
        return await self.cluster.ask(speaker.pod, PORT, f"/state/{what}")

    async def database(self, speaker: Speaker) -> Database:
        """Get what the Northbound database of a zone holds.

        Raises:
            ClusterError: the daemon gives no answer, or one that makes no sense.
        """
        body = await self.state(speaker, "database")
        try:
            state = msgspec.json.decode(body, type=DatabaseState)
            replica = Replica(state.settings.owner)
            for table, rows in state.tables.items():
                for uuid, row in rows.items():
                    replica.apply(table, uuid, {"insert": msgspec.json.decode(row)})
        except (msgspec.MsgspecError, UpdateError) as error:
            raise ClusterError(f"{speaker.pod}: its answer makes no sense: {error}; is it of this version?") from error
        return Database(replica, state.settings)


async def find_zones(cluster: Cluster, options: argparse.Namespace) -> Zones:
    """Ask all daemons what they are for.

    Raises:
        ClusterError: there are none, or they can't be listed.
    """

    async def overview(pod: DaemonPod) -> DaemonSummary:
        body = await cluster.ask(pod, PORT, "/state/overview")
        try:
            return msgspec.json.decode(body, type=DaemonSummary)
        except msgspec.MsgspecError as error:
            raise ClusterError(f"{pod}: its answer makes no sense: {error}; is it of this version?") from error

    zone = options.zone
    pods = [pod for pod in await cluster.pods() if PORT in pod.ports]
    nodes, unknown = await _nodes(cluster, zone)
    names = {node.name for node in nodes}
    near = [pod for pod in pods if zone is None or unknown or pod.node in names]
    found, problems = await each(overview, near)
    others, far_problems = await each(overview, [pod for pod in pods if pod not in near])
    best: dict[tuple[str, str], Speaker] = {}
    for pod, said in sorted([*found, *others], key=lambda one: (one[1].role == ACTIVE, one[1].synced)):
        best[said.zone, said.instance] = Speaker(said.zone, said.instance, pod)
    speakers = [one for one in sorted(best.values()) if zone in (None, one.zone)]
    if not speakers:
        problems += far_problems  # one of these may be the zone's
    return Zones(cluster, tuple(speakers), (*problems, *unknown, *_left_out(nodes, speakers, zone, unknown)))


async def _nodes(cluster: Cluster, zone: str | None) -> tuple[list[Node], list[str]]:
    """Give the nodes of a zone, or all, that have logical switches; and why they aren't known."""
    try:
        nodes = [decode_node(raw).value for raw in decode_list(await cluster.get("/api/v1/nodes"), "v1", "Node").items]
    except (ClusterError, DecodeError) as error:
        return [], [f"whether a daemon has answered for every node isn't known: {error}"]
    return [node for node in nodes if not node.is_hybrid and zone in (None, node.name, node.zone)], []


def _left_out(nodes: list[Node], speakers: list[Speaker], zone: str | None, unknown: list[str]) -> list[str]:
    """Name the nodes for which no daemon has answered."""
    missing = [node.name for node in nodes if not any(one.is_for(node) for one in speakers)]
    if zone and not nodes and not speakers and not unknown:
        return [f"--zone {zone}: no node is of it"]
    return [f"no daemon has answered for the nodes {', '.join(shortened(missing))}"] if missing else []
