"""Who writes: locks, standbys, and the leaders of clusters. All servers are real."""

import asyncio
import time

from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired
from tests.northbound.real import Daemon, add_switches, dump_ours, options_of, running
from tests.services.ovsdb import OvsdbServer
from tests.services.raft import RaftCluster

OTHER = desired([VIDEO, VOICE], [address_set("set_a", "10.0.0.9"), TALKERS])
"""Like BOTH, but for the members of one set."""


async def test_a_stolen_lock_stops_the_writer(ovsdb_nb: OvsdbServer) -> None:
    """A daemon whose lock is stolen writes nothing, notices at once, and gets the lock back when it is free."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        before = dump_ours(ovsdb_nb)
        thief = await _steal(ovsdb_nb)
        result = await daemon.round(OTHER)
        assert result.outcome in {RoundOutcome.LOST_LOCK, RoundOutcome.STANDBY}
        await daemon.run_until(lambda: not daemon.facts.lock_held)
        assert (await daemon.round()).outcome is RoundOutcome.STANDBY
        assert dump_ours(ovsdb_nb) == before
        thief.close()
        await daemon.run_until(lambda: daemon.facts.lock_held and daemon.results[-1].settled)
    assert "10.0.0.9" in dump_ours(ovsdb_nb)


async def test_of_two_daemons_one_writes(ovsdb_nb: OvsdbServer) -> None:
    """The second daemon stands by; when the first is gone it takes over within a second and writes what is missing."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix), writer=False) as second:
        await second.wait_until(lambda: second.facts.lock_held)
        async with running(options_of(ovsdb_nb.unix), writer=False) as standby:
            assert not standby.facts.lock_held
            await second.write(BOTH)
            assert (await standby.round(BOTH)).outcome is RoundOutcome.STANDBY
            await second.northbound.close()
            begun = time.monotonic()
            await standby.run_until(lambda: standby.results[-1].settled)
            assert time.monotonic() - begun < 1.0
            assert standby.watcher.transactions == []
            assert (await standby.round(OTHER)).outcome is RoundOutcome.COMMITTED


async def test_a_moved_leader_is_followed() -> None:
    """When the leader of a cluster hands over, the daemon follows; when it is killed, too; nothing is written twice."""
    with RaftCluster() as cluster:
        cluster.nbctl("ls-add", "node1", "--", "ls-add", "node2")
        async with running(options_of(*cluster.remotes.split(","))) as daemon:
            await daemon.write(BOTH)
            leader = cluster.move_leadership()
            await daemon.run_until(lambda: daemon.facts.remote.endswith(f"{cluster.members[leader].socket}"))
            await daemon.run_until(lambda: daemon.facts.lock_held)
            assert (await daemon.write(OTHER)).settled
            cluster.kill(leader)
            assert (await daemon.round(BOTH)).outcome is not RoundOutcome.COMMITTED
            await daemon.run_until(lambda: daemon.results[-1].settled)
            assert await daemon.settle() == []
        rows = cluster.nbctl("--bare", "--columns=match", "list", "QoS").split("\n")
        assert sorted(filter(None, rows)) == sorted([VIDEO.match, VOICE.match])
        assert "10.0.0.9" not in cluster.nbctl("list", "Address_Set")


async def test_a_cluster_that_was_made_anew() -> None:
    """A cluster that was made anew is used although its log is shorter than that of the one before it."""
    with RaftCluster(size=1) as cluster:
        (member,) = cluster.members
        cluster.nbctl("ls-add", "node1", "--", "ls-add", "node2")
        async with running(options_of(member.unix)) as daemon:
            await daemon.write(BOTH)
            for number in range(10):
                cluster.nbctl("set", "NB_Global", ".", f"external_ids:number={number}")
            await daemon.settle()
            before = daemon.connections
            member.restart(keep_database=False)
            member.ctl("init")
            cluster.nbctl("ls-add", "node1", "--", "ls-add", "node2")
            await daemon.run_until(lambda: daemon.connections > before + 1 and daemon.facts.lock_held)
            await daemon.settle()
        assert VIDEO.match in cluster.nbctl("--bare", "--columns=match", "list", "QoS").split("\n")


async def test_a_follower_alone_is_not_used() -> None:
    """A lone follower of a cluster is not used, because its locks aren't the cluster's; the problem says so."""
    with RaftCluster() as cluster:
        follower = (cluster.leader() + 1) % 3
        daemon = Daemon(options_of(cluster.members[follower].unix))
        await daemon.northbound.start()
        try:
            await daemon.wait_until(lambda: "isn't the leader" in daemon.facts.problem)
            assert not daemon.facts.lock_held
        finally:
            await daemon.northbound.close()


async def _steal(server: OvsdbServer) -> asyncio.StreamWriter:
    """Steal the lock on a connection of its own, which holds it as long as it is open."""
    reader, writer = await asyncio.open_unix_connection(server.socket)
    writer.write(b'{"id":1,"method":"steal","params":["nqosd"]}')
    await writer.drain()
    assert b'"locked":true' in await asyncio.wait_for(reader.read(1000), 5)
    return writer
