"""The command line of `nqosd`: arguments in, exit codes out.

Exit codes: see `nqosd.commands.exits`. Rule: what a command has to say goes to standard output, what went wrong to
standard error; a command's module is imported when it is asked for.
"""

import argparse
import importlib
from collections.abc import Sequence

from nqosd import __version__, collector
from nqosd.commands.exits import BAD_CONFIG, FAILED, OK, USAGE, CommandError, ConfigurationError
from nqosd.commands.output import complain
from nqosd.commands.table import COMMANDS

__all__ = ["BAD_CONFIG", "FAILED", "OK", "USAGE", "main", "parser"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit code."""
    options = parser().parse_args(arguments)
    if options.command == "run":
        collector.pause()
    try:
        code: int = importlib.import_module(options.module).run(options)
    except CommandError as error:
        complain(error if isinstance(error, ConfigurationError) else f"nqosd {options.command}: {error}")
        return error.code
    return code


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="nqosd",
        description="Keeps the QoS rows and address sets of an OVN Northbound database equal to the NetworkQoS objects "
        "of a Kubernetes cluster.",
        epilog="Exit codes: 0 all is well; 1 a policy is not ready, the daemon has failed, or what was asked couldn't "
        "be found out; 2 unusable arguments or manifests, or diff found a difference; 78 unusable configuration.",
    )
    top.add_argument("--version", action="version", version=f"nqosd {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each in COMMANDS:
        command = commands.add_parser(each.name, help=each.help, description=each.description)
        each.add_arguments(command)
        command.set_defaults(module=each.module)
    return top
