"""What `adopt`, `takeover` and `cleanup` have in common: they show a plan, and carry it out only when told to.

In: arguments, a function that plans. Out: lines, and an exit code. Rule: without `--apply` nothing is written and no
lock is asked for; with it, everything is one transaction under the daemon's lock.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator

from nqosd.commands import output
from nqosd.commands.configuration import configuration
from nqosd.commands.exits import OK, CommandError
from nqosd.config import Config
from nqosd.northbound.plan.holdings import Held, Holdings
from nqosd.northbound.replica.reading import ReadError
from nqosd.northbound.results import Outcome
from nqosd.northbound.writer import Commit
from nqosd.telemetry import logs

MANY = 40
"""Lines of a plan that are shown; the rest is counted."""


class RefusedError(CommandError):
    """It can't be done, or not now; the message says why and what to do."""


Work = Callable[[Config, argparse.Namespace], Coroutine[object, object, None]]


def run(options: argparse.Namespace, work: Work) -> int:
    """Run a command; gives its exit code."""
    config = configuration(options.config)
    logs.configure("error", config.log.format)
    try:
        asyncio.run(work(config, options))
    except (ReadError, TimeoutError) as error:
        raise RefusedError(str(error) or "no answer in time") from error
    return OK


def refuse_unless_committed(answer: Commit) -> None:
    """Raise `RefusedError` unless a transaction was committed."""
    if answer.outcome is not Outcome.COMMITTED:
        raise RefusedError(f"nothing was written: {answer.problem or answer.outcome.value}; run it again")


def listed(holdings: Holdings, rows: Iterable[Held], sign: str) -> Iterator[str]:
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


def say_all(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        output.say(line)
