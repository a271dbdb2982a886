"""The sampler sees what a real daemon says, beside what is really stored."""

from tests.chaos.truth import Truth
from tests.faults.cluster import Cluster
from tests.faults.relay import Way
from tests.faults.site import open_site
from tests.services.ovsdb import OvsdbServer


def test_a_look_finds_differences_whatever_is_frozen(cluster: Cluster, ovsdb_nb: OvsdbServer) -> None:
    """What was written is compared with what the objects mean, though API server, database and line hang."""
    with open_site(cluster, ovsdb_nb) as site:
        site.fill()
        site.start_daemon()
        site.settle()
        truth = Truth(site)
        look = truth.look()
        assert look is not None
        assert look.converged
        site.api.hold(Way.DOWN)
        site.change()
        site.nb.pause()
        cluster.server.pause()
        try:
            blind = truth.look()
        finally:
            cluster.server.resume()
            site.nb.resume()
        assert blind is not None
        assert any(what.startswith("QoS ") for what in blind.differences)
        assert any(what.startswith("Address_Set ") for what in blind.differences)
        site.api.let_go()
        site.settle()
        after = truth.look()
        assert after is not None
        assert after.differences == {}
