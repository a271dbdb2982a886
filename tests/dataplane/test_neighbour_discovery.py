"""Neighbour discovery of a limited sender on a flat network that sends far more than its limit, on real packets."""

import pytest

from tests.dataplane.neighbour_discovery import measure
from tests.services.generation import GENERATIONS, OvnGeneration


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda one: one.series)
def test_solicitations_are_answered_under_a_flood(generation: OvnGeneration) -> None:
    """All of them are, though the limit drops nearly all of what the sender sends; without the row few would be."""
    assert [each for each in measure(generation) if not each.agrees] == []
