"""Exit codes, the same for every command, and the exception that ends one.

Rule: what a command can't do is raised as a `CommandError`; `nqosd.cli` prints it and gives its exit code.
"""

from typing import ClassVar

OK = 0
FAILED = 1
"""A policy is not ready (`compile`), something is in the way (`doctor`), or what a command talks to has failed."""
USAGE = 2
"""Unusable arguments or manifests."""
DIFFERENT = 3
"""`diff`: the database isn't as desired."""
BAD_CONFIG = 78
"""Unusable configuration: systemd doesn't try again then."""
INTERRUPTED = 130
"""Ended by Ctrl-C, as a shell gives it for SIGINT."""


class CommandError(Exception):
    """The command can't be done; the message says what and why."""

    code: ClassVar[int] = FAILED


class UsageError(CommandError):
    """Unusable arguments or manifests; the message names the argument and its value."""

    code = USAGE


class ConfigurationError(CommandError):
    """Unusable configuration; the message names the file, the option and its value."""

    code = BAD_CONFIG
