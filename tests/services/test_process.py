"""How a service starts, shows its log when it fails, and ends."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.services.process import RUNNING, Service, ServiceError, free_port

REPOSITORY = Path(__file__).parents[2]

START_AND_DIE = """
import os, pathlib, signal, sys
from tests.services.chassis import NetworkNamespace
namespace = NetworkNamespace(directory=pathlib.Path(sys.argv[1]))
namespace.start()
print(namespace.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Shell(Service):
    """A service that is a line of shell."""

    def __init__(self, line: str, *, directory: Path | None = None) -> None:
        super().__init__("shell", directory=directory)
        self._line = line

    def command(self) -> Sequence[str]:
        """Return the line as a command."""
        return ["sh", "-c", self._line]


class NeverReady(Shell):
    """A service that runs and never gets ready."""

    def is_ready(self) -> bool:
        """Return that it isn't."""
        return False


def test_a_service_dies_with_the_test_process(tmp_path: Path) -> None:
    """A service is gone when the process that started it was killed."""
    command = [sys.executable, "-c", START_AND_DIE, str(tmp_path)]
    starter = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert starter.returncode == -signal.SIGKILL, starter.stderr
    end = time.monotonic() + 5
    while _is_alive(int(starter.stdout)):
        assert time.monotonic() < end, f"process {starter.stdout.strip()} outlived its starter"
        time.sleep(0.01)


def test_a_service_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    """A service that ends before it is ready fails with its exit code and its last words."""
    with (
        pytest.raises(ServiceError, match=r"(?s)ended with code 3 .*no such luck"),
        NeverReady("echo no such luck; exit 3", directory=tmp_path),
    ):
        pass
    assert [service for service in RUNNING if service.directory == tmp_path] == []


def test_waiting_ends_at_the_deadline(tmp_path: Path) -> None:
    """Waiting for something that doesn't come ends with the log after the given time."""
    with Shell("echo still here; exec sleep 60", directory=tmp_path) as shell:
        shell.wait_until(lambda: "still here" in shell.tail_logs(), what="talking")
        with pytest.raises(ServiceError, match=r"(?s)was not finished after 0\.1 s.*still here"):
            shell.wait_until(lambda: False, what="finished", deadline=0.1)


def test_a_restart_continues_the_log(tmp_path: Path) -> None:
    """A service that was killed can be started again, and its log holds both lives."""
    with Shell("echo alive; exec sleep 60", directory=tmp_path) as shell:
        first = shell.pid
        shell.wait_until(lambda: shell.tail_logs().count("alive") == 1, what="alive once")
        shell.kill()
        assert not shell.is_running
        shell.start()
        assert shell.pid != first
        shell.wait_until(lambda: shell.tail_logs().count("alive") == 2, what="alive twice")


def test_a_paused_service_can_be_stopped(tmp_path: Path) -> None:
    """Stopping works on a frozen process too."""
    with Shell("exec sleep 60", directory=tmp_path) as shell:
        shell.pause()
        started = time.monotonic()
        shell.stop()
        assert not shell.is_running
        assert time.monotonic() - started < 5


def test_a_temporary_directory_goes_with_the_service() -> None:
    """A service without a given directory leaves nothing behind."""
    with Shell("exec sleep 60") as service:
        assert service.log_file.exists()
    assert not service.directory.exists()


def test_free_ports_are_free() -> None:
    """A free port is one that nobody listens on."""
    assert 1024 < free_port() < 65536


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
