"""`nqosd run` and `nqosd check-config`: start, reload, end, exit codes."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nqosd import __version__
from nqosd.cli import OK, main
from nqosd.commands import configuration
from tests.cli.documents import conforming
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide")
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2")


def nqosd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "nqosd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, tmp_path: Path) -> Iterator[Nqosd]:
    """Run the daemon on the guide's manifests."""
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    for manifest in GUIDE.iterdir():
        shutil.copy(manifest, tmp_path)
    with Nqosd([ovsdb_nb.unix], manifests=[tmp_path]) as running:
        running.wait_until(lambda: rows(ovsdb_nb) == 2, what="done with the guide")
        yield running


def rows(nb: OvsdbServer) -> int:
    """Count the QoS rows."""
    return len(nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split())


def logged(daemon: Nqosd, event: str) -> list[dict[str, object]]:
    """Find the entries of the daemon's log with an event."""
    entries = [json.loads(line) for line in daemon.log_file.read_text().splitlines()]
    return [entry for entry in entries if entry["event"] == event]


def test_version_and_help() -> None:
    """`--version` says which one it is, and `--help` names every command and the exit codes."""
    assert nqosd("--version").stdout == f"nqosd {__version__}\n"
    text = nqosd("--help").stdout
    assert all(re.search(rf"^\s+{name}\s", text, re.MULTILINE) for name in ("run", "check-config", "compile"))
    assert "78" in text


@pytest.mark.parametrize("command", ["run", "check-config"])
def test_bad_configuration(command: str, tmp_path: Path) -> None:
    """A bad configuration is exit code 78, and each mistake has its line and key."""
    config = tmp_path / "nqosd.toml"
    config.write_text('[northbound]\nremote = "unix:/x"\n\n[log]\nlevel = "loud"\n')
    answer = nqosd(command, "--config", str(config))
    assert answer.returncode == 78
    first, second = answer.stderr.splitlines()
    assert first.startswith(f"{config}:2: northbound.remote: ")
    assert "did you mean remotes?" in first
    assert second.startswith(f'{config}:5: log.level: "loud" ')
    answer = nqosd("check-config", "--config", str(config), "-o", "json")
    assert (answer.returncode, answer.stderr) == (78, "")
    mistakes = conforming("check-config", answer.stdout)["mistakes"]
    assert [(each["line"], each["key"]) for each in mistakes] == [(2, "northbound.remote"), (5, "log.level")]


def test_the_shipped_configuration_is_good() -> None:
    """config/nqosd.toml passes its own check."""
    answer = nqosd("check-config", "--config", "config/nqosd.toml")
    assert (answer.returncode, answer.stdout) == (0, "config/nqosd.toml: ok\n")


def test_a_check_without_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no file is named and none is at the usual place, that is said, since there is nothing to be checked."""
    monkeypatch.setattr(configuration, "DEFAULT_CONFIG", Path("/none/nqosd.toml"))
    assert main(["check-config"]) == OK
    assert "nqosd.toml isn't there, so the environment and defaults count: ok" in capsys.readouterr().out


def test_end_leaves_the_rows(daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """SIGTERM ends the daemon with exit code 0 within a second or two, and its rows stay."""
    started = time.monotonic()
    daemon.stop()
    assert daemon.exit_code == 0
    assert time.monotonic() - started < 5
    assert rows(ovsdb_nb) == 2
    assert logged(daemon, "stopped")


def test_reload(daemon: Nqosd) -> None:
    """SIGHUP takes up what can change, says what waits for a restart, and bears a file with mistakes."""
    daemon.configure({"log": {"level": "warning"}, "daemon": {"batch_window": 0.01, "instance": "other"}})
    daemon.configure({"log": {"level": "debug"}})
    daemon.reload()
    daemon.wait_until(lambda: daemon.metric("nqosd_config_reloads_total", result="applied") == 1, what="reloaded")
    (entry,) = logged(daemon, "configuration reloaded")
    assert entry["applied"] == ["daemon.batch_window", "log.level"]
    assert entry["needs_restart"] == ["daemon.instance"]
    daemon.configure({"log": {"level": "loud"}})
    daemon.reload()
    daemon.wait_until(lambda: daemon.metric("nqosd_config_reloads_total", result="failed") == 1, what="refused")
    (entry,) = logged(daemon, "the configuration was not reloaded; the old one stays in effect")
    assert "log.level" in str(entry["why"])
    assert daemon.is_ready()


def test_networks_of_policies_without_selectors_can_be_reloaded(daemon: Nqosd, tmp_path: Path) -> None:
    """`unselected_networks` takes effect at a reload: a policy without selectors leaves the other networks."""
    policy = (GUIDE / "nqos.yaml").read_text()
    before, after = policy.index("  networkSelectors:"), policy.index("  podSelector:")
    (tmp_path / "nqos.yaml").write_text(policy[:before] + policy[after:])
    daemon.wait_until(lambda: daemon.metric("nqosd_desired_rows", table="QoS") == 4, what="compiled for any network")
    daemon.configure({"daemon": {"unselected_networks": "default"}})
    daemon.reload()
    daemon.wait_until(
        lambda: daemon.metric("nqosd_desired_rows", table="QoS") == 2, what="compiled for the default one"
    )


def test_the_whole_cluster_whatever_the_database_is_called(ovsdb_nb: OvsdbServer) -> None:
    """With `daemon.zone = "*"` pods of all nodes are senders; without, a name that no node has is waited for."""
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    ovsdb_nb.nbctl("set", "NB_Global", ".", "name=elsewhere")
    daemon = Nqosd([ovsdb_nb.unix], manifests=[GUIDE.resolve()])
    daemon.awaits = "healthz"
    with daemon:
        reason = "no node is of the zone elsewhere"
        daemon.wait_until(lambda: reason in str(daemon.probe("readyz")[1]["waiting_for"]), what="waiting for a node")
        assert rows(ovsdb_nb) == 0
        daemon.stop()
        daemon.configure({"daemon": {"zone": "*"}})
        daemon.start()
        daemon.wait_until(lambda: rows(ovsdb_nb) == 2, what="done with the guide")
        assert daemon.probe("readyz")[0] == 200


def test_a_standby_is_ready_and_writes_nothing(daemon: Nqosd, ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """A second daemon waits for the lock, ready and with a warm cache, and takes over without a write."""
    with Nqosd([ovsdb_nb.unix], manifests=[tmp_path], name="standby") as standby:
        assert standby.probe("readyz") == (200, {"ready": True, "role": "standby", "waiting_for": {}})
        assert standby.metric("nqosd_lock_held") == 0
        assert daemon.probe("readyz")[1]["role"] == "active"
        before = ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch")
        daemon.kill()
        standby.wait_until(lambda: standby.metric("nqosd_lock_held") == 1, what="the active one")
        standby.settle()
        assert standby.metric("nqosd_transactions_total") == 0
        assert ovsdb_nb.dump("QoS", "Address_Set", "Logical_Switch") == before
        (tmp_path / "nqos.yaml").unlink()
        standby.wait_until(lambda: rows(ovsdb_nb) == 0, what="done with a change")
