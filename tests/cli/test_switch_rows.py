"""A row that belongs to a switch and to no policy is kept, shown and repaired like all others."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nqosd.cli import main
from nqosd.commands.exits import DIFFERENT, OK
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide").resolve()
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2")
NODE = """
apiVersion: v1
kind: Node
metadata:
  name: ovn-worker
  annotations: {k8s.ovn.org/node-subnets: '{"ovn-stream": ["10.245.4.0/24"]}'}
"""
MATCH = '(inport == "to-router" && (ip4.src == 10.245.4.0/24 || ip4.src == $nqosd_'


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, tmp_path: Path) -> Iterator[Nqosd]:
    """Run the daemon on the guide's manifests and a node that says which addresses are its own."""
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    ovsdb_nb.nbctl("lsp-add", SWITCHES[0], "to-router", "--", "lsp-set-type", "to-router", "router")
    for manifest in GUIDE.iterdir():
        shutil.copy(manifest, tmp_path)
    (tmp_path / "node.yaml").write_text(NODE)
    with Nqosd([ovsdb_nb.unix], manifests=[tmp_path]) as running:
        running.wait_until(lambda: running.metric("nqosd_replica_rows", table="QoS") == 3, what="done with the guide")
        running.settle()
        yield running


def found(nb: OvsdbServer, *columns: str) -> str:
    """Read columns of the rows of no policy."""
    return nb.nbctl("--bare", f"--columns={','.join(columns)}", "find", "QoS", "external_ids:nqosd.io/part=returned")


def test_it_is_written_and_found_again(daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """It names its switch and no policy, and a restart writes nothing."""
    assert found(ovsdb_nb, "match").startswith(MATCH)
    ids = found(ovsdb_nb, "external_ids").split()
    assert sorted(ids) == [
        "nqosd.io/network=ovn-stream", "nqosd.io/owner=nqosd", "nqosd.io/part=returned",
        "nqosd.io/switch=ovn.stream_ovn-worker",
    ]  # fmt: skip
    before = ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch")
    daemon.stop()
    daemon.start()
    daemon.settle()
    assert daemon.metric("nqosd_transactions_total") == 0
    assert ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch") == before


def test_a_change_by_hand_is_seen_and_put_right(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer
) -> None:
    """The daemon repairs it at once; while it is away, diff says what it would do."""
    ovsdb_nb.nbctl("set", "QoS", found(ovsdb_nb, "_uuid").strip(), "priority=1")
    daemon.wait_until(lambda: "32767" in found(ovsdb_nb, "priority"), what="done with the repair")
    assert daemon.metric("nqosd_repaired_rows_total") == 1
    daemon.stop()
    ovsdb_nb.nbctl("set", "QoS", found(ovsdb_nb, "_uuid").strip(), "match=ip4")
    assert main(["diff", "--config", str(daemon.config)]) == DIFFERENT
    out = capsys.readouterr().out
    assert "+++ desired: rows of no policy" in out
    assert f"+  match: {MATCH}" in out
    daemon.start()
    daemon.settle()
    assert main(["diff", "--config", str(daemon.config)]) == OK


def test_get_shows_it_without_a_policy(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> None:
    """Policies don't count it; rows show it."""
    assert main(["get", "--config", str(daemon.config), "policies", "--format", "json"]) == OK
    (policy,) = json.loads(capsys.readouterr().out)
    assert policy["rows"] == 2
    assert main(["get", "--config", str(daemon.config), "rows"]) == OK
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "inport" in line]
    assert line.split()[:5] == ["-", "-", "ovn-stream", SWITCHES[0], "to-lport"]


def test_it_goes_with_the_last_limit(daemon: Nqosd, ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """Without the policy there are no limits, and nothing of the daemon is left."""
    (tmp_path / "nqos.yaml").unlink()
    daemon.configure({"northbound": {"detach_after": 1}})
    daemon.stop()
    daemon.start()
    daemon.wait_until(lambda: ovsdb_nb.nbctl("--bare", "--columns=_uuid", "list", "QoS") == "", what="done")
