"""`nqosd check-config`: says whether a configuration file can be used.

In: a file. Out: "ok", or every mistake with its line; where there is no file, that. Rule: it reads what the daemon
would read, and nothing else.
"""

import argparse

from nqosd.commands.configuration import configuration, settle_path
from nqosd.commands.exits import OK
from nqosd.commands.output import say
from nqosd.commands.table import DEFAULT_CONFIG


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    configuration(options)
    settle_path(options)
    if options.config is None:
        say(f"{DEFAULT_CONFIG} isn't there, so the environment and defaults count: ok; --config names another file")
    else:
        say(f"{options.config}: ok")
    return OK
