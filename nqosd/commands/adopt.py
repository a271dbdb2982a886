"""`nqosd adopt`: takes over the rows of an earlier instance of nqosd, such as one whose name was changed.

In: a configuration, the name of the earlier instance. Out: its rows and sets belong to this instance. Rule: nothing but
the owner changes, so no packet notices; the daemon puts the rest right when it starts.
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
        "adopt",
        help="take over the rows of an earlier instance of nqosd",
        description="Give all QoS rows, address sets and port groups of an earlier instance to the one that the "
        "configuration names, in one transaction. Without an instance, list the instances that own rows. Stop all "
        "daemons of both first. Without --apply the plan is shown and nothing is done. "
        "Exit codes: 0 done, or shown; 1 refused; 78 unusable configuration.",
    )
    parser.add_argument("instance", nargs="?", default="", metavar="ID", help="the owner of the rows until now")
    hands.add_arguments(parser, _adopt)


async def _adopt(config: Config, options: argparse.Namespace) -> None:
    from nqosd.northbound.once import visit  # noqa: PLC0415
    from nqosd.northbound.plan.holdings import TABLES, Holdings, adoption  # noqa: PLC0415 - takes long to import
    from nqosd.northbound.results import Outcome  # noqa: PLC0415
    from nqosd.parts import northbound_options  # noqa: PLC0415

    mine = config.daemon.instance
    async with visit(northbound_options(config), exclusive=options.apply and bool(options.instance)) as database:
        holdings = Holdings.of(await database.select(TABLES))
        if not options.instance:
            for owner, number in sorted(holdings.instances().items()):
                say(f"{owner}: {number} rows{', this instance' if owner == mine else ''}")
            return
        if options.instance == mine:
            raise hands.RefusedError(f"{mine} is the instance of this configuration already (daemon.instance)")
        rows = holdings.owned(options.instance)
        hands.say(hands.listed(holdings, rows, "~"))
        if not options.apply:
            say(f"{len(rows)} rows of {options.instance} would become {mine}'s; run again with --apply to do it")
            return
        if rows:
            answer = await database.commit(adoption(rows, mine))
            if answer.outcome is not Outcome.COMMITTED:
                raise hands.RefusedError(f"nothing was written: {answer.problem or answer.outcome.value}; run it again")
        say(f"{len(rows)} rows of {options.instance} are {mine}'s now")
