"""The table of commands: each one is where it says, takes what its module can take, and costs nothing until it runs."""

import argparse
import importlib
import subprocess
import sys

import pytest

from nqosd.commands.compile import REPORTS
from nqosd.commands.compiled_text import Format
from nqosd.commands.get_tables import TABLES
from nqosd.commands.table import COMMANDS, Command
from nqosd.explain.question import Transport

LIGHT = "import sys; from nqosd import cli; cli.parser(); print(*sys.modules)"
HEAVY = {"attrs", "msgspec", "asyncio", "aiohttp", "structlog", "kubernetes_asyncio", "ovs", "yaml"}


def choices(name: str, argument: str) -> list[str]:
    """Give what an argument of a command may be."""
    (command,) = (each for each in COMMANDS if each.name == name)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    (action,) = (each for each in parser._actions if each.dest == argument)
    return list(action.choices or ())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_each_command_is_where_the_table_says(command: Command) -> None:
    """Its module has the function that runs it."""
    assert callable(importlib.import_module(command.module).run)


def test_the_choices_are_those_that_the_commands_know() -> None:
    """The table writes out names that stand in modules which take time to import."""
    assert choices("compile", "format")[0] == "table"
    assert set(choices("compile", "format")) == {*Format, *REPORTS}
    assert choices("explain", "proto") == [each.value for each in Transport]
    assert choices("get", "what") == [*TABLES, "policy"]


def test_the_help_imports_nothing_that_takes_time() -> None:
    """Only a command that runs imports the libraries that it needs."""
    done = subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True)
    assert HEAVY.isdisjoint(done.stdout.split())
