"""What ovn-kubernetes' own NetworkQoS controller has left behind, or still writes, is noticed and disturbs nobody."""

import pytest

from tests.faults.fake_old_controller import FakeOldController
from tests.faults.manifests import NODES, Json
from tests.faults.test_ownership import Commands
from tests.faults.test_zones import APPLIED, Zones, zones

__all__ = ["zones"]


def old_controllers(zones: Zones) -> list[FakeOldController]:
    """Let the old controllers of both nodes have written all that they write."""
    found = [FakeOldController(site.cluster, site.nb, site.zone, zones.home.namespace) for site in zones.sites]
    for each in found:
        each.reconcile()
    return found


@pytest.mark.parametrize("moved", [True, False], ids=["that had moved over", "that never moved over"])
def test_a_node_goes_whose_old_controller_owns_parts_of_its_condition(zones: Zones, *, moved: bool) -> None:
    """Its condition is removed whole, although the old controller's field manager is the owner of parts, or of all."""
    old_controllers(zones)
    assert zones.zones() == set(NODES)
    for site in zones.sites if moved else zones.sites[:1]:
        Commands(site).run("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")
        site.start_daemon()
    if moved:
        zones.await_summary(APPLIED)
        zones.sites[1].daemon.stop()
    node: Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}
    zones.home.cluster.delete(node)
    try:
        zones.home.daemon.wait_until(lambda: zones.zones() == {"n1"}, what="done with the zone that is gone")
        zones.await_summary(APPLIED)
        assert zones.home.daemon.metric("nqosd_status_writes_total", result="refused") == 0
    finally:
        zones.home.cluster.create(node)
