"""`nqosd takeover --from ovn-kubernetes`: replaces the rows of the controller in ovn-kubernetes by ours.

In: a configuration, and objects from where the daemon takes them. Out: their rows are gone and ours are there. Rules:
one transaction, so no packet ever meets both or neither; it refuses while that controller still writes, which shows in
its rows or in the policies' status while they are watched, before and after; whether one that writes nothing is off is
said where it can't be known.
"""

import argparse
import asyncio
from collections.abc import Iterator

from msgspec.structs import replace

from nqosd.cache.tables import Tables
from nqosd.commands import plan_and_apply
from nqosd.commands.gathering import gather_objects, settings_for
from nqosd.commands.offline import zone_problem
from nqosd.commands.old_controller import Traces, ask_for_traces
from nqosd.commands.plan_and_apply import Action, RefusedError, entries, listed, refuse_unless_committed
from nqosd.compiler.definition import Compiled, compile_everything
from nqosd.config import Config
from nqosd.daemon.daemon_options import kube_options, northbound_options
from nqosd.kube.client import KubeClient
from nqosd.northbound.ownership import TABLES, Held, Holdings, removal
from nqosd.northbound.plan.operations import OperationKind
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.stored import OVN_KUBERNETES
from nqosd.northbound.visit import Visit, visit

LOOKS_PER_SECOND = 2


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return plan_and_apply.run(options, _take_over, _text)


async def _take_over(config: Config, options: argparse.Namespace, action: Action) -> None:
    tables = await gather_objects(config)
    async with visit(northbound_options(config), exclusive=options.apply) as database:
        replica = database.replica
        settings = settings_for(config, replica)
        if problem := zone_problem(tables, settings.zone):
            raise RefusedError(problem)
        seen = await _traces(config, settings.zone)
        before = Holdings.of(await database.select(TABLES))
        has_written = await _changes(database, before.marked(OVN_KUBERNETES), options.watch)
        now = await _traces(config, settings.zone)
        if has_written or now.has_written_since(seen):
            raise RefusedError(
                "ovn-kubernetes writes rows or statuses, so its NetworkQoS controller still runs; turn it off first "
                "(--enable-network-qos=false)"
            )
        switches = {name: replace(each, theirs=False) for name, each in replica.switches.items()}
        compiled = compile_everything(tables, settings, switches)
        desired = compiled.desired
        plan = make_plan(desired, replica, PlanScope.whole(desired, replica), PlanOptions(settings.owner))
        theirs = before.marked(OVN_KUBERNETES)
        action["instances"] = dict(sorted(before.instances().items()))
        action["owner"], action["rows"] = "ovn-kubernetes", entries(before, theirs)
        written = {kind: number for kind, number in sorted(plan.counts.items()) if kind != OperationKind.WAIT.value}
        action["written"] = {kind.replace("_", " "): number for kind, number in written.items()}
        action["warnings"] = [*filter(None, [now.warning]), *_losses(before, compiled, tables)]
        if not options.apply:
            return
        operations = (*removal(before, theirs), *plan.operations)
        if operations:
            refuse_unless_committed(await database.commit(operations))
        action["applied"] = True
        if await _changes(database, (), options.watch):
            raise RefusedError("ovn-kubernetes has written again: turn its controller off, run this again")


def _text(action: Action) -> Iterator[str]:
    yield from listed(action["rows"], "-")
    yield from (f"+ {number} {kind}" for kind, number in action["written"].items())
    yield from (f"! {warning}" for warning in action["warnings"])
    number = f"{len(action['rows'])} rows of {action['owner']}"
    if action["applied"]:
        yield f"{number} were replaced"
    else:
        yield f"{number} would be replaced; run again with --apply to do it"


async def _changes(database: Visit, known: tuple[Held, ...], seconds: float) -> bool:
    """Watch the rows of ovn-kubernetes for a while; say whether they are ever others than these."""
    for _ in range(round(seconds * LOOKS_PER_SECOND)):
        await asyncio.sleep(1 / LOOKS_PER_SECOND)
        if Holdings.of(await database.select(TABLES)).marked(OVN_KUBERNETES) != known:
            return True
    return False


async def _traces(config: Config, zone: str) -> Traces:
    """Look what its controller has left in the status of policies."""
    if config.kubernetes.source == "manifests":
        return Traces()
    async with KubeClient(kube_options(config)) as client:
        return await ask_for_traces(client, zone)


def _losses(before: Holdings, compiled: Compiled, tables: Tables) -> Iterator[str]:
    """Name the policies that have rows of theirs and get none of ours, with the reason."""
    ours = {row.policy for row in compiled.desired.rows}
    reports = {f"{each.namespace}/{each.name}": each for each in compiled.reports}
    for policy in sorted({row.policy for row in before.marked(OVN_KUBERNETES) if row.policy} - ours):
        report = reports.get(policy)
        if policy not in tables.policies or report is None:
            yield f"NetworkQoS {policy} doesn't exist any more: its rows go"
        elif report.problems:
            yield f"NetworkQoS {policy} is not applied: {'; '.join(map(str, report.problems))}"
        else:
            yield f"NetworkQoS {policy} selects no pod here: its rows go"
