"""`nqosd get` asks the running daemon."""

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nqosd.cli import BAD_CONFIG, FAILED, OK, USAGE, main
from nqosd.commands.kubectl_table import KUBECTL
from nqosd.commands.table import NQOSD
from tests.cli.documents import conforming
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer
from tests.services.tls import Authority

GUIDE = Path("docs/examples/guide").resolve()
BROKEN = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: broken, namespace: default}
spec:
  priority: 5
  egress: [{dscp: 64}]
"""


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, tmp_path: Path) -> Iterator[Nqosd]:
    """Run the daemon on the guide and a broken policy, with one of two switches in place."""
    for manifest in GUIDE.iterdir():
        shutil.copy(manifest, tmp_path)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    ovsdb_nb.nbctl("ls-add", "ovn.stream_ovn-worker")
    with Nqosd([ovsdb_nb.unix], manifests=[tmp_path]) as running:
        running.wait_until(lambda: running.metric("nqosd_replica_rows", table="QoS") == 1, what="done with the guide")
        running.settle()
        yield running


def got(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `nqosd get`; gives its exit code, output and complaints."""
    code = main(["get", "--config", str(config), *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_policies(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> None:
    """Each policy has the reason and the message of its condition, and what is wrong with it field by field."""
    code, out, err = got(capsys, daemon.config, "policies", "--format", "json")
    assert (code, err) == (OK, "")
    broken, guide = conforming("get-policies", out)
    assert (broken["name"], broken["ready"], broken["reason"], broken["rows"]) == ("broken", False, "Invalid", 0)
    assert broken["problems"][0].startswith("spec.egress[0].dscp")
    assert (guide["reason"], guide["rows"], guide["networks"]) == ("WaitingForSwitch", 2, ["ovn-stream"])
    lines = got(capsys, daemon.config, "policies")[1].splitlines()
    assert lines[0].split() == ["POLICY", "READY", "REASON", "ROWS", "NETWORKS", "MESSAGE"]
    assert lines[2].startswith("default/qos-external  no     WaitingForSwitch  2     ovn-stream")


def test_selections(capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """Each selection is shown with the name of its set and its members, which are those in the database."""
    found = conforming("get-selections", got(capsys, daemon.config, "selections", "--format", "json")[1])
    members = {each["name"]: each["members"] for each in found}
    assert sorted(members.values()) == [["10.245.2.3"], ["10.245.4.3"]]
    for name, each in members.items():
        assert each == ovsdb_nb.nbctl("--bare", "get", "Address_Set", name, "addresses").split('"')[1:2]
    out = got(capsys, daemon.config, "selections")[1]
    assert "pods nqos-app=bw-limited in namespace default on network ovn-stream" in out


def test_rows(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> None:
    """Each row is shown as it should be, and whether its switch is waited for."""
    found = conforming("get-rows", got(capsys, daemon.config, "rows", "--format", "json")[1])
    assert [(each["switch"], each["waits"]) for each in found] == [
        ("ovn.stream_ovn-worker", False),
        ("ovn.stream_ovn-worker2", True),
    ]
    assert {(each["priority"], each["dscp"], each["rate"], each["burst"]) for each in found} == {
        (12180, 20, 20000, 100)
    }
    out = got(capsys, daemon.config, "rows")[1]
    assert "ovn.stream_ovn-worker2 (waited for)" in out
    assert "20000 kbps, burst 100 kb" in out


def test_by_name_and_namespace(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> None:
    """Names, with their namespace or without, and `-n` narrow a list; a name that nothing has is exit code 1."""
    for what, *names in (
        ("policies", "broken"),
        ("policies", "default/broken"),
        ("policies", "-n", "default", "broken"),
    ):
        lines = got(capsys, daemon.config, what, *names)[1].splitlines()
        assert [line.split()[0] for line in lines] == ["POLICY", "default/broken"]
    assert len(got(capsys, daemon.config, "rows", "qos-external")[1].splitlines()) == 3
    assert len(got(capsys, daemon.config, "networks", "ovn-stream")[1].splitlines()) == 2
    name = conforming("get-selections", got(capsys, daemon.config, "selections", "-o", "json")[1])[0]["name"]
    assert len(got(capsys, daemon.config, "selections", name)[1].splitlines()) == 2
    assert got(capsys, daemon.config, "policies", "-n", "other")[:2] == (
        OK,
        "POLICY  READY  REASON  ROWS  NETWORKS  MESSAGE\n",
    )
    said = "nqosd get: policies: there is nothing of the name none\n"
    assert got(capsys, daemon.config, "policies", "broken", "none") == (FAILED, "", said)
    assert got(capsys, daemon.config, "selections", "-n", "default")[:2] == (USAGE, "")


def test_one_policy(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> None:
    """All about one policy: its rules, rows and sets; another name is exit code 1, none or two exit code 2."""
    code, out, err = got(capsys, daemon.config, "policy", "qos-external", "-o", "json")
    found = conforming("get-policy", out)
    assert (code, err, found["policy"]["name"]) == (OK, "", "qos-external")
    (rule,) = found["rules"]
    assert rule["packets"] == "to 0.0.0.0/0 except 10.11.12.13/32, 172.16.0.0/12, 192.168.0.0/16"
    assert [each["switch"] for each in found["rows"]] == ["ovn.stream_ovn-worker", "ovn.stream_ovn-worker2"]
    assert sorted(each["members"] for each in found["selections"]) == [["10.245.2.3"], ["10.245.4.3"]]
    text = got(capsys, daemon.config, "policy", "-n", "default", "qos-external")[1]
    titles = [line for line in text.splitlines() if not line.startswith(" ")]
    assert titles == ["policy:", "rules:", "rows:", "sets:"]
    code, out, err = got(capsys, daemon.config, "policy", "other/none")
    assert (code, out, "404 there is no NetworkQoS other/none" in err) == (FAILED, "", True)
    assert err.count("404") == 1
    assert got(capsys, daemon.config, "policy")[0] == USAGE
    said = "write NAME or NAMESPACE/NAME, and no other namespace with -n\n"
    for wrong in (
        ("a/b/c",),
        ("a/",),
        ("/qos-external",),
        ("default/qos-external", "-n", "other"),
        ("a/b/c", "-n", "a"),
    ):
        assert got(capsys, daemon.config, "policy", *wrong) == (USAGE, "", f"nqosd get: policy {wrong[0]}: {said}")
    for same in (("-n", "default", "default/qos-external"), ("default/qos-external",)):
        assert got(capsys, daemon.config, "policy", *same)[0] == OK


def test_watching(daemon: Nqosd, tmp_path: Path) -> None:
    """With --watch the list is followed by what is new or has changed, until Ctrl-C."""
    line = [sys.executable, "-m", "nqosd", "get", "policies", "--watch", "--config", str(daemon.config)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            (tmp_path / "broken.yaml").write_text(BROKEN.replace("64", "63").replace("broken", "mended"))
            lines.append(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 130
        finally:
            process.kill()
    assert [each.split()[0] for each in lines] == ["POLICY", "default/broken", "default/qos-external", "default/mended"]


def test_watching_a_daemon_that_is_started_again(daemon: Nqosd, tmp_path: Path) -> None:
    """With --watch a daemon that is away is named once and waited for; one that never was there ends it with 1."""
    line = [sys.executable, "-m", "nqosd", "get", "policies", "--watch", "--config", str(daemon.config)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            daemon.stop()
            said = process.stderr.readline()
            done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
            (tmp_path / "broken.yaml").write_text(BROKEN.replace("64", "63").replace("broken", "mended"))
            daemon.start()
            lines.append(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _out, more = process.communicate(timeout=120)
        finally:
            process.kill()
    assert "no daemon answers there" in said
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert lines[-1].split()[0].startswith("default/")
    assert (process.returncode, "no daemon answers there" in more) == (130, False)


def test_no_column_is_lost_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], daemon: Nqosd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a line is too long its match is cut, and nothing else is."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    for what in (("rows",), ("policy", "qos-external")):
        lines = [line for line in got(capsys, daemon.config, *what)[1].splitlines() if "to-lport" in line]
        assert len(lines) == 2
        assert all("20000 kbps, burst 100 kb" in line and line.endswith("…") for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "policies", "-n", ""),
        ("diff", "--kubeconfig", ""),
        ("diff", "--context="),
        ("compile", "--zone", "", str(GUIDE)),
        ("explain", "--pod", "a/b", "--to", "192.0.2.1", "--from", ""),
    ],
)
def test_names_that_are_empty(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """An option that is given names something: an empty one, as a variable that isn't set makes it, is refused."""
    for program in (NQOSD, KUBECTL) if arguments[0] in ("get", "diff") else (NQOSD,):
        with pytest.raises(SystemExit) as ended:
            main([*arguments], program=program)
        streams = capsys.readouterr()
        assert (ended.value.code, streams.out) == (USAGE, "")
        assert "it is empty; name one, or leave it out" in streams.err


def test_matches_are_for_the_eye(capsys: pytest.CaptureFixture[str], daemon: Nqosd) -> None:
    """A list of prefixes is shown as its block and the exceptions; --wide and JSON have it as OVN has it."""
    assert (
        "ip4.dst == {0.0.0.0/0 except 10.11.12.13, 172.16.0.0/12, 192.168.0.0/16}"
        in got(capsys, daemon.config, "rows")[1]
    )
    match = conforming("get-rows", got(capsys, daemon.config, "rows", "-o", "json")[1])[0]["match"]
    assert "ip4.dst == {0.0.0.0/5, 8.0.0.0/7, " in match
    for what in (("rows",), ("policy", "qos-external")):
        assert "{0.0.0.0/0 except 10.11.12.13, 172" in got(capsys, daemon.config, *what)[1]
        assert match in got(capsys, daemon.config, *what, "--wide")[1]


def test_networks(capsys: pytest.CaptureFixture[str], ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """Each definition is shown with what it renders, and one that is ignored with the reason."""
    (tmp_path / "nad.yaml").write_text("""
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: ovn-stream, namespace: evil}
spec: {config: '{"type": "ovn-k8s-cni-overlay", "name": "ovn-stream", "topology": "layer2"}'}
""")
    with Nqosd([ovsdb_nb.unix], manifests=[GUIDE, tmp_path]) as daemon:
        daemon.wait_until(lambda: "ovn-stream" in got(capsys, daemon.config, "networks")[1], what="done with a round")
        found = conforming("get-networks", got(capsys, daemon.config, "networks", "--format", "json")[1])
        by_key = {each["definition"]: each for each in found}
        assert by_key["default/ovn-stream"]["ignored"] == ""
        assert by_key["evil/ovn-stream"]["ignored"].startswith("network ovn-stream is what default/ovn-stream says")
        assert "ignored: network ovn-stream is what" in got(capsys, daemon.config, "networks")[1]


class TlsNqosd(Nqosd):
    """A daemon whose probes speak TLS, which the plain ones can't ask."""

    def is_ready(self) -> bool:
        """Wait for the port only."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def test_over_tls_with_a_token(capsys: pytest.CaptureFixture[str], ovsdb_nb: OvsdbServer, tmp_path: Path) -> None:
    """Certificate and token are taken from the configuration; another certificate or token gets nothing."""
    authority = Authority(tmp_path / "authority")
    first, second = authority.issue("first"), authority.issue("second")
    token, wrong = tmp_path / "token", tmp_path / "wrong"
    token.write_text("correct")
    wrong.write_text("incorrect")
    options = {"certificate": str(first.certificate), "private_key": str(first.key), "bearer_token_file": str(token)}
    with TlsNqosd([ovsdb_nb.unix], manifests=[GUIDE], options={"http": options}) as safe:
        safe.wait_until(lambda: "qos-external" in got(capsys, safe.config, "policies")[1], what="done with a round")
        safe.configure({"http": {"bearer_token_file": str(wrong)}})  # for those who read the file from now on
        code, out, err = got(capsys, safe.config, "policies")
        assert (code, out, "401 the token is missing or wrong" in err) == (FAILED, "", True)
        safe.configure({"http": {"certificate": str(second.certificate), "private_key": str(second.key)}})
        code, out, err = got(capsys, safe.config, "policies")
        assert (code, out, "CERTIFICATE_VERIFY_FAILED" in err) == (FAILED, "", True)


def test_nobody_to_ask(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A bad configuration is exit code 78; no daemon, or one that serves nothing, is exit code 1 with the reason."""
    (tmp_path / "bad.toml").write_text("[http]\nlisten = 1\n")
    assert got(capsys, tmp_path / "bad.toml", "rows")[0] == BAD_CONFIG
    (tmp_path / "off.toml").write_text('[http]\nlisten = ""\n')
    code, _out, err = got(capsys, tmp_path / "off.toml", "rows")
    assert (code, "http.listen is empty" in err) == (FAILED, True)
    idle = Nqosd(["unix:/nowhere"], manifests=[GUIDE], directory=tmp_path / "idle")
    code, _out, err = got(capsys, idle.config, "rows")
    assert (code, f"127.0.0.1:{idle.port}: no daemon answers there: Connection refused;" in err) == (FAILED, True)
    assert "What was last reported, and when, shows `kubectl get networkqos -A -o wide`" in err
