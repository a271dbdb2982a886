"""Every right that config/rbac grants, taken away alone: what breaks then shows that it is needed.

The API server here can't stream lists, as many can't: there the daemon lists first and then watches.
"""

import contextlib
import json
from collections.abc import Iterator

import pytest
import yaml

from nqosd.daemon.publisher import WHOLE_CLUSTER
from nqosd.status.leases import report_name
from tests.faults.cluster import LEASES, OF_LEASES, ROLE, Cluster
from tests.faults.site import Site, open_site
from tests.faults.test_ownership import Commands
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

RIGHTS = [
    (verb, resource)
    for file in (ROLE, LEASES)
    for rule in yaml.safe_load(file.read_text())["rules"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
]
KINDS = {
    "pods": "Pod",
    "namespaces": "Namespace",
    "nodes": "Node",
    "network-attachment-definitions": "NetworkAttachmentDefinition",
    "networkqoses": "NetworkQoS",
    "userdefinednetworks": "UserDefinedNetwork",
    "clusteruserdefinednetworks": "ClusterUserDefinedNetwork",
}


@pytest.fixture(scope="module")
def listing_site() -> Iterator[Site]:
    """Give a site on a server that can't stream lists."""
    with (
        Cluster.started({"WatchList": False}) as cluster,
        OvsdbServer(GENERATIONS[-1]) as nb,
        open_site(cluster, nb) as site,
    ):
        site.fill()
        yield site


@pytest.mark.parametrize(("verb", "resource"), RIGHTS)
def test_each_right_is_needed(listing_site: Site, verb: str, resource: str) -> None:
    """Without it the daemon never gets ready and writes nothing, or it can't tell what it did; it says so."""
    site = listing_site
    if resource == "leases":
        site.cluster.forget_leases()  # who finds a Lease needs no right to create it
    with without(site.cluster, verb, resource), site.running_alone() as daemon:
        if verb in {"list", "watch"} and resource in KINDS:
            kind = KINDS[resource]
            daemon.wait_until(lambda: kind in str(daemon.probe("readyz")[1]), what="waiting for a list")
            daemon.wait_until(
                lambda: daemon.metric("nqosd_watch_restarts_total", kind=kind, reason="refused") > 1, what="refused"
            )
            assert daemon.probe("readyz")[0] == 503
            assert not site.read().own.rows
        elif resource == "events":
            daemon.wait_until(lambda: daemon.metric("nqosd_events_total", result="refused") > 0, what="refused")
        elif (verb, resource) == ("delete", "leases"):
            daemon.wait_until(lambda: report_of_the_zone(site), what="reporting")
            daemon.stop()
            assert Commands(site).run("cleanup", "--apply")[0] == 0
            assert report_of_the_zone(site)
        elif resource == "leases":
            refused = f'cannot {verb} resource "leases"'
            daemon.wait_until(lambda: refused in str(daemon.probe("readyz")[1].get("notes")), what="refused")
        else:
            daemon.wait_until(lambda: daemon.metric("nqosd_status_writes_total", result="refused") > 0, what="refused")
            assert not site.conditions()


def report_of_the_zone(site: Site) -> bool:
    """Say whether there is a Lease in which the zone of the site reports."""
    found = json.loads(site.cluster.server.request("GET", OF_LEASES))["items"]
    return any(each["metadata"]["name"] == report_name(WHOLE_CLUSTER) for each in found)


@contextlib.contextmanager
def without(cluster: Cluster, verb: str, resource: str) -> Iterator[None]:
    """Take one right away, and give it back."""
    file = LEASES if resource == "leases" else ROLE
    role = yaml.safe_load(file.read_text())
    rules = []
    for rule in role["rules"]:
        for each in rule["resources"]:
            verbs = [one for one in rule["verbs"] if (one, each) != (verb, resource)]
            rules += [{**rule, "resources": [each], "verbs": verbs}] if verbs else []
    cluster.server.apply(yaml.safe_dump({**role, "rules": rules}))
    try:
        yield
    finally:
        cluster.server.apply(file.read_text())
