"""`python launch.py FILE`: become a container of a pod, as a container runtime would start it.

In: a JSON file, see `tests.packaging.pods`; a mount and a network namespace of its own. Out: the process, with the
root, the mounts, the environment and the power that its manifest gives, and no more. Rule: what it can't do as said is
an error.
"""

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CAPABILITIES = {"DAC_OVERRIDE": 1}
"""Those that a manifest may keep, by their numbers."""
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Become the container."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    root = Path(spec["root"])
    _lay_root(root, spec["image"])
    for each in spec["mounts"]:
        _lay_mount(root, each)
    if spec["readOnly"]:
        _mount("none", str(root), flags=MS_REMOUNT | MS_RDONLY)
    os.chroot(root)
    os.chdir("/")
    _drop_power(spec["capabilities"])
    os.setgroups([])
    os.setgid(spec["group"])
    os.setuid(spec["user"])
    os.umask(0o022)
    os.execve(spec["command"][0], spec["command"], spec["environment"])  # noqa: S606 - a container's own process


def _lay_root(root: Path, image: dict[str, Any]) -> None:
    """Make a root of its own: folders and links as in the image, whose content is bound there, read-only."""
    _mount("tmpfs", str(root), kind="tmpfs")
    for path, target in image["links"].items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    for path, source in image["folders"].items():
        target = root / path.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        _mount(source, str(target), flags=MS_BIND | MS_REC)
        if path not in {"/dev", "/proc"}:
            _mount("none", str(target), flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    for path, text in image["files"].items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _lay_mount(root: Path, mount: dict[str, Any]) -> None:
    """Mount a volume; links in the path, such as /var/run, are followed inside of the root, as a runtime does."""
    path = root
    for part in mount["path"].strip("/").split("/"):
        path /= part
        if path.is_symlink():
            path = root / os.readlink(path).lstrip("/")  # noqa: PTH115 - the text, not what it leads to out here
    path.mkdir(parents=True, exist_ok=True)
    if mount["source"] is None:
        _mount("tmpfs", str(path), kind="tmpfs")
        return
    _mount(mount["source"], str(path), flags=MS_BIND)
    if mount["readOnly"]:
        _mount("none", str(path), flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def _drop_power(kept: list[str]) -> None:
    for number in range(int(LAST_CAPABILITY.read_text()) + 1):
        if number not in [CAPABILITIES[name] for name in kept]:
            _prctl(PR_CAPBSET_DROP, number)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


def _mount(source: str, target: str, *, kind: str = "none", flags: int = 0) -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
