"""`make image` runs these on the image that it has built in dist/: they need apt's sources, and two minutes.

Not named test_…, so that `make test` leaves them alone. The image is unpacked as a container engine would, and its
processes are started as the shipped manifests have them.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nqosd import __version__
from tests.packaging import rendering
from tests.packaging.pods import Image, Pod
from tests.packaging.site import Site
from tests.packaging.test_pods import WORKLOADS, apply, assert_applies

ROOT = Path(__file__).parents[2]
ARCHIVE = ROOT / "dist" / f"nqosd-{__version__}.oci.tar"
LARGEST = 90_000_000
"""Bytes of the archive."""
COPIED, GIVEN = {"etc", "var", "run", "tmp"}, {"dev", "proc", "sys"}
"""Folders in which a container engine makes the places of mounts, and those that it brings."""


def blob(archive: tarfile.TarFile, descriptor: dict[str, Any]) -> bytes:
    """Read a part of the image, and see that it is what its digest says."""
    kind, digest = descriptor["digest"].split(":")
    content = archive.extractfile(f"blobs/{kind}/{digest}")
    assert content is not None
    found = content.read()
    assert hashlib.sha256(found).hexdigest() == digest
    assert len(found) == descriptor["size"]
    return found


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Unpack the image; gives its root and its configuration."""
    root = tmp_path_factory.mktemp("image")
    with tarfile.open(ARCHIVE) as archive:
        index = archive.extractfile("index.json")
        assert index is not None
        (listed,) = json.load(index)["manifests"]
        manifest = json.loads(blob(archive, listed))
        config = json.loads(blob(archive, manifest["config"]))
        for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            content = gzip.decompress(blob(archive, layer))
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == diff
            with tarfile.open(fileobj=io.BytesIO(content)) as files:
                files.extractall(root, filter="fully_trusted")  # noqa: S202 - it has been built here
    return root, config


@pytest.fixture(scope="module")
def image(unpacked: tuple[Path, dict[str, Any]]) -> Image:
    """Give the image as containers start from it."""
    root, config = unpacked
    tops = [each for each in root.iterdir() if each.name not in COPIED | GIVEN]
    small = [each for name in COPIED for each in (root / name).rglob("*") if each.is_file() and not each.is_symlink()]
    return Image(
        {"/dev": "/dev", "/proc": "/proc"} | {f"/{each.name}": str(each) for each in tops if each.is_dir()},
        {"/var/run": "/run"} | {f"/{each.name}": str(each.readlink()) for each in tops if each.is_symlink()},
        {f"/{each.relative_to(root)}": each.read_text() for each in small},
        config["config"]["Entrypoint"],
        dict(each.split("=", 1) for each in config["config"]["Env"]),
    )


def test_it_is_small() -> None:
    """The archive, which is compressed, has at most 90 MB."""
    assert ARCHIVE.stat().st_size <= LARGEST


def test_it_is_reproducible(tmp_path: Path) -> None:
    """Another build elsewhere gives the same bytes."""
    (package,) = (ROOT / "dist").glob("nqosd_*.deb")
    subprocess.run([sys.executable, "-m", "tools.image", package, tmp_path], check=True, cwd=ROOT, env={**os.environ})
    assert (tmp_path / ARCHIVE.name).read_bytes() == ARCHIVE.read_bytes()


@pytest.mark.parametrize("overlay", ["ovn-kubernetes", "central"])
def test_it_runs_as_the_manifests_have_it(overlay: str, image: Image, site: Site, tmp_path: Path) -> None:
    """With their arguments, users, mounts and probes, on a read-only root, it applies a policy."""
    objects = rendering.kustomize(rendering.OVERLAYS / overlay)
    apply(site, objects)
    (workload,) = (each for each in objects if each["kind"] in WORKLOADS)
    with Pod(workload, objects, site.lay_out(tmp_path), site.api_server, image).running() as pod:
        assert_applies(site, pod)


def test_what_is_in_it(unpacked: tuple[Path, dict[str, Any]]) -> None:
    """No shell, no package manager, a bill of materials that names everything, labels, a user that isn't root."""
    root, config = unpacked
    assert not [name for name in ("sh", "bash", "dpkg", "apt", "perl") if list(root.glob(f"**/bin/{name}"))]
    bill = json.loads((root / "usr/share/nqosd/sbom.cdx.json").read_text())
    assert {"python3", "libc6", "ca-certificates", "aiohttp", "nqosd"} <= {each["name"] for each in bill["components"]}
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == __version__
    assert not config["config"]["User"].startswith("0")
    assert not [each for each in root.rglob("*") if each.is_file() and each.lstat().st_mode & 0o6000]
