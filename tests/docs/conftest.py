"""Where the commands of a page run: copies of the examples, a database, and a cluster where the page needs one."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.docs.console import Shell
from tests.services.etcd import Etcd
from tests.services.generation import GENERATIONS
from tests.services.install import golang
from tests.services.kubernetes import ApiServer
from tests.services.ovsdb import OvsdbServer
from tests.services.process import free_port

SOCKET = "/run/ovn/ovnnb_db.sock"
PORT = "17476"
"""The database and the port of the daemon as the pages name them."""

OpenShell = Callable[[str], Shell]


@pytest.fixture
def open_shell(tmp_path: Path) -> Iterator[OpenShell]:
    """Give a function that prepares a shell for the commands of a text, with the services that these speak with."""
    with ExitStack() as stack:

        def prepare(commands: str) -> Shell:
            for part in ("docs", "config", "systemd"):
                shutil.copytree(ROOT / part, tmp_path / part)
            port = str(free_port())
            programs = tmp_path / "bin"
            programs.mkdir()
            _program(programs / "nqosd", f'{sys.executable} -m nqosd "$@"')
            environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
            instead = {PORT: port}
            if SOCKET in commands or "ovn-nbctl" in commands:
                database = stack.enter_context(OvsdbServer(GENERATIONS[-1]))
                _program(programs / "ovn-nbctl", f'{GENERATIONS[-1].program("ovn-nbctl")} --db={database.unix} "$@"')
                instead[SOCKET] = str(database.socket)
            if "kubectl" in commands:
                cluster = stack.enter_context(ApiServer(stack.enter_context(Etcd())))
                for crd in (ROOT / "tests/services/manifests").glob("*.yaml"):
                    cluster.apply_crds(crd.read_text())
                _program(programs / "kubectl", f'{shlex.quote(str(golang.kubectl_program()))} "$@"')
                environment["KUBECONFIG"] = str(cluster.kubeconfig())
            shell = Shell(tmp_path, environment, instead)
            stack.callback(shell.close)
            return shell

        yield prepare


def _program(file: Path, command: str) -> None:
    file.write_text(f"#!/bin/sh\nexec {command}\n")
    file.chmod(0o755)
