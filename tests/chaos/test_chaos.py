"""A short run of what `make chaos` does at length."""

import pytest

from tests.chaos.run import run
from tests.faults.cluster import Cluster

SEEDS = (1, 12)
"""One for each generation of OVN."""


@pytest.mark.parametrize("seed", SEEDS)
def test_random_changes_under_random_faults_end_where_the_definition_says(faulty_cluster: Cluster, seed: int) -> None:
    """After eight faults everything is let go: no difference, nothing of others touched, and no write at a restart."""
    assert run(faulty_cluster, seed, faults=8).total() == 8
