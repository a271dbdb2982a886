"""The table of commands: each one is where it says, takes what its module can take, and costs nothing until it runs."""

import argparse
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from nqosd.cli import BAD_CONFIG, USAGE, main
from nqosd.commands.compile import REPORTS
from nqosd.commands.compiled_text import Format
from nqosd.commands.get_tables import TABLES
from nqosd.commands.kubectl_table import KUBECTL
from nqosd.commands.table import COMMANDS, Command
from nqosd.explain.question import Transport

LIGHT = "import sys; from nqosd import cli; cli.parser(); print(*sys.modules)"
HEAVY = {"attrs", "msgspec", "asyncio", "aiohttp", "structlog", "kubernetes_asyncio", "ovs", "yaml"}

STARTED = "import sys, nqosd.commands.run; print(*sys.modules)"
OTHERS_USE = {
    "dateutil.parser",
    "importlib.metadata",
    "multiprocessing.pool",
    "nqosd.explain.decide",
    "nqosd.explain.question",
    "nqosd.explain.verdict",
    "nqosd.statistics.chassis",
    "nqosd.statistics.exporter",
    "nqosd.statistics.openflow",
    "nqosd.statistics.tally",
    "urllib3",
}
"""Modules that only other commands need, or nobody: together a tenth of what the imports of `nqosd run` once took."""


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


def test_the_daemon_imports_nothing_that_only_others_need() -> None:
    """Four fifths of the time from its start to its first list are imports."""
    done = subprocess.run([sys.executable, "-c", STARTED], check=True, capture_output=True, text=True)
    assert not OTHERS_USE & set(done.stdout.split())


def numbers() -> Iterator[tuple[str, str, Callable[[str], object]]]:
    """Give the arguments of all commands that are numbers: the command's name, the argument's, and what reads it."""
    for command in (*COMMANDS, *KUBECTL.commands):
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        for each in parser._actions:
            if callable(each.type) and isinstance(each.type("7"), int | float):
                yield command.name, each.dest, each.type


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-1", "99999999", "1e9", "x", ""])
def test_numbers_have_bounds(text: str) -> None:
    """Each argument that is a number refuses what is none within its bounds, and names both."""
    assert {argument for _command, argument, _read in numbers()} == {"interval", "timeout", "watch", "port"}
    for _command, _argument, read in numbers():
        with pytest.raises(argparse.ArgumentTypeError, match=rf"^'{text}' is not a (whole )?number from \S+ to \d+"):
            read(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("top", "--interval", "0"), "argument --interval: '0' is not a number from 0.1 to 3600 seconds"),
        (("doctor", "--timeout", "nan"), "argument --timeout: 'nan' is not a number from 0.1 to 60 seconds"),
        (("compile", "--instance", "", "x.yaml"), "argument --instance: '' is not 1 to 63 letters"),
        (("cleanup", "--instance", ""), "argument --instance: it is empty"),
        (("adopt", ""), "argument ID: it is empty"),
        (("check-config", "--config", ""), "argument --config: it is empty"),
        (("compile", ""), "argument PATH: it is empty"),
        (("compile", "x.yaml", "--strict", ""), "unrecognized arguments: ''"),
        (("get", "policies", ""), "argument NAME: it is empty"),
    ],
)
def test_values_that_no_command_can_use(capsys: pytest.CaptureFixture[str], line: tuple[str, ...], said: str) -> None:
    """An empty name, and a number out of bounds, are exit code 2 and a message that names the argument."""
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("line", [("cleanup", "--config", "/none"), ("adopt", "--config", "/none")])
def test_an_instance_can_be_left_out(line: tuple[str, ...]) -> None:
    """The instance of `cleanup` and `adopt` is empty only where it isn't named."""
    assert main(line) == BAD_CONFIG
