"""The guide's objects, created with kubectl, become rows; what kubectl shows of them is true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import ACCOUNT
from tests.services.daemon import Nqosd
from tests.services.kubernetes import ApiServer
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide")
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2", "ovn-worker", "ovn-worker2")
APPLIED = "NetworkQoS Destinations applied"


@pytest.fixture
def daemon(cluster: ApiServer, ovsdb_nb: OvsdbServer) -> Iterator[Nqosd]:
    """Run the daemon with exactly the rights of config/rbac, beside a database with the nodes' switches."""
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    with Nqosd([ovsdb_nb.unix], kubeconfig=cluster.kubeconfig(ACCOUNT)) as running:
        yield running
    for kind in ("networkqoses", "pods", "network-attachment-definitions"):
        cluster.kubectl("delete", kind, "--all", "-n", "default", "--force", "--grace-period=0")


WRITER = "nqosd_writer_"


def create_pods(cluster: ApiServer, manifests: Path) -> None:
    """Create pods with the addresses that a kubelet would report: the status of a new object is not taken."""
    cluster.kubectl("apply", "-f", str(manifests))
    for pod in yaml.safe_load_all(manifests.read_text()):
        status = json.dumps({"status": pod["status"]})
        cluster.kubectl("patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p", status)


def rows(nb: OvsdbServer) -> list[dict[str, object]]:
    """Read the QoS rows, each with the switches that refer to it."""
    switches = nb.transact({"op": "select", "table": "Logical_Switch", "where": []})[0]["rows"]
    found = nb.transact({"op": "select", "table": "QoS", "where": []})[0]["rows"]
    assert isinstance(found, list)
    assert isinstance(switches, list)
    for row in found:
        row["switches"] = [each["name"] for each in switches if row["_uuid"][1] in json.dumps(each["qos_rules"])]
    return sorted(found, key=lambda row: str(row["switches"]))


def sets(nb: OvsdbServer) -> dict[str, set[str]]:
    """Read the address sets, but for the writer's record, which is none for any match."""
    found = nb.transact({"op": "select", "table": "Address_Set", "where": []})[0]["rows"]
    assert isinstance(found, list)
    return {row["name"]: set(_members(row["addresses"])) for row in found if WRITER not in row["name"]}


def _members(value: object) -> list[str]:
    """Read a set column of RFC 7047: `["set", [...]]`, or the only member alone."""
    if isinstance(value, list) and value[0] == "set":
        return [str(each) for each in value[1]]
    return [str(value)]


def senders(nb: OvsdbServer) -> dict[str, set[str]]:
    """Read the members of each row's source set, by switch."""
    members = sets(nb)
    return {row["switches"][0]: members[re.findall(r"src == \$(\w+)", str(row["match"]))[0]] for row in rows(nb)}  # type: ignore[index]


def status(cluster: ApiServer, name: str = "qos-external") -> dict[str, object]:
    """Read a policy's status."""
    found = json.loads(cluster.kubectl("get", "networkqos", name, "-o", "json"))
    answer: dict[str, object] = found.get("status", {})
    return answer


def test_the_guide(cluster: ApiServer, ovsdb_nb: OvsdbServer, daemon: Nqosd) -> None:
    """The guide's commands give its rows, its sets and its STATUS; labels move addresses; deletion leaves no trace."""
    cluster.kubectl("create", "-f", str(GUIDE / "nad.yaml"))
    cluster.kubectl("create", "-f", str(GUIDE / "nqos.yaml"))
    daemon.wait_until(lambda: status(cluster).get("status") == APPLIED, what="done with the policy")
    shown = cluster.kubectl("get", "networkqoses", "qos-external", "-n", "default", "-owide").splitlines()
    assert [re.split(r"\s{2,}", line)[:5] for line in shown] == [
        ["NAME", "GENERATION", "READY", "ZONES", "STATUS"],
        ["qos-external", "1", "True for generation 1", "0/0", APPLIED],
    ]

    create_pods(cluster, GUIDE / "pods.yaml")
    both = {SWITCHES[0]: {"10.245.4.3"}, SWITCHES[1]: {"10.245.2.3"}}
    daemon.wait_until(lambda: senders(ovsdb_nb) == both, what="done with the pods")
    for row, switch in zip(rows(ovsdb_nb), SWITCHES, strict=False):
        assert row["switches"] == [switch]
        assert (row["direction"], row["priority"]) == ("to-lport", 12180)
        assert row["action"] == ["map", [["dscp", 20]]]
        assert row["bandwidth"] == ["map", [["burst", 100], ["rate", 20000]]]
        assert len(str(row["match"]).partition("ip4.dst == {")[2].split(", ")) == 55
    daemon.wait_until(lambda: _ready(cluster)["reason"] == "Applied", what="done with the status")
    condition = _ready(cluster)
    assert condition["status"] == "True"
    assert condition["observedGeneration"] == 1

    cluster.kubectl("label", "pod", "pod0", "nqos-app=bw-limited")
    more = {**both, SWITCHES[0]: {"10.245.4.3", "10.245.4.4"}}
    daemon.wait_until(lambda: senders(ovsdb_nb) == more, what="done with a label that came")
    cluster.kubectl("label", "pod", "pod0", "nqos-app-")
    daemon.wait_until(lambda: senders(ovsdb_nb) == both, what="done with a label that went")

    cluster.kubectl("delete", "networkqos", "qos-external")
    daemon.wait_until(lambda: (rows(ovsdb_nb), sets(ovsdb_nb)) == ([], {}), what="done with the deletion")


NAMESPACED = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: to-databases, namespace: default}
spec:
  priority: 1
  networkSelectors: [{networkSelectionType: DefaultNetwork}]
  egress:
  - dscp: 46
    classifier:
      to: [{namespaceSelector: {matchLabels: {tier: data}}}]
      ports: [{protocol: TCP, port: 5432}]
"""
DATABASE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata:
  name: db
  namespace: shop
  annotations:
    k8s.ovn.org/pod-networks: '{"default": {"ip_addresses": ["10.244.9.9/24", "fd00::9/64"]}}'
spec: {nodeName: ovn-worker2, containers: [{name: db, image: db}]}
"""


def test_labels_of_namespaces(cluster: ApiServer, ovsdb_nb: OvsdbServer, daemon: Nqosd) -> None:
    """A namespace that gets or loses a label takes its pods' addresses into a destination set, or out of it."""
    cluster.apply(NAMESPACED)
    cluster.apply(DATABASE)
    create_pods(cluster, GUIDE / "pods.yaml")
    daemon.wait_until(lambda: len(rows(ovsdb_nb)) == 2, what="done with the policy")
    assert not any("10.244.9.9" in each for each in sets(ovsdb_nb).values())

    def is_destination() -> bool:
        return any({"10.244.9.9"} == each for each in sets(ovsdb_nb).values())

    cluster.kubectl("label", "namespace", "shop", "tier=data")
    daemon.wait_until(is_destination, what="done with the namespace's label")
    cluster.kubectl("label", "namespace", "shop", "tier-")
    daemon.wait_until(lambda: not is_destination(), what="done with the label that went")
    assert all("tcp.dst == 5432" in str(row["match"]) for row in rows(ovsdb_nb))
    cluster.delete_namespace("shop")


INVALID = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: broken, namespace: default}
spec:
  priority: 1
  egress: [{dscp: 1, classifier: {to: [{ipBlock: {cidr: 192.168.0.0/16, except: [10.0.0.0/8]}}]}}]
"""


def test_an_invalid_policy_says_why(cluster: ApiServer, ovsdb_nb: OvsdbServer, daemon: Nqosd) -> None:
    """A policy that can't be applied has no rows, names the field in its status and in an Event, and can be mended."""
    create_pods(cluster, GUIDE / "pods.yaml")
    cluster.apply(INVALID)
    wrong = "spec.egress[0].classifier.to[0].ipBlock.except[0]: 10.0.0.0/8 is not inside 192.168.0.0/16"
    daemon.wait_until(lambda: wrong in json.dumps(status(cluster, "broken")), what="done with the status")
    assert rows(ovsdb_nb) == []
    daemon.wait_until(
        lambda: "Invalid" in cluster.kubectl("get", "events.events.k8s.io", "-o", "jsonpath={.items[*].reason}"),
        what="done with the Event",
    )
    cluster.apply(INVALID.replace("10.0.0.0/8", "192.168.7.0/24"))
    daemon.wait_until(lambda: len(rows(ovsdb_nb)) == 2, what="done with the mended policy")
    daemon.wait_until(lambda: status(cluster, "broken").get("status") == APPLIED, what="done with its status")


def test_a_switch_that_is_not_there_yet(cluster: ApiServer, ovsdb_nb: OvsdbServer, daemon: Nqosd) -> None:
    """A row whose switch is missing is waited for, and the status says so until it has come."""
    ovsdb_nb.nbctl("ls-del", SWITCHES[1])
    for manifest in ("nad.yaml", "nqos.yaml"):
        cluster.kubectl("create", "-f", str(GUIDE / manifest))
    create_pods(cluster, GUIDE / "pods.yaml")
    daemon.wait_until(lambda: _ready(cluster).get("reason") == "WaitingForSwitch", what="waiting for the switch")
    assert SWITCHES[1] in str(_ready(cluster)["message"])
    assert list(senders(ovsdb_nb)) == [SWITCHES[0]]
    ovsdb_nb.nbctl("ls-add", SWITCHES[1])
    daemon.wait_until(lambda: _ready(cluster)["status"] == "True", what="done when the switch is there")
    assert list(senders(ovsdb_nb)) == list(SWITCHES[:2])


def test_a_restart_writes_nothing(cluster: ApiServer, ovsdb_nb: OvsdbServer, daemon: Nqosd) -> None:
    """Stopping leaves the rows; starting again on unchanged objects commits no transaction and changes no row."""
    for manifest in ("nad.yaml", "nqos.yaml"):
        cluster.kubectl("create", "-f", str(GUIDE / manifest))
    create_pods(cluster, GUIDE / "pods.yaml")
    daemon.wait_until(lambda: len(rows(ovsdb_nb)) == 2, what="done with the pods")
    daemon.wait_until(lambda: status(cluster).get("status") == APPLIED, what="done with the status")
    daemon.settle()
    before = ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch")
    daemon.stop()
    assert ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch") == before
    daemon.start()
    daemon.settle()
    assert daemon.metric("nqosd_transactions_total") == 0
    assert daemon.metric("nqosd_rounds_total", outcome="unchanged") > 0
    assert ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch") == before


def _ready(cluster: ApiServer) -> dict[str, object]:
    conditions = status(cluster).get("conditions", [{}])
    assert isinstance(conditions, list)
    found: dict[str, object] = conditions[0]
    return found
