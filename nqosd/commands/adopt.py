"""`nqosd adopt`: takes over the rows of an earlier instance of nqosd, such as one whose name was changed.

In: a configuration, the name of the earlier instance. Out: its rows and sets belong to this instance. Rule: nothing but
the owner changes, so no packet notices; the daemon puts the rest right when it starts.
"""

import argparse

from nqosd.commands import plan_and_apply
from nqosd.commands.output import say
from nqosd.commands.plan_and_apply import RefusedError, listed, refuse_unless_committed, say_all
from nqosd.config import Config
from nqosd.northbound.once import visit
from nqosd.northbound.plan.holdings import TABLES, Holdings, adoption
from nqosd.parts import northbound_options


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return plan_and_apply.run(options, _adopt)


async def _adopt(config: Config, options: argparse.Namespace) -> None:

    mine = config.daemon.instance
    async with visit(northbound_options(config), exclusive=options.apply and bool(options.instance)) as database:
        holdings = Holdings.of(await database.select(TABLES))
        if not options.instance:
            for owner, number in sorted(holdings.instances().items()):
                say(f"{owner}: {number} rows{', this instance' if owner == mine else ''}")
            return
        if options.instance == mine:
            raise RefusedError(f"{mine} is the instance of this configuration already (daemon.instance)")
        rows = holdings.owned(options.instance)
        say_all(listed(holdings, rows, "~"))
        if not options.apply:
            say(f"{len(rows)} rows of {options.instance} would become {mine}'s; run again with --apply to do it")
            return
        if rows:
            refuse_unless_committed(await database.commit(adoption(rows, mine)))
        say(f"{len(rows)} rows of {options.instance} are {mine}'s now")
