"""`python -m tools.image DEB FOLDER`: an image for containers as an OCI archive, without a container engine.

In: nqosd's Debian package, and the machine's apt sources. Out: FOLDER/nqosd-VERSION.oci.tar, and beside it what is in
it (CycloneDX). It has Python with the libraries that this needs, as Debian packages them, and nqosd: no shell, no
package manager. Rule: the same packages give the same bytes, so all is sorted, and every time is SOURCE_DATE_EPOCH.
"""

import datetime as dt
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

WANTED = ("python3", "base-files", "ca-certificates")
DROPPED = {"awk", "debconf", "dpkg", "libacl1", "libdebconfclient0", "libgmp10", "libmd0", "libmpfr6", "libpcre2-8-0",
           "libselinux1", "libsigsegv2", "mawk", "openssl", "perl-base", "readline-common", "tar"}  # fmt: skip
"""What the packages depend on to be installed; nothing is installed in an image."""
PRUNED = ("usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/bash-completion", "usr/share/zsh",
          "usr/share/applications", "usr/share/pixmaps", "usr/share/gcc", "usr/share/gdb", "usr/share/base-files",
          "usr/share/nqosd", "usr/sbin", "lib/systemd", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "etc/nqosd",
          "var/run", "etc/update-motd.d", "etc/ca-certificates", "var/lib/systemd")  # fmt: skip
USER = 65532
"""Who runs it where nobody says otherwise; the manifests say root, whose the sockets are."""
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
GZIP_LEVEL = 9


def main() -> int:
    """Build it."""
    package, folder = Path(sys.argv[1]), Path(sys.argv[2])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        packages = _download(work / "apt")
        base, program = work / "base", work / "program"
        _lay_base(base, packages)
        _lay_program(program, package)
        version = _field(package, "Version").partition("-")[0]
        parts = _parts([*packages, package], program)
        (program / "usr/share/nqosd").mkdir(parents=True, exist_ok=True)
        bill = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": parts}, indent=1)
        (program / "usr/share/nqosd/sbom.cdx.json").write_text(bill)
        layers = [_layer(base, epoch), _layer(program, epoch)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"nqosd-{version}.cdx.json").write_text(bill)
    archive = folder / f"nqosd-{version}.oci.tar"
    archive.write_bytes(_archive(layers, version, _field(package, "Architecture"), epoch))
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, {len(parts)} parts")
    return 0


def _download(folder: Path) -> list[Path]:
    """Fetch the packages and all that they need, as on a machine on which nothing is installed."""
    (folder / "archives/partial").mkdir(parents=True)
    (folder / "status").touch()
    options = {
        "Dir::State::status": folder / "status",
        "Dir::Cache::archives": folder / "archives",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "--quiet=2", *(f"-o{key}={value}" for key, value in options.items())]
    _run("apt-get", "--quiet=2", "update")
    _run(*apt, "--no-install-recommends", "--download-only", "--yes", "install", *WANTED)
    return [each for each in sorted(folder.glob("archives/*.deb")) if each.name.partition("_")[0] not in DROPPED]


def _lay_base(root: Path, packages: Iterable[Path]) -> None:
    """Unpack Python and its libraries, and say in the places where scanners look what they are."""
    for each in packages:
        _run("dpkg-deb", "--extract", str(each), str(root))
        notes = root / "var/lib/dpkg/status.d" / _field(each, "Package")
        notes.parent.mkdir(parents=True, exist_ok=True)
        notes.write_text(_run("dpkg-deb", "--field", str(each)))
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (root / CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
    (root / CERTIFICATES).write_bytes(b"".join(each.read_bytes() for each in certificates))
    shutil.rmtree(root / "usr/share/ca-certificates")
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/:/none\nnqosd:x:{USER}:{USER}:nqosd:/:/none\n")
    (root / "etc/group").write_text(f"root:x:0:\nnqosd:x:{USER}:\n")
    _prune(root)
    (root / "var/run").symlink_to("/run")  # as the script of base-files does
    for unused in ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "tkinter", "turtledemo"):
        for found in root.glob(f"usr/lib/python3*/{unused}"):
            shutil.rmtree(found)
    for library in sorted(root.glob("usr/lib/python3.*")):
        _compile(root, library)


def _lay_program(root: Path, package: Path) -> None:
    _run("dpkg-deb", "--extract", str(package), str(root))
    _prune(root)
    _compile(root, root / "usr/lib/nqosd")


def _prune(root: Path) -> None:
    for each in PRUNED:
        shutil.rmtree(root / each, ignore_errors=True)


def _compile(root: Path, library: Path) -> None:
    """Compile ahead, since the root is read-only where it runs; by content, since times are no use."""
    python = ["/usr/bin/python3", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    _run(*python, "-s", str(root), "-p", "/", str(library), PYTHONHASHSEED="0")


def _parts(packages: Iterable[Path], program: Path) -> list[Mapping[str, str]]:
    """Name everything that is in it: Debian's packages, and the Python packages that nqosd brings."""
    found = [("deb/debian", _field(each, "Package"), _field(each, "Version")) for each in packages]
    libraries = metadata.distributions(path=[str(program / "usr/lib/nqosd")])
    found += [("pypi", each.metadata["Name"].lower(), each.version) for each in libraries]
    return [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:{kind}/{name}@{version}"}
        for kind, name, version in sorted(found)
    ]


def _layer(root: Path, epoch: int) -> bytes:
    """Pack a folder: everything root's, in order, at one time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            entry = tar.gettarinfo(path, str(path.relative_to(root)))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = epoch, 0, 0, "", ""
            if entry.isfile():
                with path.open("rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)
    return packed.getvalue()


def _archive(layers: list[bytes], version: str, architecture: str, epoch: int) -> bytes:
    """Write the image as https://github.com/opencontainers/image-spec has it."""
    blobs: dict[str, bytes] = {}

    def put(kind: str, content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    packed = [put("layer.v1.tar+gzip", gzip.compress(layer, GZIP_LEVEL, mtime=0)) for layer in layers]
    created = dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        "org.opencontainers.image.title": "nqosd",
        "org.opencontainers.image.description": "NetworkQoS for OVN",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.created": created,
    }
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": {
            "Entrypoint": ["/usr/bin/nqosd"],
            "Cmd": ["--help"],
            "User": f"{USER}:{USER}",
            "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8", f"SSL_CERT_FILE=/{CERTIFICATES}"],
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]},
        "history": [{"created": created, "created_by": "make image"} for _ in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put("config.v1+json", _json(config)),
        "layers": packed,
        "annotations": labels,
    }
    listed = put("manifest.v1+json", _json(manifest)) | {
        "platform": {"architecture": architecture, "os": "linux"},
        "annotations": {"org.opencontainers.image.ref.name": version},
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [listed]}
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index), **blobs}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _field(package: Path, name: str) -> str:
    return _run("dpkg-deb", "--field", str(package), name).strip()


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {re.sub(r'^', '  ', done.stdout + done.stderr, flags=re.MULTILINE)}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
