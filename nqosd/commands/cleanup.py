"""`nqosd cleanup`: removes every trace of an instance, so that nothing is left when it is gone.

In: a configuration. Out: its rows and sets are gone from the database, and its word from the policies' status. Rule:
only what carries the instance's own mark is removed, and never while a daemon writes.
"""

import argparse
from collections.abc import Iterator

from nqosd.commands import plan_and_apply
from nqosd.commands.plan_and_apply import Action, entries, listed, refuse_unless_committed
from nqosd.commands.statuses import withdraw
from nqosd.compiler.settings import zone_name
from nqosd.config import Config
from nqosd.daemon.daemon_options import northbound_options
from nqosd.northbound.ownership import TABLES, Holdings, removal
from nqosd.northbound.visit import visit


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return plan_and_apply.run(options, _clean, _text)


async def _clean(config: Config, options: argparse.Namespace, action: Action) -> None:
    instance = options.instance or config.daemon.instance
    async with visit(northbound_options(config), exclusive=options.apply) as database:
        holdings = Holdings.of(await database.select(TABLES))
        rows = holdings.owned(instance)
        action["instances"] = dict(sorted(holdings.instances().items()))
        action["owner"], action["rows"] = instance, entries(holdings, rows)
        if not options.apply:
            return
        if rows:
            refuse_unless_committed(await database.commit(removal(holdings, rows)))
        action["applied"] = True
        zone = zone_name(config.daemon.zone or database.replica.zone or "")
    if config.status.enabled and config.kubernetes.source == "cluster" and instance == config.daemon.instance:
        action["statuses"] = await withdraw(config, zone)


def _text(action: Action) -> Iterator[str]:
    yield from listed(action["rows"], "-")
    number = f"{len(action['rows'])} rows of {action['owner']}"
    if not action["applied"]:
        yield f"{number} would be removed; run again with --apply to do it"
        return
    yield f"{number} were removed"
    if action["statuses"]:
        yield f"{action['statuses']} statuses were withdrawn"
