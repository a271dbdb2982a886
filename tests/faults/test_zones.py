"""Two databases, one for each node, and what their daemons say about one policy together."""

import json
import time
from collections.abc import Iterator

import pytest

from nqosd.status.reports import OLD
from tests.faults import manifests
from tests.faults.cluster import OF_LEASES, Cluster
from tests.faults.manifests import NODES, Json
from tests.faults.site import Site, open_site
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

ONE = {"summary": "1/1", "withSenders": 1, "ready": 1, "failing": 0}
APPLIED = "NetworkQoS Destinations applied"


class Zones:
    """Two databases, named as the two nodes, with a daemon each."""

    def __init__(self, sites: tuple[Site, Site]) -> None:
        self.sites = sites
        for site, node in zip(sites, NODES, strict=True):
            site.zone = node
            site.nb.nbctl("set", "NB_Global", ".", f"name={node}")
        self.home = sites[0]

    def status(self, name: str = "both") -> Json:
        """Return the status of a policy."""
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{self.home.namespace}/networkqoses/{name}"
        found: Json = json.loads(self.home.cluster.server.request("GET", path)).get("status", {})
        return found

    def conditions(self) -> dict[str, Json]:
        """Return the conditions by type."""
        conditions = self.status().get("conditions", [])
        assert isinstance(conditions, list)
        return {each["type"]: each for each in conditions}

    def ready(self) -> tuple[object, object]:
        """Return the status and the reason of `Ready`."""
        found = self.conditions().get("Ready", {})
        return found.get("status"), found.get("reason")

    def leases(self) -> set[str]:
        """Return the zones that have a Lease for their report."""
        items = json.loads(self.home.cluster.server.request("GET", f"{OF_LEASES}?labelSelector=nqosd.io/report"))[
            "items"
        ]
        return {each["metadata"]["name"].removeprefix("nqosd-zone-") for each in items}

    def leave_n2(self) -> None:
        """Delete the pod there, the zone's only sender."""
        self.home.cluster.delete({"kind": "Pod", "metadata": {"namespace": self.home.namespace, "name": "on-n2"}})

    def await_summary(self, text: str) -> None:
        """Wait until the summary begins like this."""
        daemon = next(each for site in self.sites for each in site.daemons if each.is_running)
        daemon.wait_until(
            lambda: str(self.status().get("status", "")).startswith(text), what=f"saying {text!r}: {self.status()}"
        )


@pytest.fixture
def zones(faulty_cluster: Cluster) -> Iterator[Zones]:
    """Give two zones, a policy with a source pod on each node, and no daemon yet."""
    with (
        OvsdbServer(GENERATIONS[0]) as one,
        OvsdbServer(GENERATIONS[1]) as other,
        open_site(faulty_cluster, one) as first,
        open_site(faulty_cluster, other) as second,
    ):
        found = Zones((first, second))
        first.cluster.create(manifests.policy(first.namespace, "both", rules=[manifests.rule(1)]))
        for node in NODES:
            first.add_pod(f"on-{node}", node=node)
        yield found


def test_a_policy_is_applied_when_every_zone_with_source_pods_says_so(zones: Zones) -> None:
    """The first daemon alone names the zone that is missing; with the second one the policy is applied."""
    first, second = zones.sites
    first.start_daemon()
    zones.await_summary("Waiting for zone n2")
    second.start_daemon()
    zones.await_summary(APPLIED)
    assert zones.ready() == ("True", "Applied")
    assert zones.conditions().keys() == {"Ready"}
    assert zones.status()["zones"] == {"summary": "2/2", "withSenders": 2, "ready": 2, "failing": 0}
    assert zones.leases() == set(NODES)
    for site in zones.sites:
        assert site.settle().own.rows


def test_a_zone_without_source_pods_is_not_waited_for(zones: Zones) -> None:
    """When the last source pod of a zone without a daemon goes, the policy is applied."""
    zones.home.start_daemon()
    zones.await_summary("Waiting for zone n2")
    zones.leave_n2()
    zones.await_summary(APPLIED)
    zones.home.add_pod("again", node="n2")
    zones.await_summary("Waiting for zone n2")


def test_a_zone_that_fails_is_named(zones: Zones) -> None:
    """The summary says which zone waits for what, whichever daemon writes last."""
    for site in zones.sites:
        site.start_daemon()
    zones.await_summary(APPLIED)
    zones.sites[1].nb.nbctl("ls-del", "n2")
    zones.await_summary("Not applied in zone n2")
    assert zones.ready() == ("False", "WaitingForSwitch")
    assert zones.conditions().keys() == {"Ready", "Ready-In-Zone-n2"}
    zones.sites[1].nb.nbctl("ls-add", "n2")
    zones.await_summary(APPLIED)
    assert zones.conditions().keys() == {"Ready"}


def test_who_hears_of_some_pods_asks_all_zones(zones: Zones) -> None:
    """With `kubernetes.pods = "auto"` senders may be in any zone: one that nobody hears of is waited for, and named."""
    first, second = zones.sites
    zones.home.cluster.delete({"kind": "Pod", "metadata": {"namespace": zones.home.namespace, "name": "on-n1"}})
    first.start_daemon(options={"kubernetes": {"pods": "auto"}})
    zones.await_summary("Waiting for zone n2")
    second.start_daemon(options={"kubernetes": {"pods": "auto"}})
    zones.await_summary(APPLIED)
    assert zones.conditions()["Ready"]["message"] == "Applied in all 2 zones."
    second.nb.nbctl("ls-del", "n2")
    zones.await_summary("Not applied in zone n2")
    assert zones.ready() == ("False", "WaitingForSwitch")


def test_an_api_server_that_was_away_makes_no_zone_silent(zones: Zones) -> None:
    """Nobody could renew a report while it was; who does so after it is as well as before, and nothing is written."""
    for site in zones.sites:
        site.start_daemon()
    zones.await_summary(APPLIED)
    before, server = zones.status(), zones.home.cluster.server
    server.pause()
    time.sleep(OLD + 10)
    server.resume()
    for _ in range(20):
        time.sleep(0.5)
        assert zones.status() == before
    zones.sites[1].daemons[0].stop()
    zones.await_summary("No report from zone n2")


def test_a_node_that_is_gone_counts_no_more(zones: Zones) -> None:
    """The summary no longer depends on its zone."""
    for site in zones.sites:
        site.start_daemon()
    zones.await_summary(APPLIED)
    node: Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}
    zones.sites[1].daemon.stop()
    zones.home.cluster.delete(node)
    try:
        zones.home.daemon.wait_until(lambda: zones.status()["zones"] == ONE, what="done with the zone that is gone")
        zones.await_summary(APPLIED)
    finally:
        zones.home.cluster.create(node)


def test_a_zone_whose_node_is_missing_keeps_its_rows(zones: Zones) -> None:
    """Nobody can say whose pods are senders there, so nothing is written until it is back, and /readyz says why."""
    site, server = zones.home, zones.home.cluster.server
    zones.leave_n2()
    daemon = site.start_daemon()
    before = site.settle()
    found = json.loads(server.request("GET", "/api/v1/nodes/n1"))["metadata"]
    metadata = {key: found[key] for key in ("name", "annotations") if key in found}
    node: Json = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
    for restarts in (False, True):
        if restarts:
            daemon.stop()
        site.cluster.delete(node)
        try:
            daemon = site.start_daemon() if restarts else daemon
            _await_not_ready(daemon, "no node is of the zone n1")
            _add_policy(site, daemon, "after" if restarts else "before")
            assert site.read().versions == before.versions
        finally:
            site.cluster.create(node)
        before = site.settle()


def _add_policy(site: Site, daemon: Nqosd, name: str) -> None:
    """Add a policy without senders, and wait until the daemon has been told of it."""

    def told() -> float:
        return daemon.metric("nqosd_events_received_total", kind="NetworkQoS")

    before = told()
    site.cluster.create(manifests.policy(site.namespace, name, app="nobody", rules=[manifests.rule(2)]))
    daemon.wait_until(lambda: told() > before, what=f"told of policy {name}")


def _await_not_ready(daemon: Nqosd, words: str) -> None:
    def says() -> bool:
        status, said = daemon.probe("readyz")
        return status == 503 and words in str(said)

    daemon.wait_until(says, what=f"not ready: {words}")


def test_a_status_that_is_settled_is_not_written_again(zones: Zones) -> None:
    """The two daemons agree, so neither has anything to write."""
    for site in zones.sites:
        site.start_daemon()
    zones.await_summary(APPLIED)
    for site in zones.sites:
        site.daemon.settle(1)
    written = [site.daemon.metric("nqosd_status_writes_total") for site in zones.sites]
    for site in zones.sites:
        site.daemon.settle(1)
    assert [site.daemon.metric("nqosd_status_writes_total") for site in zones.sites] == written
