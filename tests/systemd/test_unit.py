"""The services are correct, confined, and the daemon's user can reach the database as the comments say."""

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from nqosd.telemetry.health import STUCK_AFTER
from nqosd.web.connections import MOST
from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.ovsdb import OvsdbServer

UNITS = Path(__file__).parents[2] / "systemd"
SERVICE, STATS = UNITS / "nqosd.service", UNITS / "nqosd-stats.service"
GROUP = "65533"
"""A group that nobody is in, in place of the one that systemd-sysusers would make."""


def systemd(tool: str, *arguments: str | Path) -> str:
    """Run one of systemd's tools and return all that it prints."""
    assert shutil.which(tool), f"{tool} is missing: run `make setup`, or install the Debian package systemd"
    done = subprocess.run([tool, *arguments], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(params=[SERVICE, STATS], ids=lambda each: each.stem)
def runnable(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a unit with a program that exists in place of ours, since systemd looks for it."""
    unit = tmp_path / str(request.param.name)
    unit.write_text(request.param.read_text().replace("/opt/nqosd/bin/nqosd", "/bin/true"))
    return unit


def make_user(root: Path) -> None:
    """Make the daemon's user in an otherwise empty system."""
    (root / "etc").mkdir()
    systemd("systemd-sysusers", f"--root={root}", UNITS / "nqosd.sysusers")


def settings(unit: Path = SERVICE) -> dict[str, list[str]]:
    """Read the settings of a unit."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", unit.read_text(), flags=re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def test_systemd_accepts_the_unit(runnable: Path) -> None:
    """Nothing in the unit is unknown to systemd or contradicts the rest."""
    assert systemd("systemd-analyze", "verify", "--man=no", runnable).strip() == ""


def test_the_check_of_the_unit_sees_mistakes(runnable: Path) -> None:
    """The same check on a unit with a misspelt setting says so."""
    runnable.write_text(runnable.read_text().replace("NoNewPrivileges", "NoNewPrivilege"))
    assert "NoNewPrivilege" in systemd("systemd-analyze", "verify", "--man=no", runnable)


@pytest.mark.parametrize("unit", [SERVICE, STATS], ids=lambda each: each.stem)
def test_a_service_is_confined(unit: Path) -> None:
    """Its exposure, as systemd rates it, is 2.0 of 10 at most."""
    rating = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", rating)
    assert float(exposure) <= 2.0


def test_with_the_drop_in_for_containers_it_is_as_confined(tmp_path: Path) -> None:
    """It changes the user alone; systemd accepts the service, and rates it as well; no unit waits for one of OVN's."""
    unit = tmp_path / SERVICE.name
    text = SERVICE.read_text().replace("/opt/nqosd/bin/nqosd", "/bin/true")
    unit.write_text(text + (UNITS / "nqosd-containers.conf").read_text())
    assert systemd("systemd-analyze", "verify", "--man=no", unit).strip() == ""
    rating = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", rating)
    assert float(exposure) <= 2.0
    assert set(settings(UNITS / "nqosd-containers.conf")) == {"User", "Group"}
    assert settings()["After"] == settings(STATS)["After"] == ["network-online.target"]


def test_the_service_manager_is_told() -> None:
    """The daemon says when it is ready and that it lives, as user nqosd."""
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert unit["User"] == ["nqosd"]
    assert 0 < int(unit["WatchdogSec"][0]) < STUCK_AFTER


@pytest.mark.parametrize("unit", [SERVICE, STATS], ids=lambda each: each.stem)
def test_a_service_has_descriptors_to_spare(unit: Path) -> None:
    """What others can take of its descriptors is a small part of those that it has; SIGHUP is how it is reloaded."""
    assert int(settings(unit)["LimitNOFILE"][0]) >= 10 * MOST
    assert settings(unit)["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_the_exporter_has_nothing_of_roots_power() -> None:
    """`nqosd stats` runs as root for the sockets' sake, without a capability, and gives its sign of life."""
    unit = settings(STATS)
    assert (unit["Type"], unit["User"]) == (["notify"], ["root"])
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == [""]
    assert unit["ExecStart"] == ["/opt/nqosd/bin/nqosd stats --config /etc/nqosd/nqosd.toml"]


def test_the_user_is_made(tmp_path: Path) -> None:
    """systemd-sysusers makes a system user and group without a shell or a home."""
    make_user(tmp_path)
    (user,) = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("nqosd:")]
    assert user.endswith("nologin")
    assert "nqosd:" in (tmp_path / "etc/group").read_text()


def test_the_socket_has_its_folder(tmp_path: Path) -> None:
    """systemd-tmpfiles makes the folder for root and the group, with the bit that hands the group down."""
    make_user(tmp_path)
    systemd("systemd-tmpfiles", "--create", f"--root={tmp_path}", UNITS / "nqosd.tmpfiles")
    folder = (tmp_path / "run/ovn-nqosd").stat()
    (group,) = re.findall(r"^nqosd:[^:]*:(\d+):", (tmp_path / "etc/group").read_text(), flags=re.MULTILINE)
    assert folder.st_mode & 0o7777 == 0o2750
    assert (folder.st_uid, folder.st_gid) == (0, int(group))


class RootsServer(OvsdbServer):
    """An ovsdb-server as OVN's service runs it, with the umask of our drop-in and the remotes of OVN's start script."""

    def command(self) -> Sequence[str]:
        """Set the umask, and listen where the database says."""
        (umask,) = re.findall(r"^UMask=(\d+)$", (UNITS / "ovn-ovsdb-server-nb.conf").read_text(), flags=re.MULTILINE)
        server = [*super().command(), "--remote=db:OVN_Northbound,NB_Global,connections"]
        return ["sh", "-c", f'umask {umask} && exec "$@"', "sh", *server]


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda each: each.series)
def test_the_documented_steps_open_the_database_to_the_group(generation: OvnGeneration) -> None:
    """After the steps in the unit's comments, a user of the group can use the database, and any other user can't."""
    folder = Path(tempfile.mkdtemp(prefix="nqosd-test-", dir="/run"))  # as in life: a path that every user may walk
    try:
        shutil.chown(folder, group=int(GROUP))
        folder.chmod(0o2750)
        socket = folder / "nb.sock"
        (documented,) = re.findall(r"^# +ovn-nbctl (.*)$", SERVICE.read_text(), flags=re.MULTILINE)
        with RootsServer(generation, "nb") as server:
            server.nbctl(*shlex.split(documented.replace("/run/ovn-nqosd", str(folder))))
            server.wait_until(socket.exists, what="listening on the second socket")
            assert _may_use(socket, GROUP)
            assert not _may_use(socket, "65532")
            server.restart()
            server.wait_until(socket.exists, what="listening on the second socket again")
            assert _may_use(socket, GROUP)
    finally:
        shutil.rmtree(folder)


def _may_use(socket: Path, group: str) -> bool:
    """Try to connect as a user with no rights but a group's."""
    as_user = ["setpriv", "--reuid=65533", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = subprocess.run(
        [*as_user, "/usr/bin/python3", "-c", program, socket], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0
