"""Interconnect: each node is a zone with an OVN and a daemon of its own, and a packet takes one rule all the same."""

from collections.abc import Iterator

import pytest

from tests.dataplane.laboratory import Laboratory, laboratory
from tests.dataplane.matrix import Matrix
from tests.dataplane.sites import interconnected
from tests.dataplane.testbed import BY_NODE
from tests.dataplane.traffic import Traffic
from tests.services.generation import GENERATIONS

NEWEST = GENERATIONS[-1]
LAYER3, *_, LAYER2 = interconnected(NEWEST)
"""The default network, and one with a transit router; `make dataplane` measures all."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    """Give two zones under one API server."""
    with laboratory(NEWEST, BY_NODE) as running:
        yield running


def test_packets_between_zones_get_mark_and_limit_of_one_rule(lab: Laboratory) -> None:
    """On layer3 and layer2 each packet is treated as the oracle says, also one to the other zone and one from it."""
    with Traffic() as traffic:
        matrix = Matrix(lab, (LAYER3, LAYER2), traffic)
        (title,) = [title for title in matrix.titles() if title.startswith("mark and limit")]
        cells = matrix.run(title)
    assert [cell for cell in cells if not cell.agrees] == []
    rows = [central.nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split() for central in lab.bed.centrals]
    assert all(rows)
