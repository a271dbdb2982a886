"""A real API server, a real database and a daemon, with a victim that lives there."""

from collections.abc import Iterator

import pytest

from tests.faults.cluster import Cluster
from tests.faults.site import Site, open_site
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer
from tests.tenants.attacker import SWITCHES


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """Give a cluster of several tenants."""
    with Cluster.started() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def victim(shared_cluster: Cluster) -> Iterator[Site]:
    """Give a site of the victim's: its namespace has pods and policies, and the daemon has converged."""
    with OvsdbServer(GENERATIONS[-1], "nb") as nb, open_site(shared_cluster, nb) as site:
        nb.nbctl(*[argument for switch in SWITCHES for argument in ("--", "ls-add", switch)][1:])
        site.note_others()
        site.fill()
        site.start_daemon()
        site.settle()
        yield site
