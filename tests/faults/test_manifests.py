"""A folder of manifests as it is on a running machine: written, unmounted, and holding what no manifest is."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.faults import manifests
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

POLICIES = 12
TABLES = ("QoS", "Address_Set", "Logical_Switch")


def dump(*objects: manifests.Json) -> str:
    """Give objects as YAML."""
    return yaml.safe_dump_all(objects)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system, and write a pod and its policies to it."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    write(folder)
    yield folder
    while folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def write(folder: Path) -> None:
    """Write what the tests begin with."""
    policies = [manifests.policy("a", f"p{number}", priority=number) for number in range(POLICIES)]
    ranges = {"k8s.ovn.org/node-subnets": json.dumps(manifests.RANGES)}
    node: manifests.Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "annotations": ranges}}
    (folder / "pods.yaml").write_text(dump(node, manifests.pod("a", "web", 1), manifests.network("a")))
    (folder / "policies.yaml").write_text(dump(*policies))


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, folder: Path) -> Iterator[Nqosd]:
    """Run a daemon on the folder until it has written everything."""
    for switch in manifests.SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    with Nqosd([ovsdb_nb.unix], manifests=[folder]) as running:
        running.wait_until(lambda: policies_of(ovsdb_nb) == POLICIES, what="written")
        running.settle()
        yield running


def policies_of(nb: OvsdbServer) -> int:
    """Count the policies that have rows."""
    ids = nb.nbctl("--bare", "--columns=external_ids", "list", "QoS").split()
    return len({each for each in ids if each.startswith("nqosd.io/policy=")})


def awaited(daemon: Nqosd) -> str:
    """Say what the daemon says is wrong with the manifests."""
    waiting = daemon.probe("readyz")[1]["waiting_for"]
    assert isinstance(waiting, dict)
    return str(waiting.get("manifests", ""))


def test_a_file_system_that_goes_and_comes_back(daemon: Nqosd, ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """While it isn't mounted, no row goes and /readyz says why; when it is back, its manifests count again."""
    before = ovsdb_nb.dump(*TABLES)
    subprocess.run(["umount", str(folder)], check=True)
    daemon.wait_until(lambda: "another file system than before" in awaited(daemon), what="not ready")
    daemon.settle()
    assert ovsdb_nb.dump(*TABLES) == before
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    write(folder)
    daemon.wait_until(daemon.is_ready, what="ready")
    assert ovsdb_nb.dump(*TABLES) == before
    (folder / "policies.yaml").write_text(dump(manifests.policy("a", "p0", priority=0)))
    daemon.wait_until(lambda: policies_of(ovsdb_nb) == 1, what="what the file says")


def test_a_folder_that_is_empty_for_a_moment_at_the_start(daemon: Nqosd, ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """A daemon that would remove every row looks again, some seconds later."""
    before = ovsdb_nb.dump(*TABLES)
    daemon.stop()
    for name in ("pods", "policies"):
        (folder / f"{name}.yaml").rename(folder / f"{name}.away")
    with Nqosd([ovsdb_nb.unix], manifests=[folder], name="next") as after:
        after.wait_until(lambda: "nothing is removed until" in after.log_file.read_text(), what="in doubt")
        for name in ("pods", "policies"):
            (folder / f"{name}.away").rename(folder / f"{name}.yaml")
        after.wait_until(lambda: after.metric("nqosd_objects", kind="NetworkQoS") == POLICIES, what="reading the rest")
        after.settle()
        assert ovsdb_nb.dump(*TABLES) == before


def test_what_is_no_manifest_delays_nothing_else(daemon: Nqosd, ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """A FIFO, a device, a huge file, endless aliases and a file that no longer parses are named; all else goes on."""
    os.mkfifo(folder / "fifo.yaml")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(10 << 30)
    laughs = "".join(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40))
    (folder / "laughs.yaml").write_text(f"a: &a0 [x]\n{laughs}")
    (folder / "new.yaml").write_text(dump(manifests.policy("a", "new", priority=99)))
    (folder / "policies.yaml").write_text("kind: [")
    daemon.wait_until(lambda: policies_of(ovsdb_nb) == POLICIES + 1, what="with the new policy")
    daemon.wait_until(lambda: ", and 4 more" in awaited(daemon), what="not ready")
    assert daemon.probe("healthz")[0] == 200
    for name in ("fifo", "zero", "huge", "laughs", "policies"):
        assert daemon.log_file.read_text().count(f"{name}.yaml") >= 1
        (folder / f"{name}.yaml").unlink()
    (folder / "new.yaml").rename(folder / "policies.yaml")
    daemon.wait_until(daemon.is_ready, what="ready")
    daemon.wait_until(lambda: policies_of(ovsdb_nb) == 1, what="what the files say")
