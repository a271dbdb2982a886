"""Renders the overlays and the chart, with the real programs.

In: an overlay's name, or values of the chart. Out: objects. Rule: what is rendered is what a user would apply.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.packaging.pods import Manifest
from tests.services.install import golang

ROOT = Path(__file__).parents[2]
CHART = ROOT / "config" / "helm" / "nqosd"
OVERLAYS = ROOT / "config" / "kustomize"


def kustomize(folder: Path) -> list[Manifest]:
    """Render a folder as `kubectl apply -k` does."""
    return objects(run([str(golang.kubectl_program()), "kustomize", str(folder)]))


def helm(*arguments: str) -> str:
    """Run helm; returns what it prints.

    Raises:
        CalledProcessError: helm failed.
    """
    return run([str(golang.helm().require() / "bin" / "helm"), *arguments])


def chart(*arguments: str) -> list[Manifest]:
    """Render the chart as `helm install` does."""
    return objects(helm("template", "nqosd", str(CHART), "--namespace=kube-system", "--include-crds", *arguments))


def objects(text: str) -> list[Manifest]:
    """Read the objects of a text."""
    return [each for each in yaml.safe_load_all(text) if each]


def run(command: Sequence[str]) -> str:
    """Run a command that finds no configuration of the user's."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HELM_CACHE_HOME": "/nonexistent"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=120)
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout
