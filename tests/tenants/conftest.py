"""A real API server, a real OVN and a daemon, with a victim that lives there."""

from collections.abc import Iterator

import pytest

from tests.faults.cluster import LARGE_OBJECTS, Cluster
from tests.tenants.victim import Victim


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """Give a cluster of several tenants."""
    with Cluster.started(flags=LARGE_OBJECTS) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def victim(shared_cluster: Cluster) -> Iterator[Victim]:
    """Give a victim: its namespace has pods and policies, and the daemon has converged."""
    with Victim.of(shared_cluster) as victim:
        yield victim
