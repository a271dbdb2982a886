"""`kubectl nqos` against a real API server, and two daemons of two zones that are reached through its proxy alone."""

import contextlib
import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import yaml

from nqosd.cli import FAILED, OK, USAGE, main
from nqosd.commands.exits import DIFFERENT, INTERRUPTED
from nqosd.commands.kubectl.plugin_explain import UNSURE
from nqosd.commands.kubectl_table import KUBECTL
from tests.cli.documents import conforming
from tests.e2e.conftest import ACCOUNT
from tests.services.chassis import Chassis
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.install import golang
from tests.services.kubernetes import ApiServer
from tests.services.ovn import OvnCentral
from tests.services.ovsdb import OvsdbServer
from tests.services.stats import Exporter

GUIDE = Path("docs/examples/guide")
NODES = ("ovn-worker", "ovn-worker2")
TOKEN = "a token of the daemons"  # noqa: S105 - of this test
ADDRESS = f"198.18.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
"""An address of this machine that isn't loopback, which the API server's proxy refuses to dial."""
PORTS = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: web, namespace: default}
spec:
  priority: 20
  podSelector: {matchLabels: {nqos-app: bw-limited}}
  egress:
  - {dscp: 9, classifier: {to: [{podSelector: {matchLabels: {name: pod2}}}], ports: [{protocol: TCP, port: 443}]}}
"""


@attrs.frozen
class Stage:
    """What a test plays with; `kubeconfig` is that of somebody with the rights of config/plugin and no others."""

    cluster: ApiServer
    first: OvnCentral
    second: OvsdbServer
    second_daemon: Nqosd
    kubeconfig: Path


@contextlib.contextmanager
def address() -> Iterator[None]:
    """Have the address on this machine meanwhile; a shell takes it away when this process ends, however it does."""
    where = f"{ADDRESS}/32 dev lo"
    script = f"ip address add {where} && echo there; cat; ip address del {where}"
    line, pipe = ["sh", "-c", script], subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, start_new_session=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"there\n"
        yield


def account(cluster: ApiServer, name: str, *roles: str) -> Path:
    """Make an account that has these rights, and give its kubeconfig."""
    cluster.kubectl("create", "serviceaccount", name)
    for kind, role in (each.split("/") for each in roles):
        inside = ("-n", "kube-system") if kind == "role" else ()
        verb = "rolebinding" if kind == "role" else "clusterrolebinding"
        cluster.kubectl("create", verb, name, f"--{kind}={role}", f"--serviceaccount=default:{name}", *inside)
    user = f"system:serviceaccount:default:{name}"
    cluster.tokens[user] = cluster.kubectl("create", "token", name).strip()
    return cluster.kubeconfig(user)


def create_pod(cluster: ApiServer, pod: dict[str, Any]) -> None:
    """Create a pod with the status that its kubelet would write."""
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
    cluster.request("POST", path, pod)
    status, merge = {"status": pod["status"]}, "application/merge-patch+json"
    cluster.request("PATCH", f"{path}/{pod['metadata']['name']}/status", status, content_type=merge)


@contextlib.contextmanager
def daemon_pod(
    cluster: ApiServer, node: str, port: int, *, name: str = "http", phase: str = "Running"
) -> Iterator[None]:
    """Have a pod of nqosd whose process listens at a port of this machine."""
    container = {"name": name, "image": "nqosd", "ports": [{"name": name, "containerPort": port}]}
    metadata = {"name": f"nqosd-{port}", "namespace": "kube-system", "labels": {"app.kubernetes.io/name": "nqosd"}}
    status = {"phase": phase, "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}
    create_pod(cluster, {"metadata": metadata, "spec": {"nodeName": node, "containers": [container]}, "status": status})
    try:
        yield
    finally:
        cluster.request("DELETE", f"/api/v1/namespaces/kube-system/pods/nqosd-{port}", {"gracePeriodSeconds": 0})


@pytest.fixture(scope="module")
def stage(cluster: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run the guide with a daemon for each of two nodes, and nobody for a third."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN)
    objects = [each for file in GUIDE.iterdir() for each in yaml.safe_load_all(file.read_text())]
    objects += [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}} for node in (*NODES, "ovn-worker3")]
    secret = {"metadata": {"name": "nqosd-http", "namespace": "kube-system"}, "stringData": {"token": TOKEN}}
    objects.append({"apiVersion": "v1", "kind": "Secret", **secret})
    objects += yaml.safe_load_all(Path("config/plugin/rights.yaml").read_text())
    cluster.apply(yaml.safe_dump_all(each for each in objects if each["kind"] != "Pod"))
    for pod in (each for each in objects if each["kind"] == "Pod"):
        create_pod(cluster, pod)
    kubeconfig = account(cluster, "reader", "clusterrole/nqosd-objects", "role/nqosd-daemons")
    with contextlib.ExitStack() as stack:
        stack.enter_context(address())
        central = stack.enter_context(OvnCentral(GENERATIONS[-1]))
        second = stack.enter_context(OvsdbServer(GENERATIONS[-1], "nb"))
        daemons = []
        for node, database in zip(NODES, (central.nb, second), strict=True):
            database.nbctl("set", "NB_Global", ".", f"name={node}", "--", "ls-add", f"ovn.stream_{node}")
            daemon = Nqosd([database.unix], kubeconfig=cluster.kubeconfig(ACCOUNT), name=f"nqosd-{node}")
            daemon.configure({"http": {"listen": f"0.0.0.0:{daemon.port}", "bearer_token_file": str(token)}})
            daemons.append(daemon)
            stack.enter_context(daemon)
            stack.enter_context(daemon_pod(cluster, node, daemon.port))
        for database in (central.nb, second):
            database.wait_until(lambda it=database: rows(it) != [], what="given its row")  # type: ignore[misc]
        yield Stage(cluster, central, second, daemons[1], kubeconfig)
    for kind in ("networkqoses", "pods", "network-attachment-definitions"):
        cluster.kubectl("delete", kind, "--all", "-n", "default", "--force", "--grace-period=0")


def asked(
    capsys: pytest.CaptureFixture[str], stage: Stage, *arguments: str, kubeconfig: Path | None = None
) -> tuple[int, str, str]:
    """Run the plugin; gives its exit code, output and complaints."""
    code = main([*arguments, "--kubeconfig", str(kubeconfig or stage.kubeconfig)], program=KUBECTL)
    streams = capsys.readouterr()
    return code, streams.out, streams.err


THIRD = "no daemon has answered for the nodes ovn-worker3\n"
"""What is said of the node that has no daemon."""


def test_kubectl_finds_it(stage: Stage) -> None:
    """Kubectl runs the program that lies beside `nqosd`, with a kubeconfig from the environment and nothing else."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    line = [str(golang.kubectl_program()), "nqos", "get", "policies"]
    done = subprocess.run(
        line, env={"PATH": programs, "KUBECONFIG": str(stage.kubeconfig)}, capture_output=True, text=True, check=False
    )
    assert done.stderr == THIRD
    assert done.returncode == FAILED
    assert [row.split()[:4] for row in done.stdout.splitlines()] == [
        ["ZONE", "POLICY", "READY", "REASON"],
        *([node, "default/qos-external", "yes", "Applied"] for node in NODES),
    ]


def test_get(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """Each list has the entries of all zones, or of one; what couldn't be reached is said, and is exit code 1."""
    for what in ("policies", "selections", "rows", "networks"):
        code, out, err = asked(capsys, stage, "get", what, "-o", "json")
        found = conforming(f"kubectl-get-{what}", out)
        assert (code, err) == (FAILED, THIRD)
        assert {each["zone"] for each in found} == set(NODES)
    code, out, err = asked(capsys, stage, "get", "rows", "qos-external", "--zone", "ovn-worker", "-o", "json")
    (row,) = conforming("kubectl-get-rows", out)
    assert (code, err, row["switch"]) == (OK, "", "ovn.stream_ovn-worker")
    found = conforming("kubectl-get-policy", asked(capsys, stage, "get", "policy", "qos-external", "-o", "json")[1])
    assert [(each["zone"], len(each["rows"])) for each in found] == [(node, 1) for node in NODES]
    titles = [line for line in asked(capsys, stage, "get", "policy", "qos-external")[1].splitlines() if line[0] != " "]
    assert titles == [f"zone {node}, {title}:" for node in NODES for title in ("policy", "rules", "rows", "sets")]
    assert asked(capsys, stage, "get", "policies", "none")[0] == FAILED
    code, out, err = asked(capsys, stage, "get", "policies", "--zone", "nowhere")
    assert (code, out, err) == (FAILED, "", "kubectl nqos get: --zone nowhere: no node is of it\n")


def test_explain(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """A pod is named as kubectl names it, and the row is looked for in the database of its zone."""
    pair = ("explain", "pod/pod1", "--to", "pod/pod2", "--network", "ovn-stream")
    code, out, err = asked(capsys, stage, *pair, "-o", "json")
    assert (code, err) == (OK, "")
    found = conforming("explain", out)
    assert found["packet"] == {
        "pod": "default/pod1", "node": "ovn-worker", "to": "pod default/pod2", "protocol": None, "port": None,
    }  # fmt: skip
    (attachment,) = found["attachments"]
    assert (attachment["from"], attachment["to"]) == ("10.245.4.3", "10.245.2.3")
    assert attachment["winner"]["policy"] == "default/qos-external"
    assert attachment["winner"]["row"]["northbound"]["state"] == "as desired"
    text = asked(capsys, stage, *pair)[1].splitlines()
    assert text[0] == "pod default/pod1 to pod default/pod2"
    assert text[2] == "network ovn-stream (layer3), from 10.245.4.3 to 10.245.2.3"


def test_what_a_question_must_name(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """A protocol that a rule asks for must be named, and what can't be asked is exit code 2."""
    pair = ("explain", "pod1", "--to", "po/POD2", "--network", "ovn-stream")
    stage.cluster.apply(PORTS)
    try:
        code, out, err = asked(capsys, stage, *pair)
        said = "kubectl nqos explain: --proto is missing: default/web rule 0 asks for TCP port 443\n"
        assert (code, out, err) == (USAGE, "", said)
        code, out, err = asked(capsys, stage, *pair, "--proto", "TCP")
        assert (code, "--port is missing: default/web rule 0" in err) == (USAGE, True)
        code, out, _err = asked(capsys, stage, *pair, "--proto", "UDP")
        assert (code, "wins default/qos-external rule 0" in out) == (OK, True)
        code, out, _err = asked(capsys, stage, *pair, "--proto", "TCP", "--port", "443")
        assert (code, "wins default/web rule 0" in out) == (OK, True)
    finally:
        stage.cluster.kubectl("delete", "networkqos", "web")
    for arguments, said in {
        ("pod1", "--to", "pod/none"): "--to pod default/none: there is no such pod",
        ("none", "--to", "192.0.2.1"): "pod default/none: there is no such pod",
        ("pod1", "--to", "pod2"): "--to pod2: it is not an IPv4 or IPv6 address, nor pod/NAME",
    }.items():
        code, out, err = asked(capsys, stage, "explain", *arguments)
        assert (code, out, err) == (USAGE, "", f"kubectl nqos explain: {said}\n")


def test_diff(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """What a database has otherwise than the objects say is shown with its zone."""
    assert asked(capsys, stage, "diff", "--zone", NODES[1]) == (OK, "", "")
    client = str(stage.second.generation.program("ovsdb-client"))
    with subprocess.Popen([client, "steal", stage.second.unix, "nqosd"], stdout=subprocess.DEVNULL) as thief:
        try:
            stage.second_daemon.wait_until(
                lambda: stage.second_daemon.probe("readyz")[1].get("role") == "standby", what="without its lock"
            )
            stage.second.nbctl("set", "QoS", str(rows(stage.second)[0]["_uuid"][1]), "priority=7")
            code, out, err = asked(capsys, stage, "diff")
            assert (code, err) == (FAILED, THIRD)
            lines = out.splitlines()
            title = "NetworkQoS default/qos-external"
            assert lines[:2] == [f"--- zone {NODES[1]}, database: {title}", f"+++ zone {NODES[1]}, desired: {title}"]
            assert {"-  priority: 7", "+  priority: 12180"} <= set(lines)
            code, out, err = asked(capsys, stage, "diff", "--zone", NODES[1], "-o", "json")
            ((_title, before, after),) = ((each.values()) for each in conforming("kubectl-diff", out)[0]["differences"])
            assert (code, err) == (DIFFERENT, "")
            assert ("  priority: 7" in before, "  priority: 12180" in after) == (True, True)
        finally:
            thief.kill()
    stage.second.wait_until(lambda: rows(stage.second)[0]["priority"] == 12180, what="mended")


def rows(nb: OvsdbServer) -> list[dict[str, Any]]:
    """Read the QoS rows."""
    found: list[dict[str, Any]] = nb.transact({"op": "select", "table": "QoS", "where": []})[0]["rows"]  # type: ignore[assignment]
    return found


def test_what_rights_do_not_reach(capsys: pytest.CaptureFixture[str], stage: Stage, tmp_path: Path) -> None:
    """Without rights to the daemons a packet is explained all the same; what is refused is said, and is exit code 1."""
    poor, nobody = account(stage.cluster, "poor", "clusterrole/nqosd-objects"), account(stage.cluster, "nobody")
    for command in ("get", "policies"), ("diff",):
        code, out, err = asked(capsys, stage, *command, kubeconfig=poor)
        assert (code, out, err.count('cannot get resource "pods/proxy"')) == (FAILED, "", len(NODES))
        code, out, err = asked(capsys, stage, *command, kubeconfig=nobody)
        said = "pods app.kubernetes.io/name=nqosd in namespace kube-system can't be listed: 403 pods is forbidden: "
        assert (code, out, err.startswith(f"kubectl nqos {command[0]}: {said}")) == (FAILED, "", True)
    question = ("explain", "pod/default/pod1", "--to", "10.245.2.3", "--network", "ovn-stream", "-o", "json")
    code, out, err = asked(capsys, stage, *question, kubeconfig=poor)
    (attachment,) = conforming("explain", out)["attachments"]
    assert (code, err.count("pods/proxy"), err.endswith(f"{UNSURE}\n")) == (FAILED, len(NODES), True)
    assert (attachment["winner"]["policy"], attachment["winner"]["row"]["northbound"]) == ("default/qos-external", None)
    code, out, err = asked(capsys, stage, *question, kubeconfig=nobody)
    assert (code, out, "the API server can't be used: 403 " in err) == (FAILED, "", True)
    (tmp_path / "token").write_text("wrong")
    code, out, err = asked(capsys, stage, "get", "rows", "--token-file", str(tmp_path / "token"))
    assert (code, out) == (FAILED, "")
    assert f"on node {NODES[0]}: 401 the token is missing or wrong" in err
    code, out, err = asked(capsys, stage, "get", "rows", "--token-file", str(tmp_path / "none"))
    assert (code, out) == (FAILED, "")
    assert err == f"kubectl nqos get: --token-file {tmp_path}/none: No such file or directory\n"
    (tmp_path / "binary").write_bytes(b"\xff")
    code, out, err = asked(capsys, stage, "get", "rows", "--token-file", str(tmp_path / "binary"))
    assert (code, out) == (FAILED, "")
    assert err == f"kubectl nqos get: --token-file {tmp_path}/binary: a token is ASCII, and this has other bytes\n"
    code, out, err = asked(capsys, stage, "get", "rows", "--daemons", "default")
    said = "there is no pod app.kubernetes.io/name=nqosd in namespace default; --daemons names another namespace"
    assert (code, out, err) == (FAILED, "", f"kubectl nqos get: {said}\n")


def test_pods_that_do_not_answer(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """A pod that doesn't run, and one whose process is away, are named with the reason beside what others say."""
    with daemon_pod(stage.cluster, "ovn-worker3", 1), daemon_pod(stage.cluster, "ovn-worker3", 2, phase="Pending"):
        code, out, err = asked(capsys, stage, "get", "policies")
    assert code == FAILED
    assert len(out.splitlines()) == 3
    away, pending, *rest = err.splitlines()
    assert away.startswith("pod nqosd-1 on node ovn-worker3: 503 ")
    assert "connection refused" in away
    assert [pending, *rest] == ["pod nqosd-2 on node ovn-worker3: its phase is Pending", THIRD.strip()]


def test_watching_a_zone_that_goes_and_comes(stage: Stage) -> None:
    """With --watch a daemon that is away is named each time, and those of other zones go on."""
    plugin = Path(sys.executable).with_name("kubectl-nqos")
    line = [str(plugin), "get", "policies", "--watch", "--kubeconfig", str(stage.kubeconfig)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for _time in range(2):
                assert THIRD in process.stderr
                stage.second_daemon.stop()
                assert f"no daemon has answered for the nodes {NODES[1]}, ovn-worker3\n" in process.stderr
                stage.second_daemon.start()
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == INTERRUPTED
        finally:
            process.kill()


def test_pods_of_other_zones(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """With --zone a pod of another zone that doesn't answer is nobody's matter, unless nobody speaks for the zone."""
    with daemon_pod(stage.cluster, "ovn-worker3", 2, phase="Pending"):
        for command in (("get", "policies"), ("diff",)):
            code, _out, err = asked(capsys, stage, *command, "--zone", NODES[0])
            assert (code, err) == (OK, "")
            code, out, err = asked(capsys, stage, *command, "--zone", "ovn-worker3")
            assert (code, out, "pod nqosd-2 on node ovn-worker3: its phase is Pending" in err) == (FAILED, "", True)
    with daemon_pod(stage.cluster, NODES[0], 2, phase="Pending"):
        code, _out, err = asked(capsys, stage, "get", "policies", "--zone", NODES[0])
        assert (code, err) == (FAILED, f"pod nqosd-2 on node {NODES[0]}: its phase is Pending\n")
        code, _out, err = asked(capsys, stage, "get", "policies", "--zone", "ovn-worker3")
        assert (code, f"pod nqosd-2 on node {NODES[0]}" in err, THIRD.strip() in err) == (FAILED, True, True)


def test_the_namespace_of_the_context(capsys: pytest.CaptureFixture[str], stage: Stage, tmp_path: Path) -> None:
    """A policy's name alone is looked for where kubectl would look for it."""
    elsewhere = yaml.safe_load(stage.kubeconfig.read_text())
    elsewhere["contexts"][0]["context"]["namespace"] = "elsewhere"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(elsewhere))
    there = {"kubeconfig": tmp_path / "kubeconfig"}
    code, out, err = asked(capsys, stage, "get", "policy", "qos-external", **there)
    assert (code, out, err.count("404 there is no NetworkQoS elsewhere/qos-external")) == (FAILED, "", len(NODES))
    for same in (("default/qos-external",), ("qos-external", "-n", "default")):
        assert "zone ovn-worker, policy:" in asked(capsys, stage, "get", "policy", *same, **there)[1]


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Answers as a pod that somebody has taken over, and notes what comes to where it sends people."""

    taken: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Send whoever asks to an address of its own choice."""
        if self.path == "/taken":
            self.taken.append(self.path)
        self.send_response(http.HTTPStatus.FOUND)
        self.send_header("Location", f"http://localhost:{self.server.server_port}/taken")  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_a_pod_that_sends_elsewhere(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """A redirection isn't followed: the token would go to wherever a pod says."""
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Redirecting) as server:  # noqa: S104 - two addresses of it
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with daemon_pod(stage.cluster, "ovn-worker3", port):
            code, _out, err = asked(capsys, stage, "get", "policies")
        server.shutdown()
    assert (code, err) == (FAILED, f"pod nqosd-{port} on node ovn-worker3: 302\n{THIRD}")
    assert Redirecting.taken == []


def test_top(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """The rates of all exporters that run as pods are shown, and why others give none."""
    stage.first.nb.nbctl("lsp-add", f"ovn.stream_{NODES[0]}", "a")
    with Chassis(stage.first) as chassis:
        chassis.bind("a")
        bridge = chassis.directory / "br-int.mgmt"
        exporter = Exporter(stage.first.nb.unix, stage.first.sb.unix, bridge, NODES[0])
        exporter.config.write_text(exporter.config.read_text().replace('"127.0.0.1:', '"0.0.0.0:'))
        with (
            exporter,
            daemon_pod(stage.cluster, NODES[0], exporter.port, name="stats"),
            daemon_pod(stage.cluster, NODES[1], 1, name="stats"),
        ):
            exporter.wait_until(lambda: exporter.counts() != {}, what="aware of the row")
            code, out, err = asked(capsys, stage, "top", "--once", "-o", "json", "--interval", "0.1")
            _, text, said = asked(capsys, stage, "top", "--once", "--interval", "0.1")
    found = conforming("top", out)
    assert (code, err) == (FAILED, "")
    assert [(each["policy"], each["node"], each["limit"]) for each in found["rates"]] == [
        ("qos-external", NODES[0], 20_000_000)
    ]
    assert list(found["failures"]) == [f"pod nqosd-1 on node {NODES[1]}"]
    assert "connection refused" in found["failures"][f"pod nqosd-1 on node {NODES[1]}"]
    assert [line.split()[0] for line in text.splitlines()] == ["POLICY", "default/qos-external"]
    assert said.startswith(f"pod nqosd-1 on node {NODES[1]}: ")
