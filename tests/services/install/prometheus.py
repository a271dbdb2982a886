"""Prometheus and promtool, unpacked from the package of the machine's own Debian release.

In: the machine's apt sources. Out: a prefix in the cache with both programs. The rule: the machine stays as it was, and
apt's own state too. The package isn't installed, so its service doesn't start; the programs need the C library only,
which is the machine's.
"""

import shutil
from pathlib import Path

from tests.services.install.cache import Entry, key_of, say
from tests.services.install.command import run

PART = "prometheus"
PROGRAMS = ("prometheus", "promtool")


def entry() -> Entry:
    """Return the entry of both programs."""
    return Entry(PART, PART, key_of([Path(__file__).read_bytes()]), "Prometheus", _make)


def program(name: str) -> str:
    """Return the path of `prometheus` or `promtool`.

    Raises:
        InstallError: they aren't installed; names the command that installs them.
    """
    return str(entry().require() / "usr/bin" / name)


def _make(target: Path, _final: Path) -> None:
    say("unpacking Prometheus from Debian's package (about 5 seconds) …")
    options = {
        # Lists of its own: the machine's are locked while `make setup` installs programs beside this.
        "Dir::State::lists": target / "apt/lists",
        "Dir::Cache": target / "apt/cache",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    for directory in ("apt/lists/partial", "apt/cache/archives/partial"):
        (target / directory).mkdir(parents=True)
    apt = ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in options.items())]
    run([*apt, "update"])
    run([*apt, "download", "prometheus"], cwd=target)
    (package,) = target.glob("*.deb")
    run(["dpkg-deb", "--extract", str(package), str(target)])
    package.unlink()
    shutil.rmtree(target / "apt")
    for name in PROGRAMS:
        run([str(target / "usr/bin" / name), "--version"])
