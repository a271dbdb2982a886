"""How often a packet counts, and where: on every kind of network, to every place, directly and through a service."""

import time
from collections.abc import Collection, Iterator
from ipaddress import ip_address

import attrs
import pytest

from tests.dataplane.cases import SERVICE_PORT, TRAFFIC, Policy
from tests.dataplane.laboratory import Laboratory, laboratory
from tests.dataplane.matrix import Matrix
from tests.dataplane.sites import SITES, Site
from tests.dataplane.traffic import COPIES, Address, Flow, Traffic
from tests.services.generation import GENERATIONS
from tests.services.stats import Exporter
from tests.statistics.stage import LAG

PORT = 7001
RULE = {"dscp": 10, "bandwidth": {"rate": 1_000_000}, "classifier": {"ports": [{"protocol": "UDP"}]}}
"""It holds for all that a test sends, and never drops any of it."""
pytestmark = pytest.mark.timeout(300)


@attrs.frozen
class Place:
    """All sites, an exporter for each node, and a sender."""

    laboratory: Laboratory
    exporters: tuple[Exporter, ...]
    traffic: Traffic

    def counted(self, site: Site) -> list[tuple[int, int]]:
        """Give the packets of a site's rule that each node has marked, and those that met its limit."""
        found = []
        for exporter in self.exporters:
            figures = [c.figures for place, c in exporter.counts().items() if place.rule.namespace == site.namespace]
            met = sum(each.passed_packets + each.dropped_packets for each in figures)
            found.append((sum(each.marked_packets for each in figures), met))
        return found

    def send(self, flows: list[Flow]) -> int:
        """Send a few datagrams of each flow; give how many."""
        with self.laboratory.bed.underlay.capture(self.laboratory.bed.nodes[0].port) as wire:
            marks = self.traffic.mark(flows, wire)
        assert all(None not in each.arrived for each in marks.values())
        time.sleep(LAG)
        return COPIES * len(flows)


@pytest.fixture(scope="module", params=GENERATIONS, ids=lambda each: each.series)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Run everything, with a policy on each site."""
    with laboratory(request.param) as lab, Traffic() as traffic:
        Matrix(lab, SITES, traffic)
        for site in SITES:
            for receiver in site.receivers(lab).values():
                traffic.listen(receiver.namespace, [PORT])
        lab.cluster.put(site.manifest("counted", Policy(10, (RULE,))) for site in SITES)
        lab.settle()
        central = lab.bed.central
        bridges = [(node.chassis.directory / "br-int.mgmt", node.name) for node in lab.bed.nodes]
        first, second = (Exporter(central.nb.unix, central.sb.unix, bridge, name) for bridge, name in bridges)
        with first, second:
            yield Place(lab, (first, second), traffic)


def direct(place: Place, site: Site, receivers: Collection[str] = TRAFFIC) -> list[Flow]:
    """Give flows from a site's sender to receivers, in both families."""
    sender = place.laboratory.bed.pods[site.pods[0].key].namespace
    found = site.receivers(place.laboratory)
    return [Flow(sender, address, PORT) for traffic in receivers for address in found[traffic].addresses]


def gained(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give what each node has counted between: marked, and met by the limit."""
    return [(a[0] - b[0], a[1] - b[1]) for a, b in zip(after, before, strict=True)]


@pytest.mark.parametrize("site", SITES, ids=lambda each: each.title)
def test_a_packet_meets_its_limit_once(place: Place, site: Site) -> None:
    """To a pod beside it, on the other node and outside: a packet meets its limit once, where it is sent.

    Its mark is counted once too, but for localnet networks before OVN 24.09: there the other node marks it again, as it
    comes in from the underlay.
    """
    before = place.counted(site)
    sent = place.send(direct(place, site))
    (marked, met), (marked_again, met_again) = gained(before, place.counted(site))
    assert (marked, met, met_again) == (sent, sent, 0)
    is_counted_again = site.network.topology == "localnet" and not place.laboratory.bed.generation.merges_qos_tables
    across = len(direct(place, site, TRAFFIC[1:2])) * COPIES
    assert marked_again == (across if is_counted_again else 0)


@pytest.mark.parametrize("site", [site for site in SITES if site.has_services], ids=lambda each: each.title)
def test_a_packet_to_a_service_meets_its_limit_once(place: Place, site: Site) -> None:
    """A packet to a service meets the limit once, also where a router hands it back to a switch of its network.

    Its mark is counted once since OVN 24.09. Before, where marks have a table of their own, what is handed back is
    marked again, and counts again.
    """
    sender = place.laboratory.bed.pods[site.pods[0].key].namespace
    addresses: list[Address] = [ip_address(each) for traffic in TRAFFIC for each in site.services()[traffic]]
    before = place.counted(site)
    sent = place.send([Flow(sender, address, SERVICE_PORT) for address in addresses])
    (marked, met), (marked_again, met_again) = gained(before, place.counted(site))
    assert (met, met_again) == (sent, 0)
    if place.laboratory.bed.generation.merges_qos_tables:
        assert (marked, marked_again) == (sent, 0)
    else:
        assert sent < marked + marked_again < 2 * sent
