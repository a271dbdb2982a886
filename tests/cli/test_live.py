"""What the daemon makes of things that only a live database shows: OVN's version, logical ports, other hands."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide")
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2", "vlan_ovn_localnet_switch")
MARKS = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: marks, namespace: default}
spec:
  priority: 20
  networkSelectors:
  - networkSelectionType: NetworkAttachmentDefinitions
    networkAttachmentDefinitionSelector: {namespaceSelector: {}, networkSelector: {}}
  egress: [{dscp: 8, classifier: {ports: [{protocol: TCP, port: 80}]}}]
"""
VLAN = """
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: vlan, namespace: default}
spec:
  config: '{"cniVersion": "1.0.0", "type": "ovn-k8s-cni-overlay", "name": "vlan", "topology": "localnet",
    "netAttachDefName": "default/vlan"}'
---
apiVersion: v1
kind: Pod
metadata:
  name: plain
  namespace: default
  annotations:
    k8s.ovn.org/pod-networks: '{"default/vlan": {"mac_address": "0a:58:00:00:00:01", "role": "secondary"}}'
spec: {nodeName: ovn-worker}
status: {phase: Running}
"""
PORT = "default.vlan_default_plain"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the guide's manifests."""
    for manifest in GUIDE.iterdir():
        shutil.copy(manifest, tmp_path)
    return tmp_path


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, folder: Path) -> Iterator[Nqosd]:
    """Run the daemon on that folder."""
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    with Nqosd([ovsdb_nb.unix], manifests=[folder]) as running:
        running.wait_until(lambda: len(limits(ovsdb_nb)) == 2, what="done with the guide")
        running.settle()
        yield running


def limits(nb: OvsdbServer) -> list[tuple[int, int | None]]:
    """Read DSCP and rate of each QoS row, sorted."""
    rows = nb.transact({"op": "select", "table": "QoS", "where": []})[0]["rows"]
    assert isinstance(rows, list)
    return sorted((dict(row["action"][1])["dscp"], dict(row["bandwidth"][1]).get("rate")) for row in rows)


def test_shields_follow_the_version_of_ovn(daemon: Nqosd, ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """An unlimited rule above a limited one is shielded while OVN marks and meters in two tables, or isn't known."""
    (folder / "marks.yaml").write_text(MARKS)
    shielded = [(8, 4294967295)] * 2 + [(20, 20000)] * 2
    daemon.wait_until(lambda: limits(ovsdb_nb) == shielded, what="done while the version isn't known")
    ovsdb_nb.nbctl("set", "NB_Global", ".", "options:northd_internal_version=25.03.0-20.41.0-77.6")
    daemon.wait_until(lambda: limits(ovsdb_nb) == [(8, None)] * 2 + [(20, 20000)] * 2, what="done with 25.03")
    ovsdb_nb.nbctl("set", "NB_Global", ".", "options:northd_internal_version=23.03.1-20.27.4-69.4")
    daemon.wait_until(lambda: limits(ovsdb_nb) == shielded, what="done with 23.03")


def test_senders_without_addresses(daemon: Nqosd, ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """A pod without addresses is matched by its logical port, with which row and port group come."""
    (folder / "vlan.yaml").write_text(VLAN)
    (folder / "marks.yaml").write_text(MARKS)
    on_vlan = ["qos-list", "vlan_ovn_localnet_switch"]
    daemon.wait_until(lambda: len(limits(ovsdb_nb)) == 4, what="done with the policy on the other network")
    assert "inport" not in ovsdb_nb.nbctl(*on_vlan)
    ovsdb_nb.nbctl("lsp-add", "vlan_ovn_localnet_switch", PORT)
    port = ovsdb_nb.nbctl("get", "Logical_Switch_Port", PORT, "_uuid").strip()
    daemon.wait_until(lambda: "inport == @nqosd_" in ovsdb_nb.nbctl(*on_vlan), what="done with the rows")
    for line in ovsdb_nb.nbctl(*on_vlan).splitlines():
        assert line.strip().startswith("from-lport")
        assert "ip4 && tcp.dst == 80" in line or "ip6 && tcp.dst == 80" in line
    assert ports(ovsdb_nb) == [port]


def ports(nb: OvsdbServer) -> list[str]:
    """Read the ports of all port groups."""
    return nb.nbctl("--bare", "--columns=ports", "list", "Port_Group").split()


def test_what_another_hand_changes_is_put_right(daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """Rows and sets that somebody edits or deletes are restored at once; rows of others stay as they are."""
    ovsdb_nb.nbctl("qos-add", SWITCHES[0], "to-lport", "7", "ip4", "dscp=1")
    ovsdb_nb.nbctl("create", "Address_Set", "name=theirs", 'addresses="192.0.2.1"')
    daemon.settle()
    theirs = foreign(ovsdb_nb)
    assert len(theirs) == 2
    ours = content(ovsdb_nb)
    of_a_selection = ["find", "Address_Set", "external_ids:nqosd.io/selection!=''"]  # not the writer's record
    name = ovsdb_nb.nbctl("--bare", "--columns=name", *of_a_selection).split()[0]
    for hand in (
        ["set", "Address_Set", name, 'addresses="10.9.9.9"'],
        ["destroy", "Address_Set", name],
        ["qos-del", SWITCHES[0], "to-lport", "12180", match(ovsdb_nb, SWITCHES[0])],
        ["clear", "Logical_Switch", SWITCHES[1], "qos_rules"],
    ):
        repaired = daemon.metric("nqosd_repaired_rows_total")
        ovsdb_nb.nbctl(*hand)
        wait_for_repair(daemon, repaired)
        daemon.settle()
        assert content(ovsdb_nb) == ours
    assert foreign(ovsdb_nb) == theirs


def foreign(nb: OvsdbServer) -> list[str]:
    """Read the rows that aren't ours, every column of them."""
    tables = (nb.nbctl("list", table).strip().split("\n\n") for table in ("QoS", "Address_Set"))
    return sorted(row for rows in tables for row in rows if "nqosd" not in row)


def wait_for_repair(daemon: Nqosd, before: float) -> None:
    """Wait until the daemon has counted one more repair."""
    daemon.wait_until(lambda: daemon.metric("nqosd_repaired_rows_total") > before, what="done with a repair")


def match(nb: OvsdbServer, switch: str) -> str:
    """Read the match of our row on a switch."""
    return next(row["match"] for row in content(nb)["qos"] if "nqosd" in row["match"] and switch in json.dumps(row))


def content(nb: OvsdbServer) -> dict[str, list[dict[str, str]]]:
    """Read all that is ours, without uuids."""
    found = {}
    for table in ("QoS", "Address_Set"):
        rows = nb.transact({"op": "select", "table": table, "where": []})[0]["rows"]
        assert isinstance(rows, list)
        mine = [{key: value for key, value in row.items() if key not in ("_uuid", "_version")} for row in rows]
        mine = [row for row in mine if "nqosd.io/owner" in json.dumps(row)]
        found[table.lower()] = sorted(mine, key=json.dumps)
    return found
