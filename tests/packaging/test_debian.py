"""What the Debian package is made from is consistent; `make package` builds and installs it."""

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.docs.completion import script

DEBIAN = Path("systemd/debian")
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)$", (DEBIAN / "constraints.txt").read_text(), flags=re.MULTILINE))
DEBIANS_PYTHON = {"extra": "", "python_version": "3.11", "python_full_version": "3.11.2"}


def needed(requirements: list[str]) -> set[str]:
    """Name all that these requirements need on Debian 12, and what that needs, as it is installed here."""
    found: set[str] = set()
    todo = [Requirement(each) for each in requirements]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate(DEBIANS_PYTHON)):
            continue
        found.add(name)
        todo += [Requirement(each) for each in metadata.requires(name) or []]
    return found


def test_every_dependency_is_pinned() -> None:
    """The package carries pinned versions of all that nqosd needs, each one that pyproject.toml allows, no other."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]
    pins = {canonicalize_name(name): version for name, version in PINNED.items()}
    assert set(pins) == needed(project)
    for each in map(Requirement, project):
        assert each.specifier.contains(pins[canonicalize_name(each.name)]), each


@pytest.mark.parametrize("name", ["make-package", "postinst", "prerm", "postrm"])
def test_scripts_are_sound(name: str) -> None:
    """The shell accepts each script."""
    shell = "bash" if name == "make-package" else "sh"
    done = subprocess.run([shell, "-n", DEBIAN / name], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("nqosd che", ["check-config"]),
        ("nqosd compile --format ", ["github", "json", "nbctl", "sarif", "table"]),
        ("nqosd compile config/nqosd.t", ["config/nqosd.toml"]),
        ("nqosd run --conf", ["--config"]),
    ],
)
def test_bash_completes(line: str, offered: list[str]) -> None:
    """Commands, options, their values and file names are offered in bash."""
    program = """
        source /dev/stdin
        read -ra COMP_WORDS <<<"$1"
        [[ $1 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1}
        _shtab_nqosd nqosd "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", program, "bash", line], check=True, capture_output=True, text=True, input=script("bash")
    )
    assert sorted(done.stdout.split()) == offered
