"""What the log says of policies."""

import json
from pathlib import Path

from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

POLICIES = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: fine, namespace: default}
spec: {priority: 5, egress: [{dscp: 8}]}
---
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: broken, namespace: default}
spec: {priority: 5, egress: [{dscp: 64}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: default}
spec: {nodeName: n1}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}
"""


def test_a_policy_that_is_applied_is_news_and_another_one_a_warning(ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """Each is told at the level by which people filter."""
    ovsdb_nb.nbctl("ls-add", "n1")
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with Nqosd([ovsdb_nb.unix], manifests=[tmp_path]) as daemon:
        daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 1, what="done with the policy")
        daemon.settle()
        lines = [json.loads(line) for line in daemon.log_file.read_text().splitlines() if line.startswith("{")]
    told = [(line["policy"], line["level"]) for line in lines if line["event"] == "policy"]
    assert dict(told) == {"default/broken": "warning", "default/fine": "info"}
