"""High availability: three daemons, of which one writes."""

from tests.faults.cluster import Cluster
from tests.faults.site import Site
from tools.failover import GOAL, measure


def test_another_daemon_takes_over_at_once_and_writes_nothing_else(faulty_cluster: Cluster) -> None:
    """The active one is killed three times: a pending change is committed within the goal, and no row is rewritten."""
    found = list(measure(faulty_cluster, 3, daemons=3))
    assert max(each.seconds for each in found) < GOAL
    assert not [each.others for each in found if each.others]


def test_a_standby_is_ready_and_says_what_it_is(site: Site) -> None:
    """The probe and the metrics tell the roles apart."""
    standby = site.start_daemon()
    assert standby.probe("readyz")[0] == 200
    assert [each.probe("readyz")[1]["role"] for each in site.daemons] == ["active", "standby"]
    assert [each.metric("nqosd_lock_held") for each in site.daemons] == [1, 0]
    site.daemon.stop()
    standby.wait_until(lambda: standby.probe("readyz")[1]["role"] == "active", what="active")
    site.settle()
    assert site.operations() == 0
