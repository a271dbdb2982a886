"""What `adopt`, `takeover` and `cleanup` have in common: they show a plan, and carry it out only when told to.

In: arguments, a function that plans. Out: lines, and an exit code. Rule: without `--apply` nothing is written and no
lock is asked for; with it, everything is one transaction under the daemon's lock.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING

from nqosd.commands import output
from nqosd.commands.configuration import add_config, load_config
from nqosd.commands.exits import BAD_CONFIG, FAILED, OK
from nqosd.commands.output import complain
from nqosd.config import Config, ConfigError

if TYPE_CHECKING:
    from nqosd.northbound.plan.holdings import Held, Holdings

MANY = 40
"""Lines of a plan that are shown; the rest is counted."""


class RefusedError(Exception):
    """It can't be done, or not now; the message says why and what to do."""


Work = Callable[[Config, argparse.Namespace], Coroutine[object, object, None]]


def add_arguments(parser: argparse.ArgumentParser, work: Work) -> None:
    """Declare what they have in common."""
    add_config(parser)
    parser.add_argument("--apply", action="store_true", help="do it; without this, the plan is shown and nothing done")
    parser.set_defaults(run=lambda options: run(options, work))


def run(options: argparse.Namespace, work: Work) -> int:
    """Run a command; gives its exit code."""
    from nqosd.commands.gathering import GatherError  # noqa: PLC0415 - what speaks with others takes long to import
    from nqosd.northbound.replica.reading import ReadError  # noqa: PLC0415
    from nqosd.telemetry import logs  # noqa: PLC0415

    try:
        config = load_config(options.config)
    except ConfigError as error:
        complain(error)
        return BAD_CONFIG
    logs.configure("error", config.log.format)
    try:
        asyncio.run(work(config, options))
    except (RefusedError, ReadError, GatherError, TimeoutError) as error:
        complain(f"nqosd {options.command}: {error or 'no answer in time'}")
        return FAILED
    return OK


def listed(holdings: "Holdings", rows: Iterable["Held"], sign: str) -> Iterator[str]:
    """Name rows, a line each, as far as a person wants to read them."""
    lines = []
    for row in rows:
        if row.name:
            lines.append(f"{sign} {row.table} {row.name}")
        else:
            where = ", ".join(holdings.places(row)) or "no switch"
            what = f"row of NetworkQoS {row.policy}" if row.policy else "row of no policy"
            lines.append(f"{sign} {row.table} {what} on {where} ({row.uuid})")
    yield from lines[:MANY]
    if len(lines) > MANY:
        yield f"{sign} … and {len(lines) - MANY} more"


def say(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        output.say(line)
