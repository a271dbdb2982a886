"""`nqosd cleanup`: removes every trace of an instance, so that nothing is left when it is gone.

In: a configuration. Out: its rows and sets are gone from the database, and its word from the policies' status. Rule:
only what carries the instance's own mark is removed, and never while a daemon writes.
"""

import argparse

from nqosd.commands import plan_and_apply
from nqosd.commands.output import say
from nqosd.commands.plan_and_apply import listed, refuse_unless_committed, say_all
from nqosd.commands.statuses import withdraw
from nqosd.compiler.settings import zone_name
from nqosd.config import Config
from nqosd.northbound.once import visit
from nqosd.northbound.plan.holdings import TABLES, Holdings, removal
from nqosd.parts import northbound_options


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return plan_and_apply.run(options, _clean)


async def _clean(config: Config, options: argparse.Namespace) -> None:

    instance = options.instance or config.daemon.instance
    async with visit(northbound_options(config), exclusive=options.apply) as database:
        holdings = Holdings.of(await database.select(TABLES))
        rows = holdings.owned(instance)
        say_all(listed(holdings, rows, "-"))
        if not options.apply:
            say(f"{len(rows)} rows of {instance} would be removed; run again with --apply to do it")
            return
        if rows:
            refuse_unless_committed(await database.commit(removal(holdings, rows)))
        say(f"{len(rows)} rows of {instance} were removed")
        zone = zone_name(config.daemon.zone or database.replica.zone or "")
    if config.status.enabled and config.kubernetes.source == "cluster" and instance == config.daemon.instance:
        say(f"{await withdraw(config, zone)} statuses were withdrawn")
