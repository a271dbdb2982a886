"""The commands of docs/install.md lead from nothing to a policy that is applied, each way in at most six of them."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.console import blocks
from tests.packaging.kubelet import kubelet
from tests.packaging.pods import Manifest, Pod, checkout
from tests.packaging.site import GUIDE, OPENVSWITCH, Site
from tests.services.install import golang

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "install.md"
WAYS = dict(zip(("Helm", "kubectl", "systemd"), (text for _line, text in blocks(PAGE, "sh")), strict=True))
APPLIED = "NetworkQoS Destinations applied"
PATIENCE = 120


def commands(way: str) -> list[str]:
    """Give the commands of a way; a text that is written to a file is part of its command."""
    return re.findall(r"^.*<<END\n(?:.*\n)*?END$|^.+$", WAYS[way], flags=re.MULTILINE)


def run(command: str, folder: Path, site: Site, **programs: str) -> str:
    """Run a command of the page in a copy of the checkout; gives what it prints."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name, text in {"kubectl": f'exec {golang.kubectl_program()} "$@"', **programs}.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(folder)}
    environment["KUBECONFIG"] = str(site.api_server.kubeconfig())
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_a_way_is_short(way: str) -> None:
    """It takes at most six commands."""
    assert 1 < len(commands(way)) <= 6


@pytest.mark.parametrize("way", ["Helm", "kubectl"])
def test_a_way_into_the_cluster(way: str, site: Site, tmp_path: Path) -> None:
    """Its commands end with a policy that is applied, and with its row in the node's database."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    node = site.lay_out(tmp_path / "node")
    helm = f'exec {golang.helm().require()}/bin/helm "$@"' if way == "Helm" else "exit 1"
    with kubelet(site.api_server, node, checkout()):
        *first, last = commands(way)
        for command in first:
            run(command, tmp_path, site, helm=helm)
        site.central.nb.wait_until(lambda: APPLIED in run(last, tmp_path, site), what=f"applied as {last} shows it")
        site.api_server.kubectl("create", "-f", str(GUIDE / "pods.yaml"))
        site.central.nb.wait_until(lambda: "dscp=20" in site.rows(), what="given its row")
        site.forget()
        site.central.nb.wait_until(lambda: not site.rows(), what="empty again")
    image = site.api_server.kubectl("get", "daemonset", "nqosd", "-n", "kube-system", "-o", "jsonpath={..image}")
    assert set(image.split()) == {"registry.example/nqosd:0.1.0"}
    site.api_server.kubectl("delete", "daemonset", "nqosd", "-n", "kube-system")
    if way == "Helm":
        run("helm uninstall nqosd --namespace kube-system", tmp_path, site, helm=helm)


def test_the_way_of_systemd(site: Site, tmp_path: Path) -> None:
    """With the package's files at their places, the unit's command runs as its drop-in says, and applies a policy."""
    node = site.lay_out(tmp_path / "node")
    install = tmp_path / "install"
    install.mkdir()
    for source, target in (
        ("config/nqosd.toml", "etc/nqosd/nqosd.toml"),
        ("config/crd", "usr/share/nqosd/crd"),
        ("config/rbac", "usr/share/nqosd/rbac"),
        ("systemd/nqosd-containers.conf", "usr/share/doc/nqosd/examples/nqosd-containers.conf"),
    ):
        place = node.root / target
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
    for command in commands("systemd"):
        here = re.sub(r"(?<![\w.])/(etc|usr)/", rf"{node.root}/\1/", command).replace(
            f'kubeconfig = "{node.root}', 'kubeconfig = "'
        )
        run(here, install, site, apt='[ "$1" = install ]', systemctl='[ "$*" = "enable --now nqosd nqosd-stats" ]')
    workload = as_pod(unit(ROOT / "systemd/nqosd.service", node.root / "etc/systemd/system/nqosd.service.d"))
    with Pod(workload, [], node, site.api_server, checkout()).running() as pod:
        site.api_server.kubectl("create", "-f", str(GUIDE))
        pod.containers["nqosd"].wait_until(lambda: "dscp=20" in site.rows(), what="writing the policy's row")
        site.forget()
        pod.containers["nqosd"].wait_until(lambda: not site.rows(), what="removing the policy's row")


def unit(file: Path, drop_ins: Path) -> Mapping[str, str]:
    """Read the settings of a unit with its drop-ins, of which the last ones count."""
    texts = [file.read_text(), *(each.read_text() for each in sorted(drop_ins.glob("*.conf")))]
    return dict(re.findall(r"^([A-Za-z]+)=(.*)$", "\n".join(texts), flags=re.MULTILINE))


def as_pod(settings: Mapping[str, str]) -> Manifest:
    """Say in the words of a pod what systemd would run: command, user, no capability, files that stay as they are.

    Its folder in memory is for certificates of a kubeconfig, as is the unit's RuntimeDirectory.
    """
    assert settings["User"] == settings["Group"] == "root"
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == ""
    assert (settings["ProtectSystem"], settings["NoNewPrivileges"]) == ("strict", "yes")
    program, *arguments = settings["ExecStart"].split()
    assert program.endswith("/nqosd")
    folders = {"etc": "/etc/nqosd", "openvswitch": OPENVSWITCH}
    mounts = [{"name": name, "mountPath": path, "readOnly": True} for name, path in folders.items()]
    container = {
        "name": "nqosd",
        "args": arguments,
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - its own
    }
    volumes = [{"name": name, "hostPath": {"path": path, "type": "Directory"}} for name, path in folders.items()]
    spec = {
        "serviceAccountName": "nqosd",
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [*volumes, {"name": "tmp", "emptyDir": {}}],
    }
    return {"metadata": {"name": "nqosd", "namespace": "kube-system"}, "spec": {"template": {"spec": spec}}}
