"""`nqosd diff`: what the daemon would change in the Northbound database now.

In: a configuration, and perhaps manifests. Out: a unified diff by policy and set, or JSON; exit code 0 if there is
nothing to change, 3 if there is, 1 if that can't be found out. Rule: it writes nothing and asks for no lock.
"""

import argparse
import asyncio
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from nqosd.commands.colour import Hue, Painter
from nqosd.commands.configuration import configuration
from nqosd.commands.differences import Section, remarks, sections
from nqosd.commands.exits import DIFFERENT, OK
from nqosd.commands.gathering import GatherError, gather_database, gather_objects
from nqosd.commands.offline import zone_problem
from nqosd.commands.output import complain, show
from nqosd.config import Config
from nqosd.explain.world import compiled
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope


class Differences(TypedDict):
    """What `nqosd diff` prints: sections as lines before and after, and what else there is to say."""

    differences: list[Section]
    notes: list[str]


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    config = configuration(options)
    differing, notes = asyncio.run(_compare(config, options.paths))
    if options.format == "json":
        show(Differences(differences=differing, notes=notes))
        return DIFFERENT if differing else OK
    for note in notes:
        complain(note)
    paint = Painter.of(sys.stdout)
    for section in differing:
        for line in _unified(section):
            paint.say(_painted(line, paint))
    return DIFFERENT if differing else OK


async def _compare(config: Config, paths: list[Path]) -> tuple[list[Section], list[str]]:
    """Find the sections that differ, and what else there is to say."""
    tables = await gather_objects(config, paths)
    database = await gather_database(config)
    if problem := zone_problem(tables, database.settings.zone):
        raise GatherError(problem)
    owner = database.settings.owner
    compiler = compiled(tables, database.settings, database.replica.switches)
    plan_options = PlanOptions(owner, may_wait=compiler.may_wait)
    replica, desired = database.replica, compiler.desired
    plan = make_plan(desired, replica, PlanScope.whole(desired, replica), plan_options)
    if plan.new_sets:  # their names may be taken by somebody else, which only asking by name tells
        replica = (await gather_database(config, plan.new_sets)).replica
        plan = make_plan(desired, replica, PlanScope.whole(desired, replica), plan_options)
    found = [each for each in sections(desired, replica, plan, owner) if each.differs]
    objections = (f"switch {name}: {words}" for name, words in sorted(compiler.objections.items()))
    notes = [*remarks(plan), *plan.conflicts.values(), *objections]
    return found, notes


def _unified(section: Section) -> Iterator[str]:
    before, after = f"database: {section.title}", f"desired: {section.title}"
    return difflib.unified_diff(section.before, section.after, before, after, lineterm="")


def _painted(line: str, paint: Painter) -> str:
    if line.startswith(("---", "+++")):
        return paint(line, Hue.BOLD)
    hues = {"-": Hue.RED, "+": Hue.GREEN, "@": Hue.CYAN}
    return paint(line, hues[line[0]]) if line[:1] in hues else line
