"""Run one command of an installation, quietly, and explain a failure with what the command said."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.install.cache import InstallError

SHOWN_LINES = 40


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command without standard input and return what it wrote to standard output.

    Raises:
        InstallError: the program isn't on this machine, or it exited with a code other than 0; carries the last lines
            that it wrote.
    """
    if shutil.which(command[0]) is None:
        raise InstallError(f"the program {command[0]!r} is needed and is not on PATH: install it, then run this again")
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:])
        raise InstallError(f"`{shlex.join(command)}` exited with {done.returncode} and said:\n{said}")
    return done.stdout
