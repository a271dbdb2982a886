"""`make package` runs these on what it has built in dist/: they need lintian, rpm, a network of packages, and minutes.

Not named test_…, so that `make test` leaves them alone. The Debian package is installed into a copy of this machine
that lives in memory (an overlay that only this process sees), so that the machine itself stays as it was.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nqosd import __version__
from tests.packaging.containerfile import build_script

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
GUIDE = ROOT / "docs" / "examples" / "guide"
PATIENCE = 900  # fetching and building libraries takes four minutes on a loaded machine
pytestmark = pytest.mark.timeout(PATIENCE)

IN_OVERLAY = """
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1"/upper "$1"/work "$1"/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1"/root
mount --bind /dev "$1"/root/dev
mount -t tmpfs tmpfs "$1"/root/tmp
mount -t proc proc "$1"/root/proc
cp "$2" "$1"/root/tmp/nqosd.deb
cp -r "$3" "$1"/root/tmp/guide
cp "$5" "$1"/root/tmp/nqosd.tar.gz
exec chroot "$1"/root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -euxc "$4"
"""
NEWER, NEXT = "3.13", "3.14"
INSTALL = "dpkg --install /tmp/nqosd.deb >/dev/null"


def the(pattern: str) -> Path:
    """Find the one file in dist/ that matches."""
    found = list(DIST.glob(pattern))
    assert len(found) == 1, f"dist/ has {len(found)} files {pattern}: run `make package`"
    return found[0]


def run(*command: str | Path, **environment: str) -> str:
    """Run a command that must succeed, and give what it prints."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(tmp_path: Path, script: str) -> str:
    """Run a script in the copy of the machine; gives what it prints."""
    folder = tmp_path / "machine"
    folder.mkdir()
    overlay = ("unshare", "--mount", "--pid", "--fork", "bash", "-c", IN_OVERLAY, "bash")
    return run(*overlay, folder, the("*.deb"), GUIDE, script, the("*.tar.gz"))


def test_the_debian_package_is_reproducible(tmp_path: Path) -> None:
    """Another build in another folder, with the same time, gives the same bytes; if not, this names what differs."""
    epoch = os.environ["SOURCE_DATE_EPOCH"]
    run("systemd/debian/make-package", the("*.whl"), tmp_path, SOURCE_DATE_EPOCH=epoch, TMPDIR=str(tmp_path))
    (again,) = tmp_path.glob("*.deb")
    if again.read_bytes() != the("*.deb").read_bytes():
        first, second = (sums(each, tmp_path) for each in (the("*.deb"), again))
        raise AssertionError(f"these differ: {sorted(first ^ second) or 'only times, order or rights of files'}")


def sums(package: Path, folder: Path) -> set[str]:
    """Give the check sums of a package's files, a line for each."""
    target = folder / package.parent.name
    run("dpkg-deb", "--control", package, target)
    return set((target / "md5sums").read_text().splitlines())


@pytest.mark.parametrize("archive", ["*.whl", "*.tar.gz"])
def test_it_installs_into_an_empty_environment(archive: str, tmp_path: Path) -> None:
    """With the archive alone, pip makes a working command, and finds nothing amiss between the packages."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    program = tmp_path / "venv" / "bin"
    run(program / "pip", "install", "--quiet", "--disable-pip-version-check", the(archive))
    assert run(program / "nqosd", "--version") == f"nqosd {__version__}\n"
    assert "12180" in run(program / "nqosd", "compile", GUIDE)
    assert run(program / "kubectl-nqos", "--help").startswith("usage: kubectl nqos ")
    assert "No broken requirements" in run(program / "pip", "check")
    assert (tmp_path / "venv/share/man/man8/nqosd.8").is_file()
    assert (tmp_path / "venv/share/man/man1/kubectl-nqos.1").is_file()
    # what `run` imports, beyond what the other commands do
    run(program / "python", "-c", "import nqosd.daemon.daemon")


def test_lintian_has_no_complaint() -> None:
    """Neither an error nor a warning is left; what is overridden says why in systemd/debian/lintian-overrides."""
    assert run("lintian", "--allow-root", "--fail-on=error,warning", the("*.deb")) == ""


def test_the_debian_package_installs(tmp_path: Path) -> None:
    """It makes the user, lets it read the configuration, brings a working command, man pages and completions."""
    script = f"""
        {INSTALL}
        nqosd --version
        nqosd check-config
        nqosd compile /tmp/guide | grep -c 12180
        setpriv --reuid=nqosd --regid=nqosd --clear-groups nqosd check-config
        setpriv --reuid=nobody --regid=nogroup --clear-groups nqosd check-config 2>/dev/null || echo refused
        stat --format='%A %U %G' /etc/nqosd/nqosd.toml
        python3 -c 'import sys; sys.path.insert(0, "/usr/lib/nqosd"); import nqosd.daemon.daemon; print("imports")'
        ls /usr/lib/nqosd/nqosd/daemon/__pycache__ | grep -c '^daemon[.]'
        man --where nqosd nqosd.toml kubectl-nqos
        kubectl-nqos --help | head -n 1
        systemd-analyze verify --man=no /lib/systemd/system/nqosd.service /lib/systemd/system/nqosd-stats.service
        grep --count '^ExecStart=/usr/bin/nqosd ' /lib/systemd/system/nqosd*.service
    """
    assert installed(tmp_path, script).splitlines() == [
        f"nqosd {__version__}",
        "/etc/nqosd/nqosd.toml: ok",
        "2",
        "/etc/nqosd/nqosd.toml: ok",
        "refused",
        "-rw-r----- root nqosd",
        "imports",
        "1",
        "/usr/share/man/man8/nqosd.8.gz",
        "/usr/share/man/man5/nqosd.toml.5.gz",
        "/usr/share/man/man1/kubectl-nqos.1.gz",
        "usage: kubectl nqos [-h] [--version] COMMAND ...",
        "/lib/systemd/system/nqosd-stats.service:1",
        "/lib/systemd/system/nqosd.service:1",
    ]


def test_a_debian_package_for_another_python(tmp_path: Path) -> None:
    """One that is made for Debian 13's Python asks for that series, and what is in it runs there, with nothing else."""
    folders = [str(each.parent) for each in Path.home().glob(f".pyenv/versions/*/bin/python{NEWER}")]
    python = shutil.which(f"python{NEWER}", path=os.pathsep.join([*folders, os.environ["PATH"]]))
    if python is None:
        pytest.skip(f"this machine has no Python {NEWER}")
    run("systemd/debian/make-package", the("*.whl"), tmp_path, DEBIAN_PYTHON=python)
    (package,) = tmp_path.glob("*.deb")
    assert run("dpkg-deb", "--field", package, "Depends").startswith(f"python3 (>= {NEWER}), python3 (<< {NEXT}), ")
    run("dpkg-deb", "--extract", package, tmp_path)
    library = "/usr/lib/nqosd"
    launcher = (tmp_path / "usr/bin/nqosd").read_text().replace(library, f"{tmp_path}{library}")
    assert run(python, "-I", "-c", launcher, "--version") == f"nqosd {__version__}\n"
    assert "12180" in run(python, "-I", "-c", launcher, "compile", GUIDE)
    run(python, "-I", "-c", f"import sys; sys.path.insert(0, '{tmp_path}{library}'); import nqosd.daemon.daemon")


def test_a_changed_configuration_outlives_an_upgrade(tmp_path: Path) -> None:
    """The file is a conffile: an upgrade keeps it with its rights, and so does removal; purging takes it away."""
    script = f"""
        {INSTALL}
        echo '# mine' >>/etc/nqosd/nqosd.toml
        chmod 0600 /etc/nqosd/nqosd.toml
        {INSTALL}
        tail -n 1 /etc/nqosd/nqosd.toml
        stat --format=%a /etc/nqosd/nqosd.toml
        dpkg --remove nqosd >/dev/null
        tail -n 1 /etc/nqosd/nqosd.toml
        ls /usr/lib/nqosd /usr/bin/nqosd /usr/bin/kubectl-nqos 2>/dev/null || echo gone
        dpkg --purge nqosd >/dev/null
        ls /etc/nqosd 2>/dev/null || echo purged
    """
    assert installed(tmp_path, script).splitlines() == ["# mine", "600", "# mine", "gone", "purged"]


def test_the_containerfile_makes_a_program_that_runs(tmp_path: Path) -> None:
    """Its steps, in a copy of this machine in place of its base, make a command that needs no more than it copies."""
    script = f"""
        mkdir /checkout
        tar --extract --file /tmp/nqosd.tar.gz --directory /checkout --strip-components=1
        ({build_script()}) >/dev/null
        rm -rf /checkout /src
        cd /
        setpriv --reuid=65532 --regid=65532 --clear-groups /opt/nqosd/bin/nqosd --version
        setpriv --reuid=65532 --regid=65532 --clear-groups /opt/nqosd/bin/nqosd compile /tmp/guide | grep -c 12180
        /opt/nqosd/bin/python3 -c 'import nqosd.daemon.daemon; print("imports")'
    """
    assert installed(tmp_path, script).splitlines() == [f"nqosd {__version__}", "2", "imports"]


def test_an_rpm_builds_and_installs(tmp_path: Path) -> None:
    """The source archive makes an RPM with user, command, services, and a configuration that an upgrade keeps."""
    rpm = "rpm --dbpath /tmp/rpmdb"  # Debian's packages aren't in it, hence --nodeps
    archive = f"nqosd-{__version__}.tar.gz"
    script = f"""
        cd /tmp
        mv nqosd.tar.gz {archive}
        python3 -m venv /tmp/venv
        export PIP="/tmp/venv/bin/python -m pip --python /usr/bin/python3"
        rpmbuild -tb --nodeps --define '_topdir /tmp/build' {archive} >/tmp/log 2>&1 || {{ cat /tmp/log; exit 1; }}
        cd /tmp/build/RPMS/*
        {rpm} --query --requires --package *.rpm | grep ^/usr/bin/python3
        {rpm} --install --nodeps *.rpm
        {rpm} --verify --nodeps nqosd
        ls /usr/share/doc/nqosd/examples/nqosd-containers.conf
        nqosd --version
        kubectl-nqos --help | head -n 1
        setpriv --reuid=nqosd --regid=nqosd --clear-groups nqosd check-config
        stat --format='%A %U %G' /etc/nqosd/nqosd.toml
        python3 -c 'import sys; sys.path.insert(0, "/usr/lib/nqosd"); import nqosd.daemon.daemon; print("imports")'
        systemd-analyze verify /lib/systemd/system/nqosd.service /lib/systemd/system/nqosd-stats.service
        echo '# mine' >>/etc/nqosd/nqosd.toml
        {rpm} --upgrade --force --nodeps *.rpm
        tail -n 1 /etc/nqosd/nqosd.toml
        {rpm} --erase nqosd
        ls /usr/lib/nqosd /usr/bin/nqosd /usr/bin/kubectl-nqos 2>/dev/null || echo gone
        tail -n 1 /etc/nqosd/nqosd.toml.rpmsave
    """
    assert installed(tmp_path, script).splitlines() == [
        str(Path("/usr/bin/python3").resolve()),
        "/usr/share/doc/nqosd/examples/nqosd-containers.conf",
        f"nqosd {__version__}",
        "usage: kubectl nqos [-h] [--version] COMMAND ...",
        "/etc/nqosd/nqosd.toml: ok",
        "-rw-r----- root nqosd",
        "imports",
        "# mine",
        "gone",
        "# mine",
    ]


def test_the_machine_is_as_it_was() -> None:
    """Nothing of the package is on the machine that ran these tests."""
    assert shutil.which("nqosd", path="/usr/bin") is None
    assert not Path("/usr/lib/nqosd").exists()
    assert "nqosd:" not in Path("/etc/passwd").read_text()
