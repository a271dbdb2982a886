"""structlog without what would colour its tracebacks: none of that is imported with the daemon, all of it can be later.

Each test has a process of its own, since a module is imported once.
"""

import importlib.util
import subprocess
import sys

STARTED = """
import sys
from nqosd import cli

cli._module("nqosd.commands.run")
print(*sys.modules)
import rich.console
"""


def test_the_daemon_starts_without_libraries_for_colours() -> None:
    """They are installed here, and would take a tenth of the start; whoever wants one later gets it."""
    assert importlib.util.find_spec("rich")
    line = [sys.executable, "-c", STARTED]
    found = subprocess.run(line, check=True, capture_output=True, text=True).stdout.split()
    assert "structlog.dev" in found
    assert {"rich", "colorama", "better_exceptions"}.isdisjoint(found)
