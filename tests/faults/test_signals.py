"""Signals at any moment, and a configuration that can't be read: nothing is changed, and systemd isn't left waiting."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.notified import Notified, NotifiedExporter
from tests.services.ovsdb import OvsdbServer


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, tmp_path: Path) -> Notified:
    """Give a daemon that isn't started yet."""
    return Notified([ovsdb_nb.unix], manifests=[tmp_path])


@pytest.fixture(params=["daemon", "exporter"])
def service(request: pytest.FixtureRequest) -> Notified | NotifiedExporter:
    """Give each of the services; the exporter has nothing to read."""
    if request.param == "exporter":
        return NotifiedExporter("unix:/absent/nb", "unix:/absent/sb", Path("/absent/br-int.mgmt"), "node")
    found: Notified = request.getfixturevalue("daemon")
    return found


def bears_hangup(pid: int) -> bool:
    """Say whether a process blocks or catches SIGHUP: whether its own code has begun."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool((int(fields["SigBlk"], 16) | int(fields["SigCgt"], 16)) & 1 << (signal.SIGHUP - 1))


def start_only(service: Notified | NotifiedExporter) -> Iterator[None]:
    """Start it without waiting, and give way again and again while it starts."""
    service.is_ready = lambda: bears_hangup(service.pid)  # type: ignore[method-assign]
    with service:
        while not service.was_ready():
            yield
            time.sleep(0.005)


def test_reloads_at_any_moment_of_the_start(service: Notified | NotifiedExporter) -> None:
    """SIGHUP from the first line of the program on ends nothing, and in the end it is ready."""
    sent = 0
    for _ in start_only(service):
        os.kill(service.pid, signal.SIGHUP)
        sent += 1
    assert sent > 1
    assert service.exit_code == 0


@pytest.mark.parametrize("later", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_an_end_at_any_moment_of_the_start(service: Notified | NotifiedExporter, later: float) -> None:
    """SIGTERM while it starts ends it in a way that systemd counts as clean, whatever it is doing then."""
    service.is_ready = lambda: bears_hangup(service.pid)  # type: ignore[method-assign]
    with service:
        time.sleep(later)
        service.stop()
        assert service.exit_code in (0, -signal.SIGTERM)


def nested(path: Path) -> None:
    """Write a hundred thousand lists in each other."""
    path.write_text(f"a = {'[' * 100_000}")


def digits(path: Path) -> None:
    """Write a number of 5,000 digits."""
    path.write_text(f"a = {'1' * 5000}")


def not_text(path: Path) -> None:
    """Write what is no UTF-8."""
    path.write_bytes(b"a = '\xff'")


def folder(path: Path) -> None:
    """Put a folder there."""
    path.mkdir()


def fifo(path: Path) -> None:
    """Put a FIFO there that nobody writes to."""
    os.mkfifo(path)


def huge(path: Path) -> None:
    """Write a gigabyte of nothing."""
    path.touch()
    os.truncate(path, 1 << 30)


def vanished(path: Path) -> None:
    """Leave nothing there."""
    del path


def loop(path: Path) -> None:
    """Put a symbolic link to itself there, which nobody can read, root included."""
    path.symlink_to(path)


def many_mistakes(path: Path) -> None:
    """Write sections that there aren't."""
    path.write_text("".join(f"[{number}]\n" for number in range(2000)))


BAD: list[Callable[[Path], None]] = [
    nested,
    digits,
    not_text,
    folder,
    fifo,
    huge,
    vanished,
    loop,
    many_mistakes,
]


def test_a_configuration_that_cannot_be_read(daemon: Notified) -> None:
    """Whatever is in place of the file, a reload changes nothing, says why, and tells systemd that it is over."""
    with daemon:
        good = daemon.config.read_text()
        for number, put in enumerate(BAD, start=1):
            daemon.config.unlink()
            put(daemon.config)
            daemon.reload()
            daemon.wait_until(
                lambda number=number: daemon.metric("nqosd_config_reloads_total", result="failed") == number,  # type: ignore[misc]
                what=f"refusing: {put.__name__}",
            )
            daemon.wait_until(daemon.was_ready, what="ready again")
            assert "RELOADING=1" in "\n".join(daemon.told())
            assert daemon.probe("readyz")[0] == 200
            if daemon.config.is_dir():
                daemon.config.rmdir()
                daemon.config.touch()
            elif put is vanished:
                daemon.config.touch()
        refused = [line for line in daemon.log_file.read_text().splitlines() if "was not reloaded" in line]
        assert len(refused) == len(BAD)
        assert all(str(daemon.config) in line and len(line) < 20_000 for line in refused)
        daemon.config.unlink()
        daemon.config.write_text(good)
        daemon.reload()
        daemon.wait_until(lambda: daemon.metric("nqosd_config_reloads_total", result="applied") == 1, what="reloaded")
