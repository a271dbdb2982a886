"""`nqosd adopt`: takes over the rows of an earlier instance of nqosd, such as one whose name was changed.

In: a configuration, the name of the earlier instance. Out: its rows and sets belong to this instance. Rule: nothing but
the owner changes, so no packet notices; the daemon puts the rest right when it starts.
"""

import argparse
from collections.abc import Iterator

from nqosd.commands import plan_and_apply
from nqosd.commands.plan_and_apply import Action, RefusedError, entries, listed, refuse_unless_committed
from nqosd.config import Config
from nqosd.daemon.daemon_options import northbound_options
from nqosd.northbound.ownership import TABLES, Holdings, adoption
from nqosd.northbound.visit import visit


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return plan_and_apply.run(options, _adopt, _text)


async def _adopt(config: Config, options: argparse.Namespace, action: Action) -> None:
    mine = config.daemon.instance
    async with visit(northbound_options(config), exclusive=options.apply and bool(options.instance)) as database:
        holdings = Holdings.of(await database.select(TABLES))
        action["instances"] = dict(sorted(holdings.instances().items()))
        if not options.instance:
            return
        if options.instance == mine:
            raise RefusedError(f"{mine} is the instance of this configuration already (daemon.instance)")
        rows = holdings.owned(options.instance)
        action["owner"], action["rows"] = options.instance, entries(holdings, rows)
        if options.apply:
            if rows:
                refuse_unless_committed(await database.commit(adoption(rows, mine)))
            action["applied"] = True


def _text(action: Action) -> Iterator[str]:
    if not action["owner"]:
        yield from (f"{owner}: {number} rows" for owner, number in action["instances"].items())
        return
    yield from listed(action["rows"], "~")
    number = f"{len(action['rows'])} rows of {action['owner']}"
    if action["applied"]:
        yield f"{number} are this instance's now"
    else:
        yield f"{number} would become this instance's; run again with --apply to do it"
