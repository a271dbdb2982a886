"""The wheel and the source archive are complete, and the same source gives the same bytes."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from nqosd import __version__

ROOT = Path(__file__).parents[2]
FOLDERS = ("nqosd", "config", "systemd", "docs", "tests", "tools")
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "Containerfile", ".gitignore")
LEFT_BY_TOOLS = shutil.ignore_patterns("__pycache__", ".*", "build", "dist")


def build(source: Path, folder: Path) -> tuple[bytes, bytes]:
    """Build the source archive, and from the source the wheel; give the bytes of both."""
    what = ["--no-isolation", "--sdist", "--wheel"]
    command = [sys.executable, "-m", "build", *what, "--outdir", str(folder), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    (archive,) = folder.glob("*.tar.gz")
    return archive.read_bytes(), wheel.read_bytes()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the source, as it would be in a fresh checkout."""
    copy = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=LEFT_BY_TOOLS)
    for file in FILES:
        shutil.copy(ROOT / file, copy / file)
    return copy


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """Build both once."""
    folder = tmp_path_factory.mktemp("dist")
    build(source, folder)
    return folder


def test_the_same_source_gives_the_same_bytes(tmp_path: Path, source: Path, built: Path) -> None:
    """A copy elsewhere, with other file times and stricter rights, builds the same wheel and archive."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(source, copy, copy_function=shutil.copy)
    for file in copy.rglob("*"):
        file.chmod(0o700 if file.is_dir() or file.stat().st_mode & 0o111 else 0o600)
    archive, wheel = build(copy, tmp_path / "dist")
    assert wheel == next(built.glob("*.whl")).read_bytes()
    assert archive == next(built.glob("*.tar.gz")).read_bytes()


def test_the_wheel_is_complete(source: Path, built: Path) -> None:
    """It holds every module, the types marker, the command, man pages, units and manifests, and no test."""
    (file,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(file).namelist())
    modules = {str(each.relative_to(source)) for each in (source / "nqosd").rglob("*.py")}
    assert modules <= names
    data = f"nqosd-{__version__}.data/data/share"
    assert names >= {
        "nqosd/py.typed",
        f"nqosd-{__version__}.dist-info/entry_points.txt",
        f"nqosd-{__version__}.dist-info/licenses/LICENSE",
        f"{data}/man/man8/nqosd.8",
        f"{data}/man/man5/nqosd.toml.5",
        f"{data}/man/man1/kubectl-nqos.1",
        f"{data}/nqosd/systemd/nqosd.service",
        f"{data}/nqosd/systemd/nqosd-stats.service",
        f"{data}/nqosd/config/nqosd.toml",
        f"{data}/nqosd/config/crd/networkqoses.k8s.ovn.org.yaml",
    }
    assert not [name for name in names if name.startswith(("tests/", "tools/", "docs/")) or "__pycache__" in name]


def test_the_source_archive_is_complete(built: Path) -> None:
    """It holds all that is needed to test it, and nothing that tools have left behind."""
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        *FILES,
        "tests/conftest.py",
        "tools/docs/generate.py",
        "docs/index.md",
        "systemd/debian/make-package",
    }
    assert not [name for name in names if "__pycache__" in name or ".venv" in name or name.endswith(".pyc")]
