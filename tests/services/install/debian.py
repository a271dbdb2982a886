"""Generations of OVN with their Open vSwitch, unpacked from Debian's packages, side by side.

In: the machine's apt sources (for the mirror) and its keyring. Out: a prefix in the cache with a starter per program in
`bin/` and the database schemas in `share/`. The rule: the machine stays as it was. Nothing is installed, no service
starts, apt's own state isn't touched; each program runs with the C library and the libraries of its own Debian suite.
"""

import dataclasses
import platform
import shlex
import shutil
from pathlib import Path

from tests.services.install.cache import Entry, InstallError, key_of, say
from tests.services.install.command import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PROGRAM_DIRECTORIES = ("usr/bin", "usr/sbin", "usr/lib/openvswitch-switch")
PROGRAMS = (
    "ovn-appctl",
    "ovn-controller",
    "ovn-nbctl",
    "ovn-northd",
    "ovn-sbctl",
    "ovn-trace",
    "ovs-appctl",
    "ovs-dpctl",
    "ovs-ofctl",
    "ovs-vsctl",
    "ovs-vswitchd",
    "ovsdb-client",
    "ovsdb-server",
    "ovsdb-tool",
)
SCHEMAS = ("share/ovn/ovn-nb.ovsschema", "share/ovn/ovn-sb.ovsschema", "share/openvswitch/vswitch.ovsschema")
PACKAGES = ("ovn-common", "ovn-central", "ovn-host", "openvswitch-common", "openvswitch-switch")
LIBRARIES = ("libbpf1", "libc6", "libcap-ng0", "libgcc-s1", "libnuma1", "libudev1", "libunbound8", "libxdp1",
             "libzstd1", "zlib1g")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Suite:
    """Where one generation comes from: a Debian suite, and the libraries whose package names differ there."""

    part: str
    series: str
    name: str
    libraries: tuple[str, ...]


SUITES = (
    Suite(
        "ovn", "23.03", "bookworm",
        ("libcap2", "libelf1", "libevent-2.1-7", "libgmp10", "libhogweed6", "libnettle8", "libssl3"),
    ),
    Suite(
        "ovn-new", "25.03", "trixie",
        ("libcap2", "libelf1t64", "libevent-2.1-7t64", "libgmp10", "libhogweed6t64", "libnettle8t64", "libssl3t64"),
    ),
)  # fmt: skip

LATEST = Suite(
    "ovn-latest", "26.03", "sid",
    ("libcap2", "libelf1t64", "libevent-2.1-7t64", "libgmp10", "libhogweed6t64", "libnettle8t64", "libssl3t64"),
)  # fmt: skip
"""For `make dataplane` alone, where it installs: sid moves on, so that no test can count on it."""


def entry(series: str) -> Entry:
    """Return the entry of one generation, named by its series: "23.03", "25.03" or "26.03"."""
    suite = next(suite for suite in (*SUITES, LATEST) if suite.series == series)

    def make(target: Path, final: Path) -> None:
        say(f"unpacking OVN {series} from Debian {suite.name} (about 10 seconds) …")
        _download(suite, target / "apt")
        for package in sorted((target / "apt").glob("*.deb")):
            run(["dpkg-deb", "--extract", str(package), str(target)])
        packages = sorted(package.name for package in (target / "apt").glob("*.deb"))
        if not any(package.startswith(f"ovn-common_{series}.") for package in packages):
            raise InstallError(f"Debian {suite.name} has no OVN {series} any more: {', '.join(packages)}")
        (target / "packages.txt").write_text("\n".join(packages) + "\n")
        shutil.rmtree(target / "apt")
        _finish(target, final)

    inputs = [Path(__file__).read_bytes(), repr(suite).encode()]
    return Entry(suite.part, f"ovn-{series}", key_of(inputs), f"OVN {series} (Debian {suite.name})", make)


def _download(suite: Suite, directory: Path) -> None:
    """Fetch the packages with an apt configuration of our own: own sources, own state, no installed packages."""
    (directory / "state/lists/partial").mkdir(parents=True)
    (directory / "cache/archives/partial").mkdir(parents=True)
    (directory / "status").touch()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (directory / "sources.list").write_text(f"deb {signed}{_mirror()} {suite.name} main\n")
    options = {
        "Dir::Etc::sourcelist": directory / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": directory / "state",
        "Dir::State::status": directory / "status",
        "Dir::Cache": directory / "cache",
        "APT::Sandbox::User": "root",  # the cache is the user's own; apt's user can't write there
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in options.items())]
    run([*apt, "--error-on=any", "update"])
    run([*apt, "download", *PACKAGES, *LIBRARIES, *suite.libraries], cwd=directory)


def _mirror() -> str:
    """Return the address that the machine's own apt sources name for Debian itself."""
    release = platform.freedesktop_os_release()
    every = ["apt-get", "indextargets", "--no-release-info"]  # also what `apt-get update` hasn't fetched yet
    targets = run([*every, "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
    for uri, suite in (line.split() for line in targets.splitlines()):
        if suite in {release.get("VERSION_CODENAME"), "stable", "oldstable"}:
            return uri
    raise InstallError(
        f"apt's sources have no entry for Debian {release.get('VERSION_CODENAME')}: add one, or install on Debian"
    )


def _finish(target: Path, final: Path) -> None:
    """Write a starter per program, and see to it that each finds its libraries inside the prefix."""
    loader = next((found for found in target.rglob("ld-linux-*.so.*") if not found.is_symlink()), None)
    if loader is None:
        raise InstallError("the package libc6 holds no ld-linux-*.so: this Debian lays its C library out differently")
    directories = [found for top in ("lib", "usr/lib") for found in (target / top).glob("*-linux-gnu")]
    (target / "bin").mkdir()
    for program in PROGRAMS:
        binary = next((found for where in PROGRAM_DIRECTORIES if (found := target / where / program).is_file()), None)
        if binary is None:
            raise InstallError(f"none of the packages {', '.join(PACKAGES)} holds the program {program!r}")
        command = [str(loader), "--inhibit-cache", "--library-path", ":".join(map(str, directories))]
        _check_libraries([*command, "--list", str(binary)], binary, target)
        starter = target / "bin" / program
        moved = [part.replace(str(target), str(final)) for part in (*command, "--argv0", program, str(binary))]
        starter.write_text(f'#!/bin/sh\nexec {shlex.join(moved)} "$@"\n')
        starter.chmod(0o755)
    (target / "share").symlink_to("usr/share")
    for schema in SCHEMAS:
        if not (target / schema).is_file():
            raise InstallError(f"none of the packages {', '.join(PACKAGES)} holds {schema}")


def _check_libraries(command: list[str], binary: Path, target: Path) -> None:
    """Refuse a program that would take a library from the machine, or find none."""
    for line in run(command).splitlines():
        name, arrow, place = line.strip().partition(" => ")
        if arrow and not place.startswith(str(target)):
            raise InstallError(f"{binary.name} finds {name} at {place}: add the package of {name} to LIBRARIES")
