"""`nqosd stats`: counts on this chassis what the rules did, and serves it to Prometheus.

In: a configuration. Out: an HTTP server until SIGTERM, or with `--once` a table or JSON. Rule: it reads two databases
and the bridge's counters, and changes nothing in any of them.
"""

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

import attrs

from nqosd import signals
from nqosd.commands.configuration import add_config, load_config, service_path
from nqosd.commands.exits import BAD_CONFIG, FAILED, OK
from nqosd.commands.output import complain, say
from nqosd.compiler.rendering import table
from nqosd.config import ConfigError

if TYPE_CHECKING:
    from nqosd.commands import Subparsers

HEADER = ("POLICY", "RULE", "NETWORK", "MARKED", "BYTES", "PASSED", "BYTES", "DROPPED", "BYTES")


def add(commands: "Subparsers") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "stats",
        help="count what the rules do on this chassis, for Prometheus",
        description="Run on a chassis until SIGTERM: read the counters of br-int's flows and meters, and serve packets "
        "and bytes marked, let through and dropped, by rule, to Prometheus. The section [stats] of the configuration "
        "says where everything is.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="print what the flows and meters have counted since they were made, and end; no port is opened",
    )
    parser.add_argument("--format", choices=["table", "json"], default="table", help="with --once; default: table")
    add_config(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.once:
        signals.release()
    path = options.config if options.once else service_path(options.config)
    try:
        config = load_config(path, awaits=not options.once)
    except ConfigError as error:
        complain(error)
        return BAD_CONFIG
    from nqosd.statistics.exporter import Exporter, StatsError, read_once  # noqa: PLC0415 - it takes time to import
    from nqosd.stats_parts import stats_options  # noqa: PLC0415
    from nqosd.telemetry import logs  # noqa: PLC0415

    logs.configure(config.log.level, config.log.format)
    try:
        if not options.once:
            asyncio.run(Exporter(stats_options(config)).run())
            return OK
        found = sorted(asyncio.run(read_once(stats_options(config))).items())
    except StatsError as error:
        complain(f"nqosd stats: {error}")
        return FAILED
    if options.format == "json":
        entries = [
            {"namespace": rule.namespace, "policy": rule.policy, "rule": rule.index, "network": rule.network}
            | attrs.asdict(figures)
            for rule, figures in found
        ]
        say(json.dumps(entries, indent=2))
    else:
        lines = [
            (f"{rule.namespace}/{rule.policy}", str(rule.index), rule.network, *map(str, figures.amounts))
            for rule, figures in found
        ]
        say(table(HEADER, lines))
    return OK
