"""`nqosd stats`: counts on this chassis what the rules did, and serves it to Prometheus.

In: a configuration. Out: an HTTP server until SIGTERM, or with `--once` a table or JSON. Rule: it reads two databases
and the bridge's counters, and changes nothing in any of them.
"""

import argparse
import asyncio

import msgspec

from nqosd.commands.compiled_text import table
from nqosd.commands.configuration import configuration, settle_path
from nqosd.commands.exits import OK, CommandError
from nqosd.commands.output import say, show
from nqosd.runtime import interrupts, signals
from nqosd.statistics.chassis import ChassisReading, StatsError, read_once
from nqosd.statistics.exporter import Exporter
from nqosd.statistics.exporter_options import stats_options
from nqosd.statistics.tally import Tally
from nqosd.telemetry import logs

HEADER = ("POLICY", "RULE", "NETWORK", "MARKED", "BYTES", "PASSED", "BYTES", "DROPPED", "BYTES")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.once:
        signals.release()
    else:
        settle_path(options)
    config = configuration(options, awaits=not options.once)
    logs.configure(config.log.level, config.log.format)
    try:
        if not options.once:
            asyncio.run(Exporter(stats_options(config)).run())
            return OK
        found = interrupts.run(read_once(stats_options(config)))
    except StatsError as error:
        raise CommandError(error) from error
    _show(found, options.format)
    return OK


def _show(reading: ChassisReading, form: str) -> None:
    found = sorted(reading.gains(Tally(whole=True)).items())
    if form == "json":
        entries = [
            {"namespace": rule.namespace, "policy": rule.policy, "rule": rule.index, "network": rule.network}
            | msgspec.structs.asdict(figures)
            | {"meter_missing": rule in reading.without_meter}
            for rule, figures in found
        ]
        show(entries)
    else:
        lines = [
            (f"{rule.namespace}/{rule.policy}", str(rule.index), rule.network, *map(str, figures.amounts))
            for rule, figures in found
        ]
        say(table(HEADER, lines))
        room = f"br-int has {len(reading.bridge.meters)} meters, and says that it can have {reading.bridge.meter_limit}"
        for rule in sorted(reading.without_meter):
            say(f"{rule.namespace}/{rule.policy} rule {rule.index} on {rule.network}: its limit has no meter; {room}")
