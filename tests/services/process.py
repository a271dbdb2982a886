"""A service that a test starts: one process, its log, and its end.

In: a command and a directory. Out: a process that is waited for until it is ready, whose log can be shown, and that can
be stopped, killed, paused and started again. The rule: it never outlives the test process, however that ends.
"""

import concurrent.futures
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

STARTUP_DEADLINE = 120.0
STOP_DEADLINE = 60.0
"""Seconds; nobody waits so long but on a machine that others keep busy."""
POLL_INTERVAL = 0.02
TAIL_LINES = 40
FIRST_PORT = 10_000
FIRST_OF_KERNEL = 32_768
"""Where net.ipv4.ip_local_port_range begins."""

RUNNING: list["Service"] = []
"""The services that were entered and not yet left, for the report of a failed test."""

LEFT_BY_FAILURE: deque[str] = deque(maxlen=20)
"""Log tails of services that an exception ended, since the report is written after they are gone."""

# A process that asks for a signal at its parent's death gets it at the death of the *thread* that started it. So one
# thread starts them all; it lives until the interpreter ends.
_STARTER = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="service-starter")
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


class ServiceError(Exception):
    """A service did not start, did not get ready or refused a command; the message ends with its log."""


class Service:
    """One process in a directory of its own; a context manager that starts it and ends it.

    `name` names its log, `NAME.log` in `directory`, which a restart continues. Without `directory`, a temporary one is
    made and removed at the end. Subclasses say in `command` what to run and in `is_ready` when it can be used.
    """

    def __init__(self, name: str, *, directory: Path | None = None) -> None:
        self.name = name
        self._owns_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"nqosd-{name}-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_file = self.directory / f"{name}.log"
        self.seconds = STARTUP_DEADLINE
        """Seconds that `start` waits until it is ready."""
        self._mark = 0
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """Return the command to run."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return variables to add to the environment of the process."""
        return {}

    def is_ready(self) -> bool:
        """Return whether the running process can be used."""
        return True

    def prepare(self) -> None:
        """Do what must be done once before the first start."""

    def close(self) -> None:
        """Release what `prepare` and the process took, after the end of the process."""

    @property
    def pid(self) -> int:
        """The process id of the service's own process.

        Raises:
            ServiceError: it was never started.
        """
        if self._process is None:
            raise ServiceError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the process ended: its code, or minus the signal; None while it runs or before it started."""
        return None if self._process is None else self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether the process is there (a paused one is)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            ServiceError: it ended at once or wasn't ready in time.
        """
        if self.is_running:
            raise ServiceError(f"{self.name} runs already (pid {self.pid})")
        with self.log_file.open("ab") as log:
            start = _STARTER.submit(
                subprocess.Popen,
                [*_DIE_WITH_PARENT, *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**os.environ, **self.environment()},
                start_new_session=True,  # Ctrl-C is for pytest, which then ends the services in order
            )
            self._process = start.result()
        self.wait_until(self.is_ready, what="ready", deadline=self.seconds)

    def stop(self) -> None:
        """Ask the process to end (SIGTERM) and wait; kill it when it doesn't. Nothing if it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process (SIGKILL) and wait for its end. Nothing if it has ended."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): its connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def wait_until(self, ready: Callable[[], bool], *, what: str, deadline: float = STARTUP_DEADLINE) -> None:
        """Wait until `ready()` holds, at most `deadline` seconds, as long as the process runs.

        Raises:
            ServiceError: the process ended or the time is over; says `what` was waited for, and shows the log.
        """
        end = time.monotonic() + deadline
        while not ready():
            if not self.is_running:
                code = self._process.returncode if self._process else None
                raise ServiceError(f"{self.name} ended with code {code} before it was {what}\n{self.tail_logs()}")
            if time.monotonic() > end:
                raise ServiceError(f"{self.name} was not {what} after {deadline:g} s\n{self.tail_logs()}")
            time.sleep(POLL_INTERVAL)

    def tail_logs(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines of the log since `mark_log`, under a line that names the log."""
        text = self.log_file.read_bytes()[self._mark :].decode(errors="replace") if self.log_file.exists() else ""
        return "\n".join([f"--- {self.name}: {self.log_file}", *text.splitlines()[-lines:]])

    def mark_log(self) -> None:
        """Let `tail_logs` leave out what the log says until now."""
        self._mark = self.log_file.stat().st_size if self.log_file.exists() else 0

    def run(self, command: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> str:
        """Run a command to its end beside the service, in its environment, and return its standard output.

        Raises:
            ServiceError: it exited with a code other than 0; carries what it wrote to standard error.
            subprocess.TimeoutExpired: it took longer than `timeout` seconds.
        """
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, **self.environment()},
        )
        if done.returncode != 0:
            raise ServiceError(f"`{' '.join(command)}` exited with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self) -> Self:
        RUNNING.append(self)
        try:
            self.prepare()
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            LEFT_BY_FAILURE.append(self.tail_logs())
        self._leave()

    def _leave(self) -> None:
        try:
            self.stop()
        finally:
            self.close()
            RUNNING.remove(self)
            if self._owns_directory:
                shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)  # a paused process doesn't take SIGTERM
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_DEADLINE)
            return
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on now.

    It lies below those that the kernel gives to outgoing connections, which would take it before its service does.
    """
    while True:
        port = FIRST_PORT + secrets.randbelow(FIRST_OF_KERNEL - FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts(path: Path) -> bool:
    """Return whether somebody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
