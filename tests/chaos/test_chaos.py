"""A short run of what `make chaos` does at length."""

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.run import run
from tests.faults.cluster import Cluster

SEEDS = (1, 12)
"""One for each generation of OVN."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_changes_under_random_faults_end_where_the_definition_says(cluster: Cluster, seed: int) -> None:
    """After each bout nothing differs; in the end nothing of others was touched, and a restart writes nothing."""
    result = run(cluster, seed, faults=8)
    assert not result.failure, result.failure
    assert result.injected.total() == 8


def test_there_are_many_kinds() -> None:
    """A run at length draws from at least sixty kinds of faults."""
    assert len(KINDS) >= 60
