"""What a first sync of a database for the whole cluster does to its server: `python -m tools.bench.central`.

In: a made-up cluster of 400 nodes, whose policies need 200,000 rows. Out: for one server, and for a RAFT cluster of
three: how long the sync takes in how many transactions, the longest time for which another client had no answer, and
how often a policy was seen half there on a switch. Exit code 1 where a goal is missed. Rule: the other clients are
processes of their own, and a probe that the machine held up counts in full.
"""

import asyncio
import contextlib
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from nqosd.api.changes import Change, ResourceKind
from nqosd.compiler.desired import Delta, Desired
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.replica.stored import key_of
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.remotes import Remote
from tests.api.manifests import Json
from tests.services.generation import GENERATIONS
from tests.services.monitor import DATABASE, OvsdbClient
from tests.services.ovsdb import OvsdbServer
from tests.services.raft import RaftCluster
from tools.bench.northbound import quiet, say
from tools.bench.scale import PODS_OF_A_NODE, pod, surroundings

NODES = 400
LONGEST_PAUSE = 1.0
"""Seconds: the goal."""
PERIOD = 0.01
RULES = 2


def main() -> int:
    """Measure, print, and say whether the goals were met."""
    quiet()
    compiler = IncrementalCompiler(Settings())
    compiler.apply(surroundings(NODES))
    pods = map(pod, range(NODES * PODS_OF_A_NODE))
    compiler.apply(Change(ResourceKind.POD, each.key, None, each) for each in pods)
    say("rows", f"{len(compiler.desired.rows):,}")
    met = []
    with OvsdbServer(GENERATIONS[-1]) as server:
        met.append(_measure("one server", compiler, [server.unix], server.socket))
    with RaftCluster(GENERATIONS[-1]) as cluster:
        remotes = cluster.remotes.split(",")
        leader = cluster.members[cluster.leader()]
        met.append(_measure("RAFT, three servers", compiler, remotes, leader.socket))
    return 0 if all(met) else 1


def _measure(what: str, compiler: IncrementalCompiler, remotes: list[str], socket: Path) -> bool:
    client = OvsdbClient(socket)
    names = ({"op": "insert", "table": "Logical_Switch", "row": {"name": f"node-{node}"}} for node in range(NODES))
    client.call("transact", [DATABASE, *names])
    client.close()
    with _other(probe, socket) as longest_pause, _other(look, socket) as most_cut:
        begun = time.monotonic()
        transactions = asyncio.run(_sync(remotes, compiler))
        took = time.monotonic() - begun
        pause, cut = longest_pause(), int(most_cut())
    say(what, f"{took:.0f} s, {transactions} transactions, longest pause {pause:.2f} s, {cut} policies seen half there")
    with _other(probe, socket) as longest_pause:
        asyncio.run(_sync(remotes, compiler))
        say("  a daemon starts on it", f"longest pause {longest_pause():.2f} s")
    return pause <= LONGEST_PAUSE and not cut


def probe(socket: Path, pipe: Connection) -> None:
    """Ask for a row again and again until told to end; answers with the longest time that it took."""
    client = OvsdbClient(socket)
    select = {"op": "select", "table": "NB_Global", "where": [], "columns": ["nb_cfg"]}
    longest = 0.0
    pipe.send(0.0)
    while not pipe.poll(PERIOD):
        begun = time.monotonic()
        client.call("transact", [DATABASE, select])
        longest = max(longest, time.monotonic() - begun)
    pipe.send(longest)


def look(socket: Path, pipe: Connection) -> None:
    """Follow all rows until told to end; answers how often some but not all rules of a policy were on a switch."""
    client = OvsdbClient(socket)
    client.call("monitor_cond", [DATABASE, "central", {"QoS": {"columns": ["external_ids"]}}])
    rules, cut = Counter[tuple[str, str]](), 0
    pipe.send(0.0)
    while not pipe.poll():
        with contextlib.suppress(TimeoutError):
            for _moment, message in client.receive(timeout=1.0):
                if message.get("method") == "update2":
                    came = Counter(_units(message))
                    rules.update(came)
                    cut += sum(rules[each] != RULES for each in came)
    pipe.send(float(cut))


def _units(message: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Give the policy and the switch of each row that came."""
    updates = cast("list[Mapping[str, Mapping[str, Mapping[str, Json]]]]", message["params"])[1]
    for happened in updates["QoS"].values():
        ids = cast("list[list[list[str]]]", happened["insert"]["external_ids"])
        key = key_of(dict(cast("list[tuple[str, str]]", ids[1])))
        if key is not None and key.policy:
            yield key.policy, key.switch


@contextlib.contextmanager
def _other(work: Callable[[Path, Connection], None], socket: Path) -> Iterator[Callable[[], float]]:
    """Run another client as a process of its own; gives how to end it and ask what it found."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(socket, theirs), daemon=True)
    process.start()
    theirs.close()
    ours.recv()

    def end() -> float:
        ours.send("end")
        return float(ours.recv())

    try:
        yield end
    finally:
        process.kill()
        process.join()


async def _sync(remotes: list[str], compiler: IncrementalCompiler) -> int:
    """Write everything as the daemon does; gives the number of transactions."""
    northbound = Northbound(Options([Remote(each) for each in remotes]))
    await northbound.start()
    desired: Desired = compiler.desired
    transactions = 0
    try:
        while True:
            await northbound.wake.wait()
            northbound.wake.clear()
            result = await northbound.reconcile(desired, Delta(), may_wait=compiler.may_wait)
            transactions += bool(result.operations)
            if result.settled:
                return transactions
            if result.problem:
                say("  a round failed", f"{result.outcome}: {result.problem}")
    finally:
        await northbound.close()


if __name__ == "__main__":
    sys.exit(main())
