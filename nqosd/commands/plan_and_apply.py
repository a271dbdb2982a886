"""What `adopt`, `takeover` and `cleanup` have in common: they show a plan, and carry it out only when told to.

In: arguments, a function that plans. Out: lines or JSON, and an exit code. Rule: without `--apply` nothing is written
and no lock is asked for; with it, everything is one transaction under the daemon's lock. What was written is said,
whatever fails afterwards.
"""

import argparse
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TypedDict

from nqosd.commands.configuration import configuration
from nqosd.commands.exits import OK, CommandError
from nqosd.commands.output import say, show
from nqosd.config import Config
from nqosd.northbound.commit import Commit
from nqosd.northbound.ownership import Held, Holdings
from nqosd.northbound.results import RoundOutcome
from nqosd.northbound.visit import ReadError
from nqosd.runtime import interrupts

MANY = 40
"""Lines of a plan that are shown; the rest is counted."""


class RefusedError(CommandError):
    """It can't be done, or not now; the message says why and what to do."""


class HeldEntry(TypedDict):
    """A row that is in the database; `name` is a set's name, `policy` and `switches` are a QoS row's."""

    table: str
    uuid: str
    name: str
    policy: str
    switches: list[str]


class Action(TypedDict):
    """What is done, or with `applied` false would be. `rows` are those of `owner`; `written` counts what comes instead.

    `instances` counts the rows of each instance of nqosd before that; `statuses`: conditions that were withdrawn.
    """

    applied: bool
    owner: str
    instances: dict[str, int]
    rows: list[HeldEntry]
    written: dict[str, int]
    warnings: list[str]
    statuses: int


Work = Callable[[Config, argparse.Namespace, Action], Coroutine[object, object, None]]
Text = Callable[[Action], Iterable[str]]


def run(options: argparse.Namespace, work: Work, text: Text) -> int:
    """Run a command, which fills in what it does; `text` says that to people."""
    action = Action(applied=False, owner="", instances={}, rows=[], written={}, warnings=[], statuses=0)
    failure = None
    try:
        interrupts.run(work(configuration(options), options, action))
    except CommandError as error:
        failure = error
    except (ReadError, TimeoutError) as error:
        failure = RefusedError(str(error) or "no answer in time")
    if action["applied"] or failure is None:
        if options.format == "json":
            show(action)
        else:
            for line in text(action):
                say(line)
    if failure is not None:
        raise failure
    return OK


def refuse_unless_committed(answer: Commit) -> None:
    """Raise `RefusedError` unless a transaction was committed."""
    if answer.outcome is not RoundOutcome.COMMITTED:
        raise RefusedError(f"nothing was written: {answer.problem or answer.outcome.value}; run it again")


def entries(holdings: Holdings, rows: Iterable[Held]) -> list[HeldEntry]:
    """Give rows as plain data."""
    return [
        {
            "table": row.table,
            "uuid": row.uuid,
            "name": row.name,
            "policy": "" if row.name else row.policy,
            "switches": holdings.places(row),
        }
        for row in rows
    ]


def listed(rows: Iterable[HeldEntry], sign: str) -> Iterator[str]:
    """Name rows, a line each, as far as a person wants to read them."""
    lines = []
    for row in rows:
        if row["name"]:
            lines.append(f"{sign} {row['table']} {row['name']}")
        else:
            where = ", ".join(row["switches"]) or "no switch"
            what = f"row of NetworkQoS {row['policy']}" if row["policy"] else "row of no policy"
            lines.append(f"{sign} {row['table']} {what} on {where} ({row['uuid']})")
    yield from lines[:MANY]
    if len(lines) > MANY:
        yield f"{sign} … and {len(lines) - MANY} more"
