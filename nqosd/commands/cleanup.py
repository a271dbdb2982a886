"""`nqosd cleanup`: removes every trace of an instance, so that nothing is left when it is gone.

In: a configuration. Out: its rows and sets are gone from the database, and its word from the policies' status. Rule:
only what carries the instance's own mark is removed, and never while a daemon writes.
"""

import argparse
from typing import TYPE_CHECKING

from nqosd.commands import hands
from nqosd.commands.output import say
from nqosd.config import Config

if TYPE_CHECKING:
    from nqosd.commands import Subparsers


def add(commands: "Subparsers") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "cleanup",
        help="remove every trace of an instance",
        description="Remove all QoS rows, address sets and port groups of an instance from the Northbound database in "
        "one transaction, and then what it wrote into the status of policies. Stop its daemons first. Without --apply "
        "the plan is shown and nothing is done. Exit codes: 0 done, or shown; 1 refused; 78 unusable configuration.",
    )
    parser.add_argument("--instance", default="", metavar="ID", help="the owner (default: daemon.instance)")
    hands.add_arguments(parser, _clean)


async def _clean(config: Config, options: argparse.Namespace) -> None:
    from nqosd.northbound.once import visit  # noqa: PLC0415
    from nqosd.northbound.plan.holdings import TABLES, Holdings, removal  # noqa: PLC0415 - takes long to import
    from nqosd.northbound.results import Outcome  # noqa: PLC0415
    from nqosd.parts import northbound_options  # noqa: PLC0415

    instance = options.instance or config.daemon.instance
    async with visit(northbound_options(config), exclusive=options.apply) as database:
        holdings = Holdings.of(await database.select(TABLES))
        rows = holdings.owned(instance)
        hands.say(hands.listed(holdings, rows, "-"))
        if not options.apply:
            say(f"{len(rows)} rows of {instance} would be removed; run again with --apply to do it")
            return
        if rows:
            answer = await database.commit(removal(holdings, rows))
            if answer.outcome is not Outcome.COMMITTED:
                raise hands.RefusedError(f"nothing was written: {answer.problem or answer.outcome.value}; run it again")
        say(f"{len(rows)} rows of {instance} were removed")
        zone = config.daemon.zone or database.replica.zone or ""
    if config.status.enabled and config.kubernetes.source == "cluster" and instance == config.daemon.instance:
        from nqosd.commands.statuses import withdraw  # noqa: PLC0415

        say(f"{await withdraw(config, zone)} statuses were withdrawn")
