"""`nqosd check-config`: says whether a configuration file can be used.

In: a file. Out: "ok", or every mistake with its line; where there is no file, that; or JSON. Rule: it reads
what the daemon would read, and nothing else.
"""

import argparse
from typing import TypedDict

from nqosd.commands.arguments import DEFAULT_CONFIG
from nqosd.commands.configuration import load_config, settle_path
from nqosd.commands.exits import BAD_CONFIG, OK, ConfigurationError
from nqosd.commands.output import say, show
from nqosd.config import ConfigError
from nqosd.config.reading import Mistake


class Checked(TypedDict):
    """What `nqosd check-config` prints: the file, None where there is none, and what is wrong."""

    file: str | None
    mistakes: list[Mistake]


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    settle_path(options)
    mistakes: list[Mistake] = []
    try:
        load_config(options)
    except ConfigError as error:
        if options.format == "text":
            raise ConfigurationError(error) from error
        mistakes += error.mistakes
    if options.format == "json":
        show(Checked(file=options.config and str(options.config), mistakes=mistakes))
    elif options.config is None:
        say(f"{DEFAULT_CONFIG} isn't there, so the environment and defaults count: ok; --config names another file")
    else:
        say(f"{options.config}: ok")
    return BAD_CONFIG if mistakes else OK
