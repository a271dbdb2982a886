"""A cluster of its own for chaos, whose servers may be killed and whose objects can be read in etcd."""

from collections.abc import Iterator

import pytest

from tests.chaos.stores import JSON_STORAGE
from tests.faults.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a cluster that stores JSON; who harms its servers mends them."""
    with Cluster.started(flags=JSON_STORAGE) as started:
        yield started
