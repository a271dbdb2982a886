"""Shell completion for the command: scripts for bash and zsh.

In: the parser of the command line. Out: the text of a script. Rule: what the parser doesn't know isn't completed; a
parameter that is a file is, since its type says so.
"""

import argparse
import sys
from pathlib import Path
from typing import Literal

import shtab

from nqosd.cli import parser as cli_parser
from nqosd.commands.arguments import path


def script(shell: Literal["bash", "zsh"]) -> str:
    """Write the script for a shell."""
    parser = cli_parser()
    _complete_files(parser)
    text: str = shtab.complete(parser, shell=shell)
    return text.rstrip() + "\n"


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Let each parameter whose type is a path be completed as a file."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _complete_files(each)
        elif action.type in {Path, path}:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # the attribute that shtab looks for


def main() -> int:
    """Print the script for the shell that the command line names."""
    sys.stdout.write(script("zsh" if "zsh" in sys.argv[1:] else "bash"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
