"""Another CustomResourceDefinition of NetworkQoS than nqosd's is put in its place, as an upgrade of others does."""

import itertools
import json
import time

from tests.faults import manifests
from tests.faults.site import Site
from tests.informers.test_served_schema import CRD, FROM, without

BLOCK = [{"ipBlock": {"cidr": "10.244.0.0/24"}}]


def messages(site: Site, name: str) -> str:
    """Give what the conditions of a policy say."""
    path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{site.namespace}/networkqoses/{name}"
    status = json.loads(site.cluster.server.request("GET", path)).get("status", {})
    return " ".join(each["message"] for each in status.get("conditions", []))


def test_a_definition_that_loses_fields(bare_site: Site) -> None:
    """They are named in the metric and in conditions of policies that may have had them, until it is mended."""
    site, server = bare_site, bare_site.cluster.server
    narrow = manifests.policy(site.namespace, "narrow", rules=[{"dscp": 3, "classifier": {"from": BLOCK}}])
    empty = manifests.policy(site.namespace, "empty")
    empty["spec"] = {"priority": 1, "egress": []}
    for each in (narrow, empty):
        site.cluster.create(each)
    daemon = site.start_daemon(options={"kubernetes": {"crd_retry": 1}})
    try:
        server.apply_crds(without(FROM))
        daemon.wait_until(lambda: daemon.metric("nqosd_crd_lost_fields", field=FROM) == 1, what="aware of what is lost")
        daemon.wait_until(lambda: FROM in messages(site, "narrow"), what="telling whom it concerns")
        assert FROM not in messages(site, "empty")
        assert "drops fields of NetworkQoS objects" in daemon.log_file.read_text()
    finally:
        server.apply_crds(CRD.read_text())
    daemon.wait_until(lambda: daemon.metric("nqosd_crd_lost_fields") == 0, what="aware that nothing is lost")
    tries = itertools.count()

    def is_mended() -> bool:
        """Write the policy once more: a watch by the definition before goes on for a while, and drops the field."""
        site.cluster.patch(narrow, {"metadata": {"labels": {"try": str(next(tries))}}, "spec": narrow["spec"]})
        time.sleep(1)
        return FROM not in messages(site, "narrow") and not site.differences()

    daemon.wait_until(is_mended, what="done", deadline=120)
    site.settle()
