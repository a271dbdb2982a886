"""The command line of `nqosd`, and of `kubectl nqos`: arguments in, exit codes out.

Exit codes: see `nqosd.commands.exits`. Rule: what a command has to say goes to standard output, what went wrong and the
log to standard error; a command's module is imported when it is asked for.
"""

import argparse
import importlib
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from nqosd import __version__
from nqosd.commands.exits import BAD_CONFIG, FAILED, INTERRUPTED, OK, USAGE, CommandError, ConfigurationError
from nqosd.commands.output import complain, have_standard_error, write, write_complaint
from nqosd.commands.table import NQOSD, Program
from nqosd.runtime import garbage

__all__ = ["BAD_CONFIG", "FAILED", "OK", "USAGE", "main", "parser"]


class Parser(argparse.ArgumentParser):
    """A parser whose help is output like any other: argparse itself is silent about a full disk."""

    def _print_message(self, message: str, file: object = None) -> None:
        (write if file is sys.stdout else write_complaint)(message)


def main(arguments: Sequence[str] | None = None, *, program: Program = NQOSD) -> int:
    """Run a command of a program; gives its exit code."""
    command = program.name
    have_standard_error()
    try:
        options = _parsed(arguments, program)
        command = f"{program.name} {options.command}"
        if options.command == "run":
            garbage.pause()
        code: int = _module(options.module).run(options)
    except CommandError as error:
        complain(error if isinstance(error, ConfigurationError) else f"{command}: {error}")
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _parsed(arguments: Sequence[str] | None, program: Program) -> argparse.Namespace:
    """Read arguments; names and paths may stand behind options too, which argparse alone doesn't take."""
    given = sys.argv[1:] if arguments is None else arguments
    is_service = given[:1] == ["run"] or (given[:1] == ["stats"] and "--once" not in given)
    if sys.stdout is None and not is_service:
        raise CommandError("standard output is closed")
    commands = parser(program)
    options, rest = commands.parse_known_args(arguments)
    lists: dict[str, Callable[[str], object]] = {"names": str, "paths": Path}
    many = next((each for each in lists if hasattr(options, each)), "")
    if rest and (not many or any(not each or (each.startswith("-") and each != "-") for each in rest)):
        commands.error(f"unrecognized arguments: {shlex.join(rest)}")
    if rest:
        getattr(options, many).extend(map(lists[many], rest))
    return options


def _module(name: str) -> ModuleType:
    """Import a command; what is logged goes to standard error from now on, and only errors are."""
    from nqosd.telemetry import logs  # noqa: PLC0415 - it takes time, which `nqosd --help` hasn't

    logs.configure("error", "auto")
    return importlib.import_module(name)


def parser(program: Program = NQOSD) -> argparse.ArgumentParser:
    """Make the parser of all commands of a program."""
    top = Parser(
        prog=program.name,
        description=program.description,
        epilog="Exit codes: 0 all is well; 1 a policy is not ready, the daemon has failed or something is in its way, "
        "or what was asked couldn't be found out; 2 unusable arguments or manifests; 3 diff found a difference; "
        "78 unusable configuration; 130 ended by Ctrl-C.",
    )
    top.add_argument("--version", action="version", version=f"nqosd {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each in program.commands:
        command = commands.add_parser(each.name, help=each.help, description=each.description)
        each.add_arguments(command)
        command.set_defaults(module=each.module)
    return top
