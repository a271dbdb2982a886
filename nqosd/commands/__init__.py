"""Commands of `nqosd`, each in a module of its own.

In: arguments. Out: text, and an exit code. Rule: a module's `add` declares its arguments and imports nothing that takes
time; what the command needs beyond that is imported when it runs.
"""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

Run: TypeAlias = Callable[[argparse.Namespace], int]
"""Runs a command; gives its exit code."""


class Command(Protocol):
    """A module with a command: `nqosd.cli` lists it."""

    def add(self, commands: "Subparsers") -> None:
        """Declare the command and its arguments, with its function as default of `run`."""
