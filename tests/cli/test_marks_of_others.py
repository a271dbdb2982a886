"""A packet mark of EgressIP that rows of policies would suppress is mirrored beside them, as long as that is needed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nqosd.cli import main
from nqosd.commands.exits import DIFFERENT, OK
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

SWITCH = "udn2_green_ovn_layer2_switch"
STATELESS = "action=allow-stateless"
MATCH = "ip4.src == $a123 && ct.trk && ct.rpl"
ID = "default-network-controller:EgressIP:103:egress-a"
CONFIG = json.dumps({
    "name": "udn2_green", "type": "ovn-k8s-cni-overlay", "topology": "layer2", "role": "primary",
    "subnets": "10.110.0.0/16", "netAttachDefName": "udn2/green",
})  # fmt: skip
NETWORKS = json.dumps({
    "default": {"ip_addresses": ["10.244.3.20/24"], "role": "infrastructure-locked"},
    "udn2/green": {"ip_addresses": ["10.110.0.3/16"], "role": "primary"},
})  # fmt: skip
NETWORK = f"""
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {{name: green, namespace: udn2}}
spec: {{config: '{CONFIG}'}}
---
apiVersion: v1
kind: Pod
metadata: {{name: u1, namespace: udn2, annotations: {{k8s.ovn.org/pod-networks: '{NETWORKS}'}}}}
spec: {{nodeName: n1}}
"""
POLICY = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: web, namespace: udn2}
spec:
  priority: 10
  networkSelectors:
  - networkSelectionType: PrimaryUserDefinedNetworks
    primaryUserDefinedNetworkSelector: {namespaceSelector: {}}
  egress: [{dscp: 8}]
"""


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, tmp_path: Path) -> Iterator[Nqosd]:
    """Run the daemon beside EgressIP on a switch with an ACL."""
    ovsdb_nb.nbctl("ls-add", SWITCH)
    ovsdb_nb.nbctl("acl-add", SWITCH, "to-lport", "1001", "ip4.src == 10.110.0.2", "allow-related")
    add_theirs(ovsdb_nb)
    (tmp_path / "network.yaml").write_text(NETWORK)
    (tmp_path / "policy.yaml").write_text(POLICY)
    with Nqosd([ovsdb_nb.unix], manifests=[tmp_path]) as running:
        running.wait_until(lambda: mirrors(ovsdb_nb, "_uuid") != "", what="done with the mirror")
        running.settle()
        yield running


def add_theirs(
    nb: OvsdbServer, owner_type: str = "EgressIP", direction: str = "from-lport", action: str = "mark=42"
) -> None:
    """Write what ovn-kubernetes writes for pods that an EgressIP serves, or that something else concerns."""
    ids = [f"external_ids:k8s.ovn.org/owner-type={owner_type}", f'external_ids:k8s.ovn.org/id="{ID}"']
    columns = [f"direction={direction}", "priority=103", f'match="{MATCH}"', f"action:{action}", *ids]
    nb.nbctl("--id=@row", "create", "QoS", *columns, "--", "add", "Logical_Switch", SWITCH, "qos_rules", "@row")


def mirrors(nb: OvsdbServer, *columns: str) -> str:
    """Read columns of the rows that mirror."""
    chosen = ["external_ids:nqosd.io/owner=nqosd", "direction=to-lport"]
    return nb.nbctl("--bare", f"--columns={','.join(columns)}", "find", "QoS", *chosen).strip()


def theirs(nb: OvsdbServer) -> str:
    """Find the row of others."""
    return nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", "priority=103").strip()


def test_a_mirror_says_what_theirs_says_in_the_other_direction(daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """It has their match word for word, stands above what others have there, and a restart writes nothing."""
    assert mirrors(ovsdb_nb, "match", "action", "priority").splitlines() == [MATCH, "mark=42", "32766"]
    assert f"nqosd.io/part=mark/{ID}" in mirrors(ovsdb_nb, "external_ids").replace('"', "")
    daemon.stop()
    daemon.start()
    daemon.settle()
    assert daemon.metric("nqosd_transactions_total") == 0


def test_it_follows_their_row(daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """When they change their row the mirror changes, and it goes and comes with theirs; theirs is never touched."""
    ovsdb_nb.nbctl("set", "QoS", theirs(ovsdb_nb), 'match="ip6"', "action:mark=43")
    daemon.wait_until(lambda: mirrors(ovsdb_nb, "match", "action") == "ip6\nmark=43", what="done with the change")
    ovsdb_nb.nbctl("remove", "Logical_Switch", SWITCH, "qos_rules", theirs(ovsdb_nb))
    daemon.wait_until(lambda: mirrors(ovsdb_nb, "_uuid") == "", what="done with the removal")
    add_theirs(ovsdb_nb)
    daemon.wait_until(lambda: mirrors(ovsdb_nb, "match") == MATCH, what="done with the mirror")
    assert theirs(ovsdb_nb) != ""
    assert daemon.metric("nqosd_repaired_rows_total") == 0


def test_commands_know_it(capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """`get rows` lists it for no policy, `diff` finds it as it should be or not, `cleanup` takes it and not theirs."""
    assert main(["get", "--config", str(daemon.config), "rows"]) == OK
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "ct.rpl" in line]
    assert line.split()[:5] == ["-", "-", "udn2_green", SWITCH, "to-lport"]
    daemon.stop()
    assert main(["diff", "--config", str(daemon.config)]) == OK
    ovsdb_nb.nbctl("set", "QoS", mirrors(ovsdb_nb, "_uuid"), "action:mark=7")
    assert main(["diff", "--config", str(daemon.config)]) == DIFFERENT
    out = capsys.readouterr().out
    assert "+++ desired: rows of no policy" in out
    assert "+  action: mark=42" in out
    assert main(["cleanup", "--config", str(daemon.config), "--apply"]) == OK
    assert ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").strip() == theirs(ovsdb_nb)


def message(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> str:
    """Give the message of the policy's condition."""
    capsys.readouterr()
    assert main(["get", "--config", str(daemon.config), "policies", "--format", "json"]) == OK
    (policy,) = json.loads(capsys.readouterr().out)
    return str(policy["message"])


def test_a_row_that_goes_under_with_the_old_controllers_is_said(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer
) -> None:
    """Where the row above the old controller's suppresses one of others, status, log and `diff` say so meanwhile."""
    add_theirs(ovsdb_nb, "EgressQoS", "to-lport", "dscp=8")
    add_theirs(ovsdb_nb, "NetworkQoS", "to-lport", "dscp=9")
    said = f"switch {SWITCH}: row of others (to-lport, priority 103, {MATCH}) doesn't act as long as"
    daemon.wait_until(lambda: said in message(capsys, daemon), what="done with the warning")
    assert daemon.tail_logs().count("rows of others are suppressed") == 1
    row = ("--bare", "--columns=match", "find", "QoS", "priority=32765")
    daemon.wait_until(lambda: ovsdb_nb.nbctl(*row).strip() == "ip", what="done with the row")
    assert main(["diff", "--config", str(daemon.config)]) == OK
    assert said in capsys.readouterr().err
    old = ovsdb_nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", "action:dscp=9").strip()
    ovsdb_nb.nbctl("remove", "Logical_Switch", SWITCH, "qos_rules", old)
    daemon.wait_until(lambda: "row of others" not in message(capsys, daemon), what="done with the end of it")


def test_a_switch_that_tracks_no_connections_is_said(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer
) -> None:
    """Where all ACLs are stateless a mirror does nothing, which status and `diff` say until one tracks connections."""
    said = "this one has no ACL of that kind"
    ovsdb_nb.nbctl("set", "ACL", ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "ACL").strip(), STATELESS)
    daemon.wait_until(lambda: said in message(capsys, daemon), what="done with the warning")
    assert main(["diff", "--config", str(daemon.config)]) == OK
    assert said in capsys.readouterr().err
    ovsdb_nb.nbctl("acl-add", SWITCH, "from-lport", "1001", "ip4", "allow-related")
    daemon.wait_until(lambda: said not in message(capsys, daemon), what="done with the end of it")
    ovsdb_nb.nbctl(
        "set", "ACL", ovsdb_nb.nbctl("--bare", "--columns=_uuid", "find", "ACL", "match=ip4").strip(), STATELESS
    )
    daemon.wait_until(lambda: said in message(capsys, daemon), what="done with the warning again")
    assert main(["diff", "--config", str(daemon.config)]) == OK
    assert said in capsys.readouterr().err
    add_theirs(ovsdb_nb, owner_type="SomethingElse")
    both = (said, "doesn't act on packets that a rule of nqosd matches")
    daemon.wait_until(lambda: all(each in message(capsys, daemon) for each in both), what="done with both warnings")


def test_a_mark_of_somebody_else_is_said(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer
) -> None:
    """Where nothing makes up for a suppressed mark, the policy's status, the log and `diff` say so once."""
    add_theirs(ovsdb_nb, owner_type="SomethingElse")
    said = f"switch {SWITCH}: row of others"
    daemon.wait_until(lambda: said in message(capsys, daemon), what="done with the warning")
    assert daemon.tail_logs().count("rows of others are suppressed") == 1
    assert main(["diff", "--config", str(daemon.config)]) == OK
    assert f"switch {SWITCH}: row of others (from-lport, priority 103, mark 42, {MATCH})" in capsys.readouterr().err
