"""Another CustomResourceDefinition of NetworkQoS than nqosd's is put in its place, as an upgrade of others does."""

import json
import time

from tests.faults import manifests
from tests.faults.liar import Answer, Liar
from tests.faults.site import Site
from tests.faults.test_answers import QOS
from tests.informers.test_served_schema import CRD, FROM, without
from tests.services.daemon import Nqosd

WATCH_TIME = 2
BLOCK = [{"ipBlock": {"cidr": "10.244.0.0/24"}}]


def served(site: Site, name: str) -> bytes:
    """Give a policy as the API server has it."""
    path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{site.namespace}/networkqoses/{name}"
    return site.cluster.server.request("GET", path)


def messages(site: Site, name: str) -> str:
    """Give what the conditions of a policy say."""
    return " ".join(each["message"] for each in json.loads(served(site, name)).get("status", {}).get("conditions", []))


def test_a_definition_that_loses_fields(bare_site: Site) -> None:
    """They are named in the metric and in conditions of policies that may have had them, until it is mended.

    Policies are listed anew then: no watch tells of them any more, and each ends in its time.
    """
    site, server = bare_site, bare_site.cluster.server
    narrow = manifests.policy(site.namespace, "narrow", rules=[{"dscp": 3, "classifier": {"from": BLOCK}}])
    empty = manifests.policy(site.namespace, "empty")
    empty["spec"] = {"priority": 1, "egress": []}
    for each in (narrow, empty):
        site.cluster.create(each)
    with Liar(server) as liar:
        kubeconfig = site.cluster.kubeconfig(site.directory / "liar.kubeconfig", port=liar.port)
        options = {"kubernetes": {"crd_retry": 1, "watch_time": WATCH_TIME}}
        daemon = site.start_daemon(kubeconfig=kubeconfig, options=options)
        _lose_fields(site, daemon, liar, narrow)


def _lose_fields(site: Site, daemon: Nqosd, liar: Liar, narrow: manifests.Json) -> None:
    server = site.cluster.server
    try:
        server.apply_crds(without(FROM))
        daemon.wait_until(lambda: daemon.metric("nqosd_crd_lost_fields", field=FROM) == 1, what="aware of what is lost")
        daemon.wait_until(lambda: FROM in messages(site, "narrow"), what="telling whom it concerns")
        assert FROM not in messages(site, "empty")
        assert "drops fields of NetworkQoS objects" in daemon.log_file.read_text()
        liar.tell(_says_nothing)
        time.sleep(2 * WATCH_TIME)
    finally:
        server.apply_crds(CRD.read_text())

    def is_kept() -> bool:
        """Write the policy again; it is kept while watches by the definition before still drop the field."""
        site.cluster.patch(narrow, {"spec": narrow["spec"]})
        return "from" in json.loads(served(site, "narrow"))["spec"]["egress"][0].get("classifier", {})

    daemon.wait_until(is_kept, what="given a server that keeps the field")
    daemon.wait_until(lambda: daemon.metric("nqosd_crd_lost_fields") == 0, what="aware that nothing is lost")
    daemon.wait_until(lambda: FROM not in messages(site, "narrow"), what="done", deadline=30)
    site.settle()


def _says_nothing(path: str) -> Answer | None:
    """Answer watches of policies without a word, and end them in their time."""
    if not path.startswith(f"{QOS}?") or "sendInitialEvents" in path or "watch=true" not in path:
        return None
    time.sleep(WATCH_TIME)
    return Answer()
