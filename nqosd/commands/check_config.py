"""`nqosd check-config`: says whether a configuration file can be used.

In: a file. Out: "ok", or every mistake with its line. Rule: it reads what the daemon would read, and nothing else.
"""

import argparse

from nqosd.commands.configuration import configuration
from nqosd.commands.exits import OK
from nqosd.commands.output import say
from nqosd.commands.table import DEFAULT_CONFIG


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    configuration(options)
    say(f"{options.config or DEFAULT_CONFIG}: ok")
    return OK
