"""The table of `docs/support.md` says which versions the tests run against."""

import re
import tomllib

from tests.checkout import ROOT
from tests.services.generation import GENERATIONS, LATEST

CELLS = {
    name: [each.strip() for each in cells.split("|")]
    for name, cells in re.findall(r"^\| ([\w -]+) \| (.*) \|$", (ROOT / "docs/support.md").read_text(), re.MULTILINE)
}


def pinned(module: str, package: str) -> str:
    """Give the series of a package of Go that a service is built from."""
    (found,) = re.findall(
        rf"{re.escape(package)} v(\d+\.\d+)", (ROOT / f"tests/services/install/{module}/go.mod").read_text()
    )
    return str(found)


def test_the_generations_of_ovn_are_those_of_the_tests() -> None:
    """What is tested and what is measured stands there, by its series."""
    assert CELLS["OVN"][:2] == [", ".join(each.series for each in GENERATIONS), LATEST.series]


def test_kubernetes_and_helm_are_those_of_the_tests() -> None:
    """The series are those from which the tests' programs are built."""
    assert CELLS["Kubernetes"][0] == pinned("kube-apiserver", "k8s.io/kubernetes")
    assert CELLS["Helm"][0] == pinned("helm", "helm.sh/helm/v3")


def test_python_is_what_the_package_asks_for() -> None:
    """The oldest Python is the one of pyproject.toml, newer ones are its classifiers', and the newest is tested too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest, *between, newest = [each.rpartition(" ")[2] for each in project["classifiers"] if ":: Python ::" in each]
    assert project["requires-python"] == f">={oldest}"
    assert f"python{newest}" in (ROOT / "Makefile").read_text()
    assert (CELLS["Python"][0], CELLS["Python"][2]) == (f"{oldest}; {newest} without services", ", ".join(between))
