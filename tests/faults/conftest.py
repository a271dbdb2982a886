"""A cluster of its own for the tests of faults, since they kill its servers, and a site for each test."""

from collections.abc import Iterator

import pytest

from tests.faults.cluster import Cluster
from tests.faults.site import Site, open_site
from tests.services.ovsdb import OvsdbServer


@pytest.fixture(scope="session")
def faulty_cluster() -> Iterator[Cluster]:
    """Give a cluster whose servers a test may kill, if it starts them again."""
    with Cluster.started() as cluster:
        yield cluster


@pytest.fixture
def site(faulty_cluster: Cluster, ovsdb_nb: OvsdbServer) -> Iterator[Site]:
    """Give a site with objects, and a daemon that has converged."""
    with open_site(faulty_cluster, ovsdb_nb) as found:
        found.fill()
        found.start_daemon()
        found.settle()
        yield found


@pytest.fixture
def bare_site(faulty_cluster: Cluster, ovsdb_nb: OvsdbServer) -> Iterator[Site]:
    """Give a site with objects and no daemon yet."""
    with open_site(faulty_cluster, ovsdb_nb) as found:
        found.fill()
        yield found
