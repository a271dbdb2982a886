"""Every right that config/rbac grants, taken away alone: what breaks then shows that it is needed.

The API server here can't stream lists, as many can't: there the daemon lists first and then watches.
"""

import contextlib
from collections.abc import Iterator

import pytest
import yaml

from tests.faults.cluster import ROLE, Cluster
from tests.faults.site import Site, open_site
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

RULES = yaml.safe_load(ROLE.read_text())["rules"]
RIGHTS = [(verb, resource) for rule in RULES for resource in rule["resources"] for verb in rule["verbs"]]
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
    with without(site.cluster, verb, resource), site.running_alone() as daemon:
        if verb in {"list", "watch"}:
            kind = KINDS[resource]
            daemon.wait_until(lambda: kind in str(daemon.probe("readyz")[1]), what="waiting for a list")
            daemon.wait_until(
                lambda: daemon.metric("nqosd_watch_restarts_total", kind=kind, reason="refused") > 1, what="refused"
            )
            assert daemon.probe("readyz")[0] == 503
            assert not site.read().own.rows
        elif resource == "events":
            daemon.wait_until(lambda: daemon.metric("nqosd_events_total", result="refused") > 0, what="refused")
        else:
            daemon.wait_until(lambda: daemon.metric("nqosd_status_writes_total", result="refused") > 0, what="refused")
            assert not site.conditions()


@contextlib.contextmanager
def without(cluster: Cluster, verb: str, resource: str) -> Iterator[None]:
    """Take one right away, and give it back."""
    rules = []
    for rule in RULES:
        for each in rule["resources"]:
            verbs = [one for one in rule["verbs"] if (one, each) != (verb, resource)]
            rules += [{**rule, "resources": [each], "verbs": verbs}] if verbs else []
    role = yaml.safe_load(ROLE.read_text())
    cluster.server.apply(yaml.safe_dump({**role, "rules": rules}))
    try:
        yield
    finally:
        cluster.server.apply(ROLE.read_text())
