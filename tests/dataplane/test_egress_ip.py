"""EgressIP beside a policy on a primary layer2 network, on real packets."""

import pytest

from tests.dataplane.egress_ip import measure
from tests.services.generation import INSTALLED, OvnGeneration

CURRENT = [each for each in INSTALLED if each.is_current]


@pytest.mark.parametrize("generation", CURRENT, ids=lambda one: one.series)
def test_a_served_pod_is_reached_from_outside(generation: OvnGeneration) -> None:
    """Without EgressIP's mark nothing comes back; with it answers come, marked and limited as a policy says."""
    assert [each for each in measure(generation) if not each.agrees] == []
