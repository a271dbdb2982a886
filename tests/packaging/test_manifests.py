"""The manifests for Kubernetes are what a real API server takes, and fit the configuration and each other."""

from pathlib import Path

import pytest
import yaml

from nqosd.config import Config, parse
from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError

DEPLOY = Path("config/deploy")
WORKLOADS = ("daemonset", "deployment")
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)


def read(file: Path, *path: str | int) -> object:
    """Read one place of a manifest."""
    value = yaml.safe_load(file.read_text())
    for part in path:
        value = value[part]
    found: object = value
    return found


def workload(name: str, *path: str | int) -> object:
    """Read one place of a workload's manifest."""
    return read(DEPLOY / f"{name}.yaml", *path)


def configuration() -> Config:
    """Read the daemon's configuration out of the config map."""
    text = read(DEPLOY / "configmap.yaml", "data", "nqosd.toml")
    assert isinstance(text, str)
    return parse(text)


def test_the_api_server_takes_them(api_server: ApiServer) -> None:
    """A dry run on the server finds no unknown field and no wrong value."""
    answer = api_server.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", str(DEPLOY))
    assert answer.splitlines() == [
        "configmap/nqosd serverside-applied (server dry run)",
        "daemonset.apps/nqosd serverside-applied (server dry run)",
        "deployment.apps/nqosd serverside-applied (server dry run)",
    ]


def test_the_dry_run_sees_mistakes(api_server: ApiServer) -> None:
    """The same check refuses a misspelt field."""
    wrong = (DEPLOY / "daemonset.yaml").read_text().replace("readinessProbe", "readynessProbe")
    with pytest.raises(ServiceError, match="readynessProbe"):
        api_server.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=wrong)


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_container_does_as_little_as_it_can(name: str) -> None:
    """It has no capability, can't gain any, and writes to memory only."""
    assert workload(name, *CONTAINER, "securityContext") == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_has_the_account_with_the_rights(name: str) -> None:
    """The pod uses the account of config/rbac, in its namespace."""
    account = Path("config/rbac/service-account.yaml")
    assert workload(name, *POD, "serviceAccountName") == read(account, "metadata", "name")
    assert workload(name, "metadata", "namespace") == read(account, "metadata", "namespace")


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_is_probed_where_it_listens(name: str) -> None:
    """The port of the container is that of the configuration, and both probes ask it."""
    address = configuration().http.address
    assert address is not None
    assert workload(name, *CONTAINER, "ports") == [{"name": "http", "containerPort": address[1], "protocol": "TCP"}]
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert workload(name, *CONTAINER, probe, "httpGet") == {"path": path, "port": "http"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_database_is_mounted(name: str) -> None:
    """The folder of the socket that the configuration names is mounted from the host."""
    (remote,) = configuration().northbound.remotes
    folder = str(Path(remote.removeprefix("unix:")).parent)
    assert {"name": "ovn", "mountPath": folder} in workload(name, *CONTAINER, "volumeMounts")  # type: ignore[operator]
