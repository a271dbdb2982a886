"""A daemon of a zone that hears only of the pods that matter there."""

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from nqosd.daemon.peer_needs import MOST
from nqosd.status.leases import ANNOTATION, report_name
from nqosd.status.zone_report import ZoneReport, decode_report
from tests.faults import manifests
from tests.faults.cluster import OF_LEASES
from tests.faults.liar import Answer, Liar
from tests.faults.manifests import NODES
from tests.faults.site import Site
from tests.faults.test_answers import empty_list
from tests.faults.test_out_of_touch import has_lock, said
from tests.services.daemon import Nqosd

AUTO = {"kubernetes": {"pods": "auto"}}


@pytest.fixture
def zone(bare_site: Site) -> Site:
    """Give the database of the first node, with pods and policies, and a daemon that hears of some pods."""
    bare_site.zone = NODES[0]
    bare_site.nb.nbctl("set", "NB_Global", ".", f"name={bare_site.zone}")
    bare_site.start_daemon(options=AUTO)
    return bare_site


def pods(site: Site, *selected: tuple[str, str]) -> int:
    """Count the pods of the zone, and those elsewhere whose namespace and app are selected."""
    items = json.loads(site.cluster.server.request("GET", "/api/v1/pods"))["items"]
    return sum(
        each["spec"].get("nodeName") == site.zone
        or (each["metadata"]["namespace"], each["metadata"].get("labels", {}).get("app")) in selected
        for each in items
    )


def heard(site: Site) -> float:
    """Give how many pods the daemon knows."""
    return site.daemon.metric("nqosd_objects", kind="Pod")


def test_a_zone_hears_of_its_pods_and_their_peers_and_has_the_same_rows(zone: Site) -> None:
    """Its rows are those that all objects mean, through changes of everything; pods that don't matter aren't heard."""
    zone.settle()
    other = zone.add_pod("other", node=NODES[1], app="other")
    for _ in range(4):
        zone.change()
        zone.settle()
    db, new = (zone.namespace, "db"), (zone.namespace, "other")
    zone.daemon.wait_until(lambda: heard(zone) == pods(zone, db), what="deaf to other pods")
    peer = [manifests.rule(9, to=[{"podSelector": {"matchLabels": {"app": "other"}}}])]
    zone.cluster.create(manifests.policy(zone.namespace, "to-other", rules=peer))
    zone.settle()
    zone.daemon.wait_until(lambda: heard(zone) == pods(zone, db, new), what="aware of the new peer")
    zone.cluster.delete(other)
    zone.settle()


def test_rows_stay_until_new_peers_have_been_listed(zone: Site) -> None:
    """A policy whose new peers can't be listed keeps its rows; others go on, and it is applied when they can be."""
    zone.add_pod("other", node=NODES[1], app="other")
    apart = manifests.policy(zone.namespace, "apart", app="apart", rules=[manifests.rule(9)])
    zone.cluster.create(apart)
    before = zone.settle().own.rows
    refusal = Answer(b"{}", status=HTTPStatus.INTERNAL_SERVER_ERROR)
    with Liar(zone.cluster.server) as liar:
        liar.tell(lambda path: refusal if "app%3Dother" in path or "app=other" in path else None)
        zone.api.lead_to(liar.port)
        zone.settle()
        to_other = [manifests.rule(11, to=[{"podSelector": {"matchLabels": {"app": "other"}}}])]
        change = {"spec": manifests.policy(zone.namespace, "first", rules=to_other)["spec"]}
        zone.cluster.patch(manifests.policy(zone.namespace, "first"), change)
        zone.add_pod("newcomer", app="apart")
        zone.daemon.wait_until(lambda: liar.lies > 0 and len(zone.read().own.rows) > len(before), what="going on")
        assert set(before) <= set(zone.read().own.rows)
        zone.api.lead_to(zone.cluster.server.port)
        zone.settle()
    assert not set(before) <= set(zone.read().own.rows)


def test_a_zone_that_gets_another_node_hears_of_its_pods(zone: Site) -> None:
    """A node that joins the zone brings its pods as senders, and takes them away when it leaves."""
    zone.settle()
    node: manifests.Json = {"kind": "Node", "metadata": {"name": NODES[1]}}
    for name in (zone.zone, None):
        zone.cluster.patch(node, {"metadata": {"annotations": {"k8s.ovn.org/zone-name": name}}})
        zone.settle()


def test_the_api_server_killed_and_back(zone: Site) -> None:
    """What changed while it was away is made up for by every watch."""
    zone.settle()
    zone.cluster.server.kill()
    zone.cluster.server.start()
    zone.change()
    zone.change()
    zone.settle()


def test_a_standby_that_lacks_peers_writes_nothing_over_newer_rows(zone: Site) -> None:
    """It has heard of the change that it can't compile, but knows no more than what came before that."""
    zone.add_pod("other", node=NODES[1], app="other")
    zone.settle()
    refusal = Answer(b"{}", status=HTTPStatus.INTERNAL_SERVER_ERROR)
    with Liar(zone.cluster.server) as liar:
        liar.tell(lambda path: refusal if "app%3Dother" in path or "app=other" in path else None)
        kubeconfig = zone.cluster.kubeconfig(zone.directory / "liar.kubeconfig", port=liar.port)
        standby = zone.start_daemon(kubeconfig=kubeconfig, options={**AUTO, "northbound": {"yield_after": 3600}})
        to_other = [manifests.rule(11, to=[{"podSelector": {"matchLabels": {"app": "other"}}}])]
        change = {"spec": manifests.policy(zone.namespace, "first", rules=to_other)["spec"]}
        zone.cluster.patch(manifests.policy(zone.namespace, "first"), change)
        standby.wait_until(lambda: "out of touch" in said(standby), what="out of touch")
        zone.daemon.wait_until(lambda: not zone.differences(), what="in step")
        zone.daemon.kill()
        standby.wait_until(lambda: "written by" in said(standby), what="kept from writing")
        assert has_lock(standby)
        assert not zone.differences()


class Tenant:
    """Changes the peers of a policy before the pods of the last ones have been listed, so that it always waits."""

    def __init__(self, site: Site, liar: Liar) -> None:
        self._site = site
        self._policy = manifests.policy(site.namespace, "first")
        self.versions: list[int] = []
        """Those of the policy."""
        liar.tell(lambda path: time.sleep(1.0) if "app%3Dv" in path or "app=v" in path else None)

    def change(self, times: int, until: Callable[[], bool] = lambda: False) -> bool:
        """Change them so many times, or until something holds; say whether it did."""
        for _ in range(times):
            to = [{"podSelector": {"matchLabels": {"app": f"v{len(self.versions)}"}}}]
            rules = [manifests.rule(9, to=to)]
            self._site.cluster.patch(self._policy, {"spec": manifests.policy("", "", rules=rules)["spec"]})
            self.versions.append(self._site.cluster.version(self._policy))
            if until():
                return True
            time.sleep(0.2)
        return False


def test_who_changes_peers_again_and_again_keeps_no_report_from_others(zone: Site) -> None:
    """Only of that namespace it reaches no further than to where the policy was applied last."""
    zone.settle()
    other = f"{zone.namespace}-other"
    zone.cluster.create_namespace(other)
    goes_on = manifests.policy(other, "goes-on", rules=[manifests.rule(9)])
    with Liar(zone.cluster.server) as liar:
        tenant = Tenant(zone, liar)
        zone.api.lead_to(liar.port)
        zone.settle()
        tenant.change(10)
        zone.cluster.create(goes_on)
        version = zone.cluster.version(goes_on)
        assert tenant.change(200, until=lambda: report_of(zone).reaches(other) >= version)
        assert report_of(zone).reaches(zone.namespace) < tenant.versions[0]
        zone.api.lead_to(zone.cluster.server.port)
        reaches_all = lambda: report_of(zone).reaches(zone.namespace) >= tenant.versions[-1]  # noqa: E731
        zone.daemon.wait_until(reaches_all, what="done with all")
    zone.cluster.server.delete_namespace(other)
    zone.settle()


def test_who_changes_peers_again_and_again_keeps_no_standby_from_writing(zone: Site) -> None:
    """One that is slower than the one before is in touch, and knows all but what the tenant's policy waits for."""
    zone.settle()
    with Liar(zone.cluster.server) as liar:
        tenant = Tenant(zone, liar)
        kubeconfig = zone.cluster.kubeconfig(zone.directory / "liar.kubeconfig", port=liar.port)
        zone.start_daemon(kubeconfig=kubeconfig, options=AUTO)
        zone.settle()
        tenant.change(10)
        zone.daemon.kill()
        zone.add_pod("newcomer", app="apart")
        zone.cluster.create(manifests.policy(zone.namespace, "apart", app="apart", rules=[manifests.rule(9)]))
        of_apart = f'external_ids:"nqosd.io/policy"="{zone.namespace}/apart"'
        assert tenant.change(
            300, until=lambda: bool(zone.nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", of_apart))
        )
        liar.stop_lying()
        zone.settle()


def report_of(site: Site) -> ZoneReport:
    """Read what the zone reports."""
    lease = json.loads(site.cluster.server.request("GET", f"{OF_LEASES}/{report_name(site.zone)}"))
    found = decode_report(lease["metadata"]["annotations"][ANNOTATION])
    assert found is not None
    return found


def test_lists_of_no_pods_are_believed_the_second_time(zone: Site) -> None:
    """Each watch knows of few pods; that all of them are answered by an empty list at once empties no set."""
    before = zone.settle()
    nothing = empty_list("v1", "Pod")
    with Liar(zone.cluster.server) as liar:
        lied = set[str]()

        def lie(path: str) -> Answer | None:
            """Answer the first list of each watch with nothing, and hold the next."""
            if "/pods?" not in path:
                return None
            if "sendInitialEvents" not in path:
                return Answer()  # a watch that ends at once is followed by a list
            is_first = path not in lied
            lied.add(path)
            return nothing if is_first else Answer(silent=True)

        zone.api.lead_to(liar.port)
        liar.tell(lie)
        zone.daemon.wait_until(lambda: len(lied) > 1 and doubted(zone) == len(lied), what="doubted by each watch")
        assert zone.read().versions == before.versions
        assert "objects that are known aren't there" in said(zone.daemon)
        liar.stop_lying()
        assert zone.settle(60).versions == before.versions
        zone.api.lead_to(zone.cluster.server.port)
        zone.settle()


def test_peers_that_change_again_and_again_keep_nobody_from_hearing(zone: Site) -> None:
    """A tenant who changes the peers of a policy some times a second takes few watches, and the daemon stays in touch.

    Each would take a connection to the API server for a minute, and there are a hundred of these.
    """
    zone.settle()
    before = descriptors(zone.daemon)
    for number in range(150):
        to = [{"podSelector": {"matchLabels": {"app": f"v{number}"}}}]
        change = {"spec": manifests.policy(zone.namespace, "first", rules=[manifests.rule(9, to=to)])["spec"]}
        zone.cluster.patch(manifests.policy(zone.namespace, "first"), change)
        time.sleep(0.05)
        if number % 10 == 0:
            assert zone.daemon.is_ready(), said(zone.daemon)
            assert descriptors(zone.daemon) < before + 2 * MOST
    zone.settle()


def descriptors(daemon: Nqosd) -> int:
    """Count what a daemon has open."""
    return sum(1 for _ in Path(f"/proc/{daemon.pid}/fd").iterdir())


def doubted(site: Site) -> float:
    """Give how many lists weren't believed."""
    return site.daemon.metric("nqosd_watch_restarts_total", reason="doubted")
