"""`nqosd takeover --from ovn-kubernetes`: replaces the rows of the controller in ovn-kubernetes by ours.

In: a configuration, and objects from where the daemon takes them. Out: their rows are gone and ours are there. Rules:
one transaction, so no packet ever meets both or neither; it refuses while that controller still writes, which shows in
its rows changing while they are watched, before and after.
"""

import argparse
import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nqosd.commands import hands
from nqosd.commands.output import say
from nqosd.config import Config

if TYPE_CHECKING:
    from nqosd.cache.tables import Tables
    from nqosd.commands import Subparsers
    from nqosd.compiler.compile import Compiled
    from nqosd.northbound.once import Visit
    from nqosd.northbound.plan.holdings import Held, Holdings

WATCH = 10.0
LOOKS_PER_SECOND = 2


def add(commands: "Subparsers") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "takeover",
        help="replace the rows of the controller in ovn-kubernetes",
        description="Remove the QoS rows and address sets of the NetworkQoS controller in ovn-kubernetes, and write "
        "this instance's, in one transaction. Turn that controller off first (--enable-network-qos=false): while its "
        "rows change, this is refused. Without --apply the plan is shown and nothing is done. "
        "Exit codes: 0 done, or shown; 1 refused, or that controller has written again; 78 unusable configuration.",
    )
    parser.add_argument("--from", dest="source", required=True, choices=["ovn-kubernetes"], help="whose rows")
    parser.add_argument(
        "--watch",
        type=float,
        default=WATCH,
        metavar="SECONDS",
        help=f"how long to look for signs of that controller, before and after (default: {WATCH:g})",
    )
    hands.add_arguments(parser, _take_over)


async def _take_over(config: Config, options: argparse.Namespace) -> None:
    from nqosd.commands.gathering import gather_objects  # noqa: PLC0415 - takes long to import
    from nqosd.compiler.compile import compile_everything  # noqa: PLC0415
    from nqosd.compiler.settings import Settings, parse_ovn_version  # noqa: PLC0415
    from nqosd.northbound.once import visit  # noqa: PLC0415
    from nqosd.northbound.plan.circumstances import Circumstances  # noqa: PLC0415
    from nqosd.northbound.plan.holdings import OVN_KUBERNETES, TABLES, Holdings, removal  # noqa: PLC0415
    from nqosd.northbound.plan.plan import make_plan  # noqa: PLC0415
    from nqosd.northbound.replica.scope import Scope  # noqa: PLC0415
    from nqosd.northbound.results import Outcome  # noqa: PLC0415
    from nqosd.parts import northbound_options  # noqa: PLC0415

    tables = await gather_objects(config)
    async with visit(northbound_options(config), exclusive=options.apply) as database:
        before = Holdings.of(await database.select(TABLES))
        if await _changes(database, before.marked(OVN_KUBERNETES), options.watch):
            raise hands.RefusedError(
                "the rows of ovn-kubernetes are changing, so its NetworkQoS controller still runs; turn it off first "
                "(--enable-network-qos=false)"
            )
        replica = database.replica
        version, zone = replica.northd_version, config.daemon.zone or replica.zone
        if zone is None:
            raise hands.RefusedError("NB_Global has no row yet, so its zone isn't known: set daemon.zone")
        settings = Settings(
            owner=config.daemon.instance,
            zone=zone,
            ovn=None if version is None else parse_ovn_version(version),
            any_network=config.daemon.unselected_networks == "all",
            limits=config.limits,
        )
        compiled = compile_everything(tables, settings)
        desired = compiled.desired
        plan = make_plan(desired, replica, Scope.whole(desired, replica), Circumstances(settings.owner))
        theirs = before.marked(OVN_KUBERNETES)
        hands.say(hands.listed(before, theirs, "-"))
        hands.say(f"+ {number} {kind.replace('_', ' ')}" for kind, number in sorted(plan.counts.items()))
        hands.say(_losses(before, compiled, tables))
        if not options.apply:
            say(f"{len(theirs)} rows of ovn-kubernetes would be replaced; run again with --apply to do it")
            return
        operations = (*removal(before, theirs), *plan.operations)
        if operations:
            answer = await database.commit(operations)
            if answer.outcome is not Outcome.COMMITTED:
                raise hands.RefusedError(f"nothing was written: {answer.problem or answer.outcome.value}; run it again")
        say(f"{len(theirs)} rows of ovn-kubernetes were replaced")
        if await _changes(database, (), options.watch):
            raise hands.RefusedError("ovn-kubernetes has written again: turn its controller off, run this again")


async def _changes(database: "Visit", known: "tuple[Held, ...]", seconds: float) -> bool:
    """Watch the rows of ovn-kubernetes for a while; say whether they are ever others than these."""
    from nqosd.northbound.plan.holdings import OVN_KUBERNETES, TABLES, Holdings  # noqa: PLC0415

    for _ in range(round(seconds * LOOKS_PER_SECOND)):
        await asyncio.sleep(1 / LOOKS_PER_SECOND)
        if Holdings.of(await database.select(TABLES)).marked(OVN_KUBERNETES) != known:
            return True
    return False


def _losses(before: "Holdings", compiled: "Compiled", tables: "Tables") -> Iterator[str]:
    """Name the policies that have rows of theirs and get none of ours, with the reason."""
    from nqosd.northbound.plan.holdings import OVN_KUBERNETES  # noqa: PLC0415

    ours = {row.policy for row in compiled.desired.rows}
    reports = {f"{each.namespace}/{each.name}": each for each in compiled.reports}
    for policy in sorted({row.policy for row in before.marked(OVN_KUBERNETES) if row.policy} - ours):
        report = reports.get(policy)
        if policy not in tables.policies or report is None:
            yield f"! NetworkQoS {policy} doesn't exist any more: its rows go"
        elif report.problems:
            yield f"! NetworkQoS {policy} is not applied: {'; '.join(map(str, report.problems))}"
        else:
            yield f"! NetworkQoS {policy} selects no pod here: its rows go"
