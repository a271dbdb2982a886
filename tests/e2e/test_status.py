"""What docs/status.md says, sentence by sentence, as kubectl shows it: two zones with a daemon each."""

import functools
import itertools
import json
import re
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import ACCOUNT
from tests.services.daemon import Nqosd
from tests.services.kubernetes import ApiServer
from tests.services.ovsdb import OvsdbServer
from tests.services.process import ServiceError
from tools.bench.bounded import STATUS

ZONES = ("zone-a", "zone-b")
SILENT = 120.0
"""Seconds within which a zone whose daemon has stopped is named."""
OBJECTS = """
apiVersion: v1
kind: Node
metadata:
  name: {zone}
  annotations: {{k8s.ovn.org/node-subnets: '{{"default": ["10.244.0.0/16"]}}'}}
---
apiVersion: v1
kind: Pod
metadata:
  name: on-{zone}
  namespace: default
  annotations:
    k8s.ovn.org/pod-networks: '{{"default": {{"ip_addresses": ["10.244.0.{number}/24"], "role": "primary"}}}}'
spec:
  nodeName: {zone}
  containers: [{{name: c, image: none}}]
"""
POLICY = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: video, namespace: default}
spec:
  priority: 10
  egress: [{dscp: 20}]
"""


@pytest.fixture
def daemons(cluster: ApiServer) -> Iterator[tuple[Nqosd, Nqosd]]:
    """Give two zones, each with a node, a sender, a database and a daemon that doesn't run yet, and a policy."""
    cluster.apply("---\n".join(OBJECTS.format(zone=zone, number=number) for number, zone in enumerate(ZONES, 4)))
    cluster.apply(POLICY)
    with OvsdbServer() as one, OvsdbServer() as other:
        for zone, database in zip(ZONES, (one, other), strict=True):
            database.nbctl("set", "NB_Global", ".", f"name={zone}", "--", "ls-add", zone)
        config = cluster.kubeconfig(ACCOUNT)
        first = Nqosd([one.unix], kubeconfig=config, name=ZONES[0])
        second = Nqosd([other.unix], kubeconfig=config, name=ZONES[1])
        try:
            yield first, second
        finally:
            for daemon in (first, second):
                if daemon.is_running:
                    daemon.stop()
            cluster.kubectl("delete", "networkqoses", "--all", "-n", "default")
            cluster.kubectl("delete", "pods", "--all", "-n", "default", "--force", "--grace-period=0")
            cluster.kubectl("delete", "nodes", "--all")


def shown(cluster: ApiServer) -> list[str]:
    """Return the columns that `kubectl get` shows of the policy, but for its age."""
    header, line = cluster.kubectl("get", "networkqos", "video").splitlines()
    starts = [header.index(name) for name in ("NAME", "GENERATION", "READY", "ZONES", "STATUS", "PRIORITY", "AGE")]
    return [line[start:end].strip() for start, end in itertools.pairwise(starts)][1:5]


def wait(cluster: ApiServer, seconds: int) -> bool:
    """Return whether `kubectl wait` finds all policies ready within some seconds."""
    try:
        cluster.kubectl("wait", "--for=condition=Ready", "networkqos", "--all", f"--timeout={seconds}s")
    except ServiceError:
        return False
    return True


def leases(cluster: ApiServer) -> dict[str, str]:
    """Return when each zone's Lease was renewed."""
    shows = "custom-columns=NAME:.metadata.name,RENEWED:.spec.renewTime"
    lines = cluster.kubectl(
        "get", "leases", "-n", "kube-system", "-l", "nqosd.io/report", "-o", shows, "--no-headers"
    ).splitlines()
    return {name.removeprefix("nqosd-zone-"): renewed for name, renewed in map(str.split, lines)}


def field(cluster: ApiServer, kind: str, name: str, path: str) -> str:
    """Return a field of an object, in the namespace of the policy or of the daemons."""
    namespace = "default" if kind == "networkqos" else "kube-system"
    return cluster.kubectl("get", kind, name, "-n", namespace, "-o", f"jsonpath={{{path}}}")


def types(cluster: ApiServer) -> set[str]:
    """Return the types of the policy's conditions."""
    return set(field(cluster, "networkqos", "video", ".status.conditions[*].type").split())


def reported(cluster: ApiServer) -> str:
    """Return the column REPORTED."""
    header, line = cluster.kubectl("get", "networkqos", "video", "-o", "wide").splitlines()
    return line[header.index("REPORTED") :].split()[0]


def test_ready_is_right_always(cluster: ApiServer, daemons: tuple[Nqosd, Nqosd]) -> None:
    """It is True only for the spec as it stands, with every zone's word, and only as long as the zones report."""
    first, second = daemons
    first.start()
    first.wait_until(lambda: shown(cluster)[3] == "Waiting for zone zone-b", what="waiting for the other zone")
    assert shown(cluster)[:3] == ["1", "Unknown for generation 1", "1/2"]
    assert not wait(cluster, 1)
    second.start()
    assert wait(cluster, 60)
    assert shown(cluster) == ["1", "True for generation 1", "2/2", "NetworkQoS Destinations applied"]

    assert leases(cluster).keys() == set(ZONES)
    assert field(cluster, "leases", "nqosd-status", ".spec.holderIdentity").startswith(tuple(ZONES)), "one is elected"
    assert re.match(r"\d+[ms]", reported(cluster)), "how old the last report is"

    for daemon in daemons:
        daemon.stop()
    assert re.match(r"\d+[ms]", reported(cluster)), "nobody is there, and the object says how old the last report is"
    cluster.kubectl("annotate", "networkqos", "video", "nqosd.io/bandwidth-scope=Pod")
    assert wait(cluster, 1), "an annotation makes no new generation, as docs/status.md says"
    cluster.kubectl("patch", "networkqos", "video", "--type=merge", "-p", '{"spec": {"priority": 11}}')
    assert not wait(cluster, 1)
    assert shown(cluster)[:2] == ["2", "True for generation 1"], "nobody has looked at it"
    for daemon in daemons:
        daemon.start()
    assert wait(cluster, 60)

    before = leases(cluster)
    second.stop()
    first.wait_until(
        lambda: shown(cluster)[3].startswith("No report from zone zone-b since 2"),
        what="missing the zone that has stopped",
        deadline=SILENT,
    )
    assert shown(cluster)[1:3] == ["Unknown for generation 2", "1/2"]
    assert types(cluster) == {"Ready", "Ready-In-Zone-zone-b"}
    assert not wait(cluster, 1)
    after = leases(cluster)
    assert [after[zone] > before[zone] for zone in ZONES] == [True, False]
    second.start()
    assert wait(cluster, 60)


def test_what_a_status_adds_to_an_object(cluster: ApiServer, daemons: tuple[Nqosd, Nqosd]) -> None:
    """With the note of who wrote it, it is as long as the benchmark of policies at their bounds takes it to be."""
    for daemon in daemons:
        daemon.start()
    assert wait(cluster, 60)
    path = "/apis/k8s.ovn.org/v1alpha1/namespaces/default/networkqoses/video"
    policy = json.loads(cluster.request("GET", path))
    notes = [each for each in policy["metadata"]["managedFields"] if each.get("subresource") == "status"]
    written = [json.dumps(part, separators=(",", ":")) for part in (policy["status"], notes)]
    assert sum(map(len, written)) == pytest.approx(STATUS, rel=0.05)


def test_nothing_is_left_of_what_is_over(cluster: ApiServer, daemons: tuple[Nqosd, Nqosd]) -> None:
    """Where zones report, what earlier versions and ovn-kubernetes wrote for them goes; a gone node doesn't count."""
    condition = {"status": "True", "message": "m", "lastTransitionTime": "2026-11-24T10:00:00Z"}
    old = [
        {"type": f"Ready-In-Zone-{zone}", "reason": reason} | condition
        for zone, reason in zip(ZONES, ("Applied", "Success"), strict=True)
    ]
    change = json.dumps({"status": {"status": "old", "conditions": old}})
    cluster.kubectl("patch", "networkqos", "video", "--subresource=status", "--type=merge", "-p", change)
    first, second = daemons
    first.start()
    first.wait_until(lambda: types(cluster) == {"Ready", "Ready-In-Zone-zone-b"}, what="done with its own condition")
    second.start()
    assert wait(cluster, 60)
    assert types(cluster) == {"Ready"}
    second.stop()
    cluster.kubectl("delete", "node", "zone-b")
    first.wait_until(lambda: shown(cluster)[2] == "1/1", what="done with the zone that is gone")
    assert wait(cluster, 60)
    assert types(cluster) == {"Ready"}
    first.wait_until(lambda: leases(cluster).keys() == {"zone-a"}, what="rid of its Lease", deadline=SILENT)


def test_of_many_zones_ten_are_named_and_all_are_counted(cluster: ApiServer, daemons: tuple[Nqosd, Nqosd]) -> None:
    """Nodes without a daemon may be many: the policy waits for them, and its object is small all the same."""
    missing = [f"none-{number:02}" for number in range(12)]
    cluster.apply("---\n".join(OBJECTS.format(zone=zone, number=number) for number, zone in enumerate(missing, 10)))
    for daemon in daemons:
        daemon.start()
    daemons[0].wait_until(lambda: shown(cluster)[2] == "2/14", what="counting all zones")
    assert shown(cluster)[1] == "Unknown for generation 1"
    assert shown(cluster)[3] == "Waiting for zone none-00 and 11 other zones"
    assert types(cluster) == {"Ready", *(f"Ready-In-Zone-{zone}" for zone in missing[:10])}
    assert not wait(cluster, 1)


def have_renewed(cluster: ApiServer, before: dict[str, str]) -> bool:
    """Return whether each zone has renewed its Lease."""
    return all(when > before[zone] for zone, when in leases(cluster).items())


def test_nothing_is_written_but_renewals(cluster: ApiServer, daemons: tuple[Nqosd, Nqosd]) -> None:
    """While nothing changes each zone renews its small Lease, and the policy's object stays as it is."""
    for daemon in daemons:
        daemon.start()
    assert wait(cluster, 60)
    before, version = leases(cluster), field(cluster, "networkqos", "video", ".metadata.resourceVersion")
    for _ in range(2):
        daemons[0].wait_until(functools.partial(have_renewed, cluster, leases(cluster)), what="renewing")
    assert leases(cluster).keys() == before.keys()
    assert field(cluster, "networkqos", "video", ".metadata.resourceVersion") == version
    sizes = [len(field(cluster, "leases", f"nqosd-zone-{zone}", "@")) for zone in ZONES]
    assert max(sizes) < 2048
