"""`nqosd explain` and `nqosd diff` against a real API server, with the rights of config/rbac and no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from nqosd.cli import main
from nqosd.commands import gathering
from nqosd.commands.exits import DIFFERENT, FAILED, OK
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


def test_an_api_server_that_is_gone(
    ovsdb_nb: OvsdbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an API server in reach the kinds that are missing are named, and the exit code is 1."""
    server = {"server": "https://127.0.0.1:1"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gone", "cluster": server}],
        "users": [{"name": "nobody", "user": {"token": "x"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "nobody"}}],
        "current-context": "gone",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    monkeypatch.setattr(gathering, "TIMEOUT", 1.0)
    daemon = Nqosd([ovsdb_nb.unix], kubeconfig=tmp_path / "kubeconfig")
    assert main(["diff", "--config", str(daemon.config)]) == FAILED
    said = capsys.readouterr().err
    assert "the API server hasn't listed" in said
    assert "NetworkQoS" in said
