"""`nqosd doctor`: looks at everything that the daemon needs, and says what is in the way and how to mend it.

In: a configuration. Out: a page of ticks and crosses, or JSON; exit code 1 if there is a cross, 78 if the configuration
can't be used. Rules: nothing is written anywhere; each look has its time, and none waits for another one's answer.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from http import HTTPStatus
from typing import TypedDict

from nqosd.api.text import shortened
from nqosd.commands.arguments import DEFAULT_CONFIG
from nqosd.commands.colour import Hue, Painter
from nqosd.commands.configuration import load_config, settle_path
from nqosd.commands.doctor_chassis import look_at_chassis
from nqosd.commands.doctor_kubernetes import gather_nodes, look_at_kubernetes, look_for_old_controller
from nqosd.commands.doctor_northbound import NorthboundFacts, judge, look_at_northbound
from nqosd.commands.doctor_results import CheckResult, Verdict, failed, ok, skipped, within
from nqosd.commands.exits import BAD_CONFIG, FAILED, OK
from nqosd.commands.get import GetError, ask_daemon
from nqosd.commands.offline import zone_problem
from nqosd.commands.output import show
from nqosd.compiler.pod_addresses import Zone
from nqosd.compiler.settings import zone_name
from nqosd.config import Config, ConfigError, Mistake
from nqosd.daemon.daemon_options import northbound_options
from nqosd.runtime import interrupts
from nqosd.runtime.threads import waited

SIGNS = {
    Verdict.OK: ("✓", Hue.GREEN),
    Verdict.WARNING: ("!", Hue.CYAN),
    Verdict.FAILED: ("✗", Hue.RED),
    Verdict.SKIPPED: ("-", Hue.DIM),
}
READYZ = 'docs/troubleshooting.md has what each part waits for, under "The daemon"'


class Diagnosis(TypedDict):
    """What `nqosd doctor` prints: how many checks failed or warn, and each with its finding and the way out."""

    failed: int
    warnings: int
    checks: list[CheckResult]


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    settle_path(options)
    try:
        config = load_config(options)
    except ConfigError as error:
        way_out = "mend it; nqosd check-config says when it is right"
        results = [failed("configuration", _place(each), each.message, way_out) for each in error.mistakes]
        _print([*results, skipped("others", "", "everything else needs a configuration")], options)
        return BAD_CONFIG
    file = str(options.config or f"{DEFAULT_CONFIG} isn't there, so the environment and defaults")
    results = [ok("configuration", file, "can be used"), *interrupts.run(_examine(config, options.timeout))]
    _print(results, options)
    return FAILED if any(each.verdict is Verdict.FAILED for each in results) else OK


async def _examine(config: Config, seconds: float) -> list[CheckResult]:
    options = northbound_options(config)
    northbound, cluster, daemon, chassis = await asyncio.gather(
        look_at_northbound(options, seconds),
        look_at_kubernetes(config, seconds),
        within(seconds, "daemon", config.http.listen, _daemon(config, seconds), READYZ),
        look_at_chassis(config, seconds),
    )
    results, facts = northbound
    if facts is not None:
        results = [*results, *judge(facts, options), *await _traces(config, facts, seconds)]
        results.append(await _zone(config, facts, seconds))
    else:
        results.append(skipped("contents", "", "lock, OVN, zone and rows of others need a database that can be used"))
    return [*results, daemon, *cluster, *chassis]


async def _zone(config: Config, facts: NorthboundFacts, seconds: float) -> CheckResult:
    text = config.daemon.zone or facts.zone
    about = "daemon.zone" if config.daemon.zone else f"NB_Global.name of {facts.remote}"
    if text is None:
        return failed("zone", about, "NB_Global has no row", "run ovn-nbctl init, or set daemon.zone")
    if not zone_name(text):
        return ok("zone", about, f"{text!r} is the whole cluster")
    tables = await gather_nodes(config, seconds)
    if isinstance(tables, CheckResult):
        return tables
    if problem := zone_problem(tables, zone_name(text)):
        way_out = "wait for the node, or set daemon.zone to the zone of this database's nodes, or to * for all of them"
        return failed("zone", about, problem, way_out)
    return ok("zone", about, f"{text!r} is of {', '.join(shortened(sorted(Zone.of(text, tables.nodes).nodes or ())))}")


async def _traces(config: Config, facts: NorthboundFacts, seconds: float) -> list[CheckResult]:
    """Say what the controller in ovn-kubernetes has left in the status of policies, where it has left rows."""
    zone = zone_name(config.daemon.zone or facts.zone or "")
    found = await look_for_old_controller(config, zone, seconds) if facts.theirs else None
    return [] if found is None else [found]


async def _daemon(config: Config, seconds: float) -> CheckResult:
    section = config.http
    try:
        status, body = await waited(lambda: ask_daemon(section, "/readyz", seconds))
    except GetError as error:
        return skipped("daemon", "on this machine", str(error))
    said = json.loads(body)
    if status == HTTPStatus.OK:
        return ok("daemon", section.listen, f"ready, {said['role']}")
    waits = "; ".join(f"{part}: {reason}" for part, reason in said["waiting_for"].items())
    return failed("daemon", section.listen, f"not ready: {waits}", READYZ)


def _place(mistake: Mistake) -> str:
    return str(mistake).removesuffix(f": {mistake.message}")


def _print(results: list[CheckResult], options: argparse.Namespace) -> None:
    count = Counter(each.verdict for each in results)
    if options.format == "json":
        show(Diagnosis(failed=count[Verdict.FAILED], warnings=count[Verdict.WARNING], checks=results))
        return
    paint = Painter.of(sys.stdout)
    width = max(len(each.check) for each in results)
    for each in results:
        sign, hue = SIGNS[each.verdict]
        paint.say(f"{paint(f'{sign} {each.check:{width}}', hue)}  {': '.join(filter(None, (each.about, each.found)))}")
        if each.way_out:
            paint.say(f"{'':{width + 2}}  {paint('→', Hue.BOLD)} {each.way_out}")
    paint.say(f"{count[Verdict.OK]} ok, {count[Verdict.WARNING]} to look at, {count[Verdict.FAILED]} failed")
