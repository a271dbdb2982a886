"""What ovn-kubernetes' own NetworkQoS controller has left behind, or still writes, is noticed and disturbs nobody."""

import json

import pytest

from tests.faults.fake_old_controller import FakeOldController
from tests.faults.manifests import NODES, Json
from tests.faults.site import Site
from tests.faults.test_ownership import Commands
from tests.faults.test_zones import APPLIED, Zones, zones

__all__ = ["zones"]


def old_controllers(zones: Zones) -> list[FakeOldController]:
    """Let the old controllers of both nodes have written all that they write."""
    found = [FakeOldController(site.cluster, site.nb, site.zone, zones.home.namespace) for site in zones.sites]
    for each in found:
        each.reconcile()
    return found


def types(zones: Zones) -> set[str]:
    """Give the types of the policy's conditions."""
    conditions = zones.status().get("conditions", [])
    assert isinstance(conditions, list)
    return {each["type"] for each in conditions}


@pytest.mark.parametrize("moved", [True, False], ids=["that had moved over", "that never moved over"])
def test_a_node_goes_whose_old_controller_owns_parts_of_its_condition(zones: Zones, *, moved: bool) -> None:
    """Its condition is removed whole, although the old controller's field manager is the owner of parts, or of all."""
    old_controllers(zones)
    assert types(zones) == {f"Ready-In-Zone-{node}" for node in NODES}
    for site in zones.sites if moved else zones.sites[:1]:
        Commands(site).run("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")
        site.start_daemon()
    if moved:
        zones.await_summary(APPLIED)
        zones.sites[1].daemon.stop()
    node: Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}
    zones.home.cluster.delete(node)
    try:
        gone = "Ready-In-Zone-n2"
        zones.home.daemon.wait_until(lambda: gone not in types(zones), what="done with the zone that is gone")
        zones.await_summary(APPLIED)
    finally:
        zones.home.cluster.create(node)


def policies(site: Site) -> dict[str, str]:
    """Give what the conditions of each policy say."""
    path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{site.namespace}/networkqoses"
    items = json.loads(site.cluster.server.request("GET", path))["items"]
    return {
        each["metadata"]["name"]: " ".join(it["message"] for it in each.get("status", {}).get("conditions", []))
        for each in items
    }


def test_an_old_controller_that_has_nothing_to_do_is_no_proof_that_it_is_off(bare_site: Site) -> None:
    """A takeover says which status it wrote last, and when."""
    site = bare_site
    site.nb.nbctl("destroy", "Address_Set", "foreign")
    site.nb.nbctl("set", "NB_Global", ".", "name=n1")
    old = FakeOldController(site.cluster, site.nb, "n1", site.namespace)
    takeover = ("takeover", "--from", "ovn-kubernetes", "--watch", "1")
    commands = Commands(site)
    assert commands.document(*takeover)["warnings"] == []
    old.reconcile()
    (warning,) = commands.document(*takeover)["warnings"]
    assert f"{site.namespace}/" in warning
    assert "nothing shows whether it is off" in warning


def test_an_old_controller_that_writes_again_is_noticed(bare_site: Site) -> None:
    """Its rows are counted, logged and named in the conditions of their policies, and a takeover ends that."""
    site = bare_site
    site.nb.nbctl("destroy", "Address_Set", "foreign")
    daemon = site.start_daemon()
    site.note_others()
    site.settle()
    assert daemon.metric("nqosd_ovn_kubernetes_rows") == 0
    FakeOldController(site.cluster, site.nb, "n1", site.namespace).reconcile()
    daemon.wait_until(lambda: daemon.metric("nqosd_ovn_kubernetes_rows") == 4, what="counting its rows")
    daemon.wait_until(
        lambda: all("own controller has 2 rows" in each for each in policies(site).values()), what="telling policies"
    )
    assert daemon.log_file.read_text().count("own NetworkQoS controller has rows here") == 1
    daemon.stop()
    site.daemons.clear()
    assert Commands(site).document("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")["applied"]
    daemon = site.start_daemon()
    daemon.wait_until(
        lambda: not any("controller" in each for each in policies(site).values()), what="telling policies"
    )
    assert daemon.metric("nqosd_ovn_kubernetes_rows") == 0
    site.settle()
