"""Faults of a database that is kept by a cluster of servers (RAFT)."""

from collections.abc import Iterator, Mapping

import pytest

from tests.faults.cluster import Cluster
from tests.faults.site import Site, open_site
from tests.services.generation import GENERATIONS
from tests.services.raft import RaftCluster


@pytest.fixture
def members(faulty_cluster: Cluster) -> Iterator[tuple[RaftCluster, Site]]:
    """Give a database with three members, and a site with a daemon that has converged."""
    with (
        RaftCluster(GENERATIONS[-1]) as raft,
        open_site(faulty_cluster, raft.members[raft.leader()], database=Leader(raft)) as site,
    ):
        site.fill()
        site.start_daemon(remotes=raft.remotes.split(","))
        site.settle()
        yield raft, site


class Leader:
    """The database, read and written at whichever member leads."""

    def __init__(self, raft: RaftCluster) -> None:
        self._raft = raft

    def transact(self, *operations: Mapping[str, object]) -> list[dict[str, object]]:
        """Run operations at the leader."""
        return self._raft.members[self._raft.leader()].transact(*operations)


def test_the_leader_moves(members: tuple[RaftCluster, Site]) -> None:
    """The daemon follows the leader; nothing is written twice."""
    raft, site = members
    before = site.read().own
    raft.move_leadership()
    assert site.settle().own == before
    site.change()
    site.settle()


def test_the_leader_is_killed(members: tuple[RaftCluster, Site]) -> None:
    """The daemon finds the next leader, and what was on its way is made up for."""
    raft, site = members
    leader = raft.leader()
    site.change()
    raft.kill(leader)
    site.settle(60)
    raft.restart(leader)
    site.change()
    site.settle()


def test_a_member_is_cut_off(members: tuple[RaftCluster, Site]) -> None:
    """A leader that is frozen is left for the next one; when it wakes up as a follower, nothing is lost."""
    raft, site = members
    leader = raft.leader()
    member = raft.members[leader]
    member.pause()
    try:
        site.change()
        member.wait_until(lambda: any(each.is_leader for each in raft.members if each is not member), what="replaced")
        site.settle(60)
    finally:
        member.resume()
    site.change()
    site.settle()
