"""The short form of `make dataplane`: the older generation, two topologies, and the guide's captures.

OVN 23.03 is the harder one: marks and limits are separate tables there, so that two rules could meet in one packet.
"""

from collections.abc import Iterator

import pytest

from tests.dataplane.guide import Guide
from tests.dataplane.laboratory import Laboratory, laboratory
from tests.dataplane.matrix import Matrix
from tests.dataplane.sites import SITES
from tests.dataplane.traffic import Traffic
from tests.services.generation import GENERATIONS

LAYER3, LAYER2 = SITES[0], SITES[2]
CASES = ("two policies, the higher marks", "except", "port", "service")


@pytest.fixture(scope="module")
def traffic() -> Iterator[Traffic]:
    """Give senders and receivers."""
    with Traffic() as opened:
        yield opened


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    """Give the testbed with its daemon and API server."""
    with laboratory(GENERATIONS[0]) as running:
        yield running


@pytest.fixture(scope="module")
def matrix(lab: Laboratory, traffic: Traffic) -> Matrix:
    """Give two sites, ready to be measured."""
    return Matrix(lab, (LAYER3, LAYER2), traffic)


@pytest.mark.parametrize("case", CASES)
def test_packets_get_mark_and_limit_of_one_rule(matrix: Matrix, case: str) -> None:
    """On layer3 and layer2, in both families and all directions, each packet is treated as the oracle says."""
    (title,) = [title for title in matrix.titles() if title.startswith(case)]
    cells = matrix.run(title)
    assert {cell.row.site for cell in cells} == {LAYER3.title, LAYER2.title}
    assert [cell for cell in cells if not cell.agrees] == []


def test_the_guide_s_captures_show_its_mark(lab: Laboratory, traffic: Traffic) -> None:
    """Pings of labelled pods have tos 0x50 in both headers, others 0x0; limits are shared, pass a burst, move along."""
    guide = Guide(lab, traffic)
    assert [each for each, _text in guide.captures() if not each.agrees] == []
    assert [each for each in guide.buckets() if not each.agrees] == []
    assert [each for each in guide.sharing() if not each.agrees] == []
