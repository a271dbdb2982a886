"""`nqosd explain` and `nqosd diff` against a real API server, with the rights of config/rbac and no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from nqosd.cli import main
from nqosd.commands import gathering
from nqosd.commands.exits import DIFFERENT, FAILED, OK
from nqosd.kube import credentials as kube_credentials
from tests.e2e.conftest import ACCOUNT
from tests.services.daemon import Nqosd
from tests.services.kubernetes import ApiServer
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide")
PACKET = ("--pod", "default/pod1", "--to", "10.245.2.3", "--proto", "tcp", "--port", "443", "--network", "ovn-stream")


@pytest.fixture
def guide(cluster: ApiServer) -> Iterator[ApiServer]:
    """Create the guide's objects."""
    cluster.kubectl("apply", "-f", str(GUIDE))
    for pod in yaml.safe_load_all((GUIDE / "pods.yaml").read_text()):
        status = json.dumps({"status": pod["status"]})
        cluster.kubectl("patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p", status)
    yield cluster
    for kind in ("networkqoses", "pods", "network-attachment-definitions"):
        cluster.kubectl("delete", kind, "--all", "-n", "default", "--force", "--grace-period=0")


def test_before_and_after_the_daemon(
    guide: ApiServer, ovsdb_nb: OvsdbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the daemon's first start everything is to be done and the row is missing; afterwards all is in order."""
    for switch in ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2"):
        ovsdb_nb.nbctl("ls-add", switch)
    daemon = Nqosd([ovsdb_nb.unix], kubeconfig=guide.kubeconfig(ACCOUNT))
    live = ["--config", str(daemon.config)]

    def explained() -> str:
        assert main(["explain", *PACKET, *live, "--format", "json"]) == OK
        (attachment,) = json.loads(capsys.readouterr().out)["attachments"]
        assert attachment["winner"]["policy"] == "default/qos-external"
        return str(attachment["winner"]["row"]["northbound"]["state"])

    assert main(["diff", *live]) == DIFFERENT
    assert "+++ desired: NetworkQoS default/qos-external" in capsys.readouterr().out
    assert explained() == "missing"
    with daemon:
        daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
        daemon.settle()
        assert main(["diff", *live]) == OK
        assert capsys.readouterr().out == ""
        assert explained() == "as desired"


def kubeconfig(path: Path, server: str, token: str, authority: Path | None = None) -> Path:
    """Write a kubeconfig."""
    cluster = {"server": server} | ({} if authority is None else {"certificate-authority": str(authority)})
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "nobody", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "nobody"}}],
        "current-context": "it",
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("fault", ["gone", "a wrong token", "no rights", "no kubeconfig"])
def test_an_api_server_that_can_not_be_used(
    fault: str, cluster: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command ends with the reason long before its timeout, and so says the daemon's /readyz."""
    file, server, reason = tmp_path / "kubeconfig", cluster.url, ""
    if fault == "gone":
        server, reason = "https://127.0.0.1:1", "no connection to 127.0.0.1:1: Connection refused"
    token = cluster.tokens["nqosd"] if fault == "no rights" else "x"
    daemon = Nqosd(["unix:/none"], kubeconfig=kubeconfig(file, server, token, cluster.ca_file))
    daemon.awaits = "healthz"
    match fault:
        case "a wrong token":
            reason = "401 Unauthorized"
        case "no rights":
            reason = '403 pods is forbidden: User "nqosd" cannot'
        case "no kubeconfig":
            daemon.configure({"kubernetes": {"kubeconfig": ""}})
            monkeypatch.setattr(kube_credentials, "KUBE_CONFIG_DEFAULT_LOCATION", "/none")
            monkeypatch.setenv("KUBECONFIG", "/none")
            reason = "kubeconfig /none does not exist: name one by kubernetes.kubeconfig or $KUBECONFIG"
    monkeypatch.setattr(gathering, "TIMEOUT", 10_000.0)
    assert main(["diff", "--config", str(daemon.config)]) == FAILED
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("nqosd diff: the API server can't be used: ")
    assert reason in streams.err
    with daemon:
        daemon.wait_until(lambda: reason in str(daemon.probe("readyz")[1]["waiting_for"]), what="aware of it")
