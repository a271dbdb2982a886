"""`nqosd diff` says what the daemon would change, and changes nothing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nqosd.cli import main
from nqosd.commands.exits import BAD_CONFIG, DIFFERENT, FAILED, OK, USAGE
from tests.cli.documents import conforming
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide").resolve()
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2")
TABLES = ("QoS", "Address_Set", "Port_Group", "Logical_Switch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the guide's manifests."""
    for manifest in GUIDE.iterdir():
        shutil.copy(manifest, tmp_path)
    return tmp_path


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, folder: Path) -> Iterator[Nqosd]:
    """Run the daemon on that folder until it has done its work."""
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    with Nqosd([ovsdb_nb.unix], manifests=[folder]) as running:
        running.wait_until(lambda: running.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
        running.settle()
        yield running


def compared(capsys: pytest.CaptureFixture[str], daemon: Nqosd, *arguments: str) -> tuple[int, str, str]:
    """Run `nqosd diff`; gives its exit code, output and complaints."""
    code = main(["diff", "--config", str(daemon.config), *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_nothing_to_do_beside_a_running_daemon(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer
) -> None:
    """Converged, it prints nothing and exits 0; the daemon keeps its lock, and the database its bytes."""
    before = ovsdb_nb.dump(*TABLES)
    assert compared(capsys, daemon) == (OK, "", "")
    assert daemon.metric("nqosd_lock_held") == 1
    assert ovsdb_nb.dump(*TABLES) == before


def test_everything_is_new(capsys: pytest.CaptureFixture[str], ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """On an empty database everything is added, and rows without a switch are only remarked."""
    ovsdb_nb.nbctl("ls-add", SWITCHES[0])
    idle = Nqosd([ovsdb_nb.unix], manifests=[folder])
    before = ovsdb_nb.dump(*TABLES)
    code, out, err = compared(capsys, idle)
    assert code == DIFFERENT
    lines = out.splitlines()
    assert "+++ desired: NetworkQoS default/qos-external" in lines
    assert "+rule 0, network ovn-stream, switch ovn.stream_ovn-worker" in lines
    assert "+  bandwidth: burst=100, rate=20000" in lines
    assert "+  10.245.4.3" in lines
    assert not any(line.startswith("-") and not line.startswith("---") for line in lines)
    assert "switch ovn.stream_ovn-worker2" not in out.partition("address set")[0]
    assert "rule 0 waits for logical switch ovn.stream_ovn-worker2, which isn't there" in err
    notes = err.splitlines()
    same, out, err = compared(capsys, idle, "-o", "json")
    found = conforming("diff", out)
    assert (same, err, found["notes"]) == (code, "", notes)
    policy = next(each for each in found["differences"] if each["title"] == "NetworkQoS default/qos-external")
    assert (policy["before"], policy["after"][0]) == ([], "rule 0, network ovn-stream, switch ovn.stream_ovn-worker")
    assert ovsdb_nb.dump(*TABLES) == before
    with idle:
        idle.wait_until(lambda: idle.metric("nqosd_replica_rows", table="QoS") == 1, what="done with what it can")
        idle.settle()
        assert compared(capsys, idle)[0] == OK


def test_what_changed_in_the_manifests(capsys: pytest.CaptureFixture[str], daemon: Nqosd, tmp_path: Path) -> None:
    """Other manifests than the daemon's show what they would change, line by line."""
    changed = tmp_path / "changed"
    shutil.copytree(GUIDE, changed)
    policy = changed / "nqos.yaml"
    policy.write_text(policy.read_text().replace("dscp: 20", "dscp: 21"))
    (changed / "pods.yaml").write_text((GUIDE / "pods.yaml").read_text().replace("10.245.4.3", "10.245.4.7"))
    daemon.stop()  # it watches the folder, and what is below it
    code, out, _err = compared(capsys, daemon, str(changed))
    assert code == DIFFERENT
    lines = out.splitlines()
    assert [line for line in lines if line.startswith(("-  action", "+  action"))] == [
        "-  action: dscp=20",
        "+  action: dscp=21",
    ] * 2
    assert "-  10.245.4.3" in lines
    assert "+  10.245.4.7" in lines


OWN = {"owner": "nqosd", "policy": "default/qos-external", "rule": "0", "network": "ovn-stream", "switch": SWITCHES[0]}
COPIED = "external_ids={{" + ",".join(f'"nqosd.io/{key}"="{value}"' for key, value in OWN.items()) + "}}"
HANDS = {
    "a match": ["set", "QoS", "{row}", "match=ip4"],
    "a priority": ["set", "QoS", "{row}", "priority=1"],
    "a direction": ["set", "QoS", "{row}", "direction=from-lport"],
    "an action": ["set", "QoS", "{row}", "action:dscp=1"],
    "a limit": ["set", "QoS", "{row}", "bandwidth:rate=1"],
    "a removed limit": ["clear", "QoS", "{row}", "bandwidth"],
    "a further external id": ["set", "QoS", "{row}", "external_ids:by=hand"],
    "another rule": ["set", "QoS", "{row}", "external_ids:nqosd.io/rule=7"],
    "an unreadable row": ["remove", "QoS", "{row}", "external_ids", "nqosd.io/rule"],
    "a row of nobody": ["clear", "QoS", "{row}", "external_ids"],
    "a detached row": ["clear", "Logical_Switch", SWITCHES[0], "qos_rules"],
    "a row on two switches": ["add", "Logical_Switch", SWITCHES[1], "qos_rules", "{row}"],
    "a second row": ["--id=@q", "create", "QoS", "priority=1", "direction=to-lport", "match=ip6", COPIED, "--", "add",
                     "Logical_Switch", SWITCHES[0], "qos_rules", "@q"],
    "a member": ["add", "Address_Set", "{set}", "addresses", '"192.0.2.9"'],
    "no members": ["clear", "Address_Set", "{set}", "addresses"],
    "a set's external id": ["set", "Address_Set", "{set}", "external_ids:by=hand"],
    "a set's selection": ["set", "Address_Set", "{set}", "external_ids:nqosd.io/selection=none"],
    "a set that is gone": ["destroy", "Address_Set", "{set}"],
    "a set too many": ["create", "Address_Set", "name=nqosd_more", "external_ids:nqosd.io/owner=nqosd"],
    "a port group too many": ["--id=@p", "create", "Logical_Switch_Port", "name=hand", "--", "add", "Logical_Switch",
                              SWITCHES[0], "ports", "@p", "--", "create", "Port_Group", "name=nqosd_more", "ports=@p",
                              "external_ids:nqosd.io/owner=nqosd"],
}  # fmt: skip


@pytest.mark.parametrize("hand", HANDS.values(), ids=HANDS)
def test_whatever_another_hand_changes_is_seen(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer, hand: list[str]
) -> None:
    """Each change that the daemon would put right is shown, and none once it has done so."""
    daemon.stop()
    find = ["--bare", "--columns=_uuid", "find"]
    row = ovsdb_nb.nbctl(*find, "QoS", r"external_ids:nqosd.io/switch=ovn.stream_ovn-worker").strip()
    address_set = ovsdb_nb.nbctl("--bare", "--columns=name", "find", "Address_Set", "addresses=10.245.4.3").strip()
    ovsdb_nb.nbctl(*(word.format(row=row, set=address_set) for word in hand))
    changed = ovsdb_nb.dump(*TABLES)
    code, out, _err = compared(capsys, daemon)
    assert (code, ovsdb_nb.dump(*TABLES)) == (DIFFERENT, changed)
    assert any(re.match(r"[-+](?![-+])", line) for line in out.splitlines())
    daemon.start()
    daemon.settle()
    assert daemon.metric("nqosd_transactions_total", result="committed") == 1
    assert compared(capsys, daemon)[0] == OK


def test_a_name_that_is_taken(capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """A set of somebody else under our name is never part of the diff, and the rows that need it are remarked."""
    daemon.stop()
    name = ovsdb_nb.nbctl("--bare", "--columns=name", "find", "Address_Set", "addresses=10.245.4.3").strip()
    ovsdb_nb.nbctl("clear", "Address_Set", name, "external_ids")
    code, out, err = compared(capsys, daemon)
    assert code == DIFFERENT  # the row goes
    assert f"address set {name}" not in out
    assert "-rule 0, network ovn-stream, switch ovn.stream_ovn-worker" in out
    assert f"the set {name} (uuid " in err


def test_a_row_without_senders_is_remarked(capsys: pytest.CaptureFixture[str], daemon: Nqosd, folder: Path) -> None:
    """When only the pods are gone the sets are emptied; the row stays for a while, which is a remark."""
    daemon.stop()
    (folder / "pods.yaml").unlink()
    code, out, err = compared(capsys, daemon)
    assert code == DIFFERENT
    assert "-  10.245.4.3" in out
    assert "-rule" not in out
    assert "rule 0 has no senders on switch ovn.stream_ovn-worker any more" in err
    daemon.start()
    daemon.wait_until(lambda: compared(capsys, daemon)[:2] == (OK, ""), what="done with the pods that went")


def test_what_can_not_be_found_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad configuration is exit code 78, an unusable manifest 2, a database out of reach 1; nothing is printed."""
    (tmp_path / "bad.toml").write_text("[northbound]\nremote = 1\n")
    assert main(["diff", "--config", str(tmp_path / "bad.toml")]) == BAD_CONFIG
    capsys.readouterr()
    (tmp_path / "broken.yaml").write_text("kind: [")
    idle = Nqosd([ovsdb_nb.unix], manifests=[tmp_path])
    code, out, err = compared(capsys, idle)
    assert (code, out) == (USAGE, "")
    assert "broken.yaml" in err
    monkeypatch.setattr("nqosd.northbound.visit.read_replica.__kwdefaults__", {"names": (), "seconds": 1.0})
    away = Nqosd([f"unix:{tmp_path}/none.sock"], manifests=[GUIDE])
    code, out, err = compared(capsys, away)
    assert (code, out) == (FAILED, "")
    assert "none.sock: not readable within 1 s: No such file or directory" in err
