"""The exporter finds its way, waits for what isn't there, and tells of it."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nqosd.statistics.endpoints import read
from tests.cli.documents import conforming
from tests.services.chassis import Chassis
from tests.services.generation import every_generation
from tests.services.ovn import OvnCentral
from tests.services.stats import Exporter
from tests.services.tls import Authority
from tests.statistics.rows import POLICY, add_row


def rules(exporter: Exporter) -> dict[int, int | None]:
    """Give the rules that it serves, with their limits in bytes per second."""
    return {place.rule.index: counts.limit for place, counts in exporter.counts().items()}


@every_generation
def test_rules_come_and_keep_their_series(exporter: Exporter, ovn_central: OvnCentral) -> None:
    """A rule has series from 0 on as soon as it has flows here; rows of another owner have none; it goes, they stay."""
    assert rules(exporter) == {}
    add_row(ovn_central, 1, 8000)
    add_row(ovn_central, 2, None)
    add_row(ovn_central, 3, 8000, owner="somebody")
    exporter.wait_until(lambda: rules(exporter) == {1: 1_000_000, 2: None}, what="aware of the rules")
    assert all(not any(counts.figures.amounts) for counts in exporter.counts().values())
    assert {(place.rule.namespace, place.rule.policy, place.node) for place in exporter.counts()} == {
        ("shop", "gold", "node-1")
    }
    ovn_central.nb.nbctl("clear", "Logical_Switch", "s1", "qos_rules")
    ovn_central.sync(wait="hv")
    readings = read(exporter.get("/metrics")[1]).read_at
    exporter.wait_until(lambda: read(exporter.get("/metrics")[1]).read_at > readings + 1, what="reading on")
    assert rules(exporter).keys() == {1, 2}


def test_it_waits_and_tells(exporter: Exporter, chassis: Chassis, ovn_central: OvnCentral) -> None:
    """Without ovs-vswitchd or a database it is alive and not ready, says which is missing, and goes on by itself."""
    chassis.vswitchd.stop()
    exporter.wait_until(lambda: exporter.get("/readyz")[0] == 503, what="aware of it")
    assert "does ovs-vswitchd run?" in json.loads(exporter.get("/readyz")[1])["waiting_for"]["bridge"]
    assert exporter.get("/healthz")[0] == 200
    chassis.vswitchd.start()
    exporter.wait_until(exporter.is_ready, what="ready again")
    ovn_central.sb.stop()
    exporter.wait_until(lambda: exporter.get("/readyz")[0] == 503, what="aware of it")
    assert "southbound" in json.loads(exporter.get("/readyz")[1])["waiting_for"]
    assert 'nqosd_stats_connected{database="southbound"} 0.0' in exporter.get("/metrics")[1]
    ovn_central.sb.start()
    exporter.wait_until(exporter.is_ready, what="ready once more")
    add_row(ovn_central, 1, 8000)
    exporter.wait_until(lambda: rules(exporter) == {1: 1_000_000}, what="aware of a rule made since")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of nqosd."""
    command = [sys.executable, "-m", "nqosd", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)


def test_once_prints_and_ends(exporter: Exporter, ovn_central: OvnCentral) -> None:
    """`--once` prints the figures as a table or as JSON, and says what can't be reached."""
    add_row(ovn_central, 1, 8000)
    done = run("stats", "--once", "--config", exporter.config)
    assert done.stdout.splitlines()[1].split() == [POLICY, "1", "default", "0", "0", "0", "0", "0", "0"]
    (entry,) = conforming("stats", run("stats", "--once", "--format", "json", "--config", exporter.config).stdout)
    assert (entry["namespace"], entry["policy"], entry["rule"]) == ("shop", "gold", 1)
    assert entry["dropped_packets"] == 0
    exporter.config.write_text(exporter.config.read_text().replace("br-int.mgmt", "br-none.mgmt"))
    done = run("stats", "--once", "--config", exporter.config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "br-none.mgmt: No such file or directory; does ovs-vswitchd run?" in done.stderr


def test_a_bridge_without_our_version(exporter: Exporter, chassis: Chassis) -> None:
    """Where br-int is confined to other versions of OpenFlow, the command that mends it is told, and does."""
    chassis.database.vsctl("set", "bridge", "br-int", "protocols=OpenFlow15")
    exporter.wait_until(lambda: exporter.get("/readyz")[0] == 503, what="aware of it")
    why = json.loads(exporter.get("/readyz")[1])["waiting_for"]["bridge"]
    (command,) = re.findall(r"ovs-vsctl (.*)$", why)
    chassis.database.vsctl(*command.split())
    exporter.wait_until(exporter.is_ready, what="ready again")


def test_top_asks_every_exporter(exporter: Exporter, ovn_central: OvnCentral) -> None:
    """`nqosd top` shows the rules of those that answer, and names those that don't, with exit code 1."""
    add_row(ovn_central, 1, 8000)
    exporter.wait_until(lambda: rules(exporter) == {1: 1_000_000}, what="aware of the rule")
    alone = run("top", "--once", "--endpoint", exporter.url)
    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.splitlines()[1].split() == f"{POLICY} 1 default node-1 0 bit/s 0 bit/s 8 Mbit/s 0 bit/s".split()
    both = run("top", "--endpoint", exporter.url, "--endpoint", "http://127.0.0.1:1")
    assert both.returncode == 1
    assert both.stdout.splitlines()[1:] == alone.stdout.splitlines()[1:]
    assert both.stderr.startswith("http://127.0.0.1:1: Connection refused; does `nqosd stats` listen there?")
    found = conforming("top", run("top", "--once", "--format", "json", "--endpoint", exporter.url).stdout)
    assert [(each["rule"], each["limit"], each["passed_bits"]) for each in found["rates"]] == [(1, 8_000_000, 0.0)]


def test_top_on_a_terminal(exporter: Exporter, ovn_central: OvnCentral) -> None:
    """On a terminal the table is drawn anew at each look, with colours, until Ctrl-C."""
    add_row(ovn_central, 1, 8000)
    exporter.wait_until(lambda: rules(exporter) == {1: 1_000_000}, what="aware of the rule")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "nqosd", "top", "--endpoint", exporter.url, "--interval", "0.5"]
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    process = subprocess.Popen(command, stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while shown.count(b"\x1b[H\x1b[J") < 4 or b"shop/gold" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"\x1b[1mPOLICY" in shown


def test_top_over_tls_with_the_token(tmp_path: Path, exporter: Exporter) -> None:
    """With a certificate and a token, `nqosd top` must know the authority and show the token."""
    authority = Authority(tmp_path)
    server = authority.issue("server")
    token = tmp_path / "token"
    token.write_text("open sesame\n")
    http = f'[http]\ncertificate = "{server.certificate}"\nprivate_key = "{server.key}"\n'
    known = exporter.config.read_text() + f'ca_certificate = "{authority.certificate}"\n'
    exporter.config.write_text(f'{http}bearer_token_file = "{token}"\n{known}')
    exporter.stop()
    process = subprocess.Popen([sys.executable, "-m", "nqosd", "stats", "--config", exporter.config])
    try:
        wait_for_port(exporter.port)
        done = run("top", "--once", "--config", exporter.config)
        assert done.returncode == 0, done.stdout + done.stderr
        exporter.config.write_text(http + known)
        refused = run("top", "--once", "--config", exporter.config)
        assert "401" in refused.stderr
        assert refused.stdout == ""
        exporter.config.write_text(http + known.partition("ca_certificate")[0])
        assert "certificate verify failed" in run("top", "--once", "--config", exporter.config).stderr
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")


def test_another_server_is_told_from_an_exporter() -> None:
    """Metrics of something else are no statistics."""
    with pytest.raises(ValueError, match="serves no statistics"):
        read("# TYPE nqosd_rounds_total counter\nnqosd_rounds_total 1\n")
