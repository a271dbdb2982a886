"""kube-apiserver, kubectl, etcd, helm and a check of dashboards, built with the machine's Go from the modules beside.

In: `kube-apiserver/`, `etcd/`, `helm/` and `dashboard-check/`, each a go.mod and a go.sum that pin everything; the last
has a program of ours that uses Grafana's own types. Out: `bin/PROGRAM` in an entry of the cache. The rule:
`-mod=readonly`, so that a build uses exactly what is committed or fails.
"""

import os
import re
import shutil
from pathlib import Path

from tests.services.install import prometheus
from tests.services.install.cache import Entry, InstallError, key_of, say
from tests.services.install.command import run

HERE = Path(__file__).parent
PART = "kubernetes"
KUBERNETES = "k8s.io/kubernetes"
ETCD = "go.etcd.io/etcd/server/v3"
HELM = "helm.sh/helm/v3"
GRAFANA = "github.com/grafana/grafana-foundation-sdk/go"
VERSION_PACKAGE = "k8s.io/component-base/version"


def kube_apiserver() -> Entry:
    """Return the entry with `bin/kube-apiserver`."""
    return _entry("kube-apiserver", "kube-apiserver", f"{KUBERNETES}/cmd/kube-apiserver", KUBERNETES, "3 to 7 minutes")


def kubectl() -> Entry:
    """Return the entry with `bin/kubectl`: only for a machine without a kubectl of its own."""
    return _entry("kubectl", "kube-apiserver", f"{KUBERNETES}/cmd/kubectl", KUBERNETES, "2 minutes")


def etcd() -> Entry:
    """Return the entry with `bin/etcd`."""
    return _entry("etcd", "etcd", ETCD, ETCD, "1 minute")


def helm() -> Entry:
    """Return the entry with `bin/helm`."""
    return _entry("helm", "helm", f"{HELM}/cmd/helm", HELM, "2 minutes")


def dashboard_check() -> Entry:
    """Return the entry with `bin/dashboard-check`."""
    name = "dashboard-check"
    return _entry(name, name, ".", GRAFANA, "half a minute", part=prometheus.PART)


def kubectl_program() -> Path:
    """Return the machine's kubectl, or else the one in the cache.

    Raises:
        InstallError: there is neither.
    """
    found = shutil.which("kubectl")
    return Path(found) if found else kubectl().require() / "bin" / "kubectl"


def entries() -> list[Entry]:
    """Return what the part `kubernetes` installs on this machine."""
    wanted = [etcd(), kube_apiserver(), helm()]
    return wanted if shutil.which("kubectl") else [*wanted, kubectl()]


def _entry(program: str, module: str, package: str, pinned: str, duration: str, *, part: str = PART) -> Entry:
    directory = HERE / module
    declared = (directory / "go.mod").read_bytes()
    compiler = run(["go", "env", "GOVERSION"], cwd=directory).strip()
    version = _pinned_version(declared.decode(), pinned)

    def make(target: Path, _final: Path) -> None:
        say(f"building {program} {version} (about {duration} the first time) …")
        (target / "bin").mkdir()
        run(
            ["go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", _ldflags(pinned, version),
             "-o", str(target / "bin" / program), package],
            cwd=directory,
            env={**os.environ, "CGO_ENABLED": "0"},
        )  # fmt: skip

    sources = [each.read_bytes() for each in sorted(directory.glob("*.go"))]
    inputs = [program.encode(), declared, (directory / "go.sum").read_bytes(), compiler.encode(), *sources]
    return Entry(part, program, key_of(inputs), f"{program} {version}", make)


def _pinned_version(declared: str, module: str) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", declared, re.MULTILINE)
    if found is None:
        raise InstallError(f"{module} has no version in go.mod: require it there")
    return found[1]


def _ldflags(module: str, version: str) -> str:
    """Return linker flags: no symbol table, and for Kubernetes the version, which a build outside its tree lacks."""
    if module != KUBERNETES:
        return "-s -w"
    major, minor, _ = version.removeprefix("v").split(".", 2)
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s", "-w", *(f"-X {VERSION_PACKAGE}.{name}={value}" for name, value in facts.items())])
