"""`nqosd run`: the daemon.

In: a configuration. Out: a daemon until SIGTERM. Rule: nothing is decided here.
"""

import argparse
import asyncio

from nqosd.commands.configuration import configuration, load_config, settle_path
from nqosd.commands.exits import OK
from nqosd.daemon import daemon
from nqosd.telemetry import logs


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    settle_path(options)
    config = configuration(options, awaits=True)
    logs.configure(config.log.level, config.log.format)
    asyncio.run(daemon.Daemon(config, lambda: load_config(options, awaits=True)).run())
    return OK
