"""`nqosd diff`: what the daemon would change in the Northbound database now.

In: a configuration, and perhaps manifests. Out: a unified diff by policy and set, or JSON; exit code 0 if there is
nothing to change, 3 if there is, 1 if that can't be found out. Rule: it writes nothing and asks for no lock.
"""

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from msgspec.structs import replace

from nqosd.cache.tables import Tables
from nqosd.commands.colour import Hue, Painter
from nqosd.commands.configuration import configuration
from nqosd.commands.differences import Section, remarks, sections
from nqosd.commands.exits import DIFFERENT, OK
from nqosd.commands.gathering import Database, GatherError, gather_database, gather_objects
from nqosd.commands.offline import zone_problem
from nqosd.commands.output import complain, show
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.config import Config
from nqosd.explain.world import compiled
from nqosd.northbound.plan.plan import Plan, make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.runtime import interrupts


class Differences(TypedDict):
    """What `nqosd diff` prints: sections as lines before and after, and what else there is to say."""

    differences: list[Section]
    notes: list[str]


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    config = configuration(options)
    found = interrupts.run(_compare(config, options.paths))
    if options.format == "json":
        show(found)
    else:
        tell(found)
    return DIFFERENT if found["differences"] else OK


def tell(found: Differences, before: str = "") -> None:
    """Print what differs, and on standard error what else there is to say; `before` stands before each title."""
    for note in found["notes"]:
        complain(f"{before}{note}")
    paint = Painter.of(sys.stdout)
    for section in found["differences"]:
        for line in _unified(section, before):
            paint.say(_painted(line, paint))


async def _compare(config: Config, paths: list[Path]) -> Differences:
    """Find what differs."""
    tables = await gather_objects(config, paths)
    database = await gather_database(config)
    compiler = compiled_for(tables, database)
    plan = _plan(compiler, database)
    if plan.new_sets:  # their names may be taken by somebody else, which only asking by name tells
        replica = (await gather_database(config, plan.new_sets)).replica
        database = replace(database, replica=replica)
    return differences(compiler, database)


def compiled_for(tables: Tables, database: Database) -> IncrementalCompiler:
    """Compile all objects for a database.

    Raises:
        GatherError: nothing is known about its zone.
    """
    if problem := zone_problem(tables, database.settings.zone):
        raise GatherError(problem)
    return compiled(tables, database.settings, database.replica.switches)


def differences(compiler: IncrementalCompiler, database: Database) -> Differences:
    """Find the sections that differ, and what else there is to say."""
    plan = _plan(compiler, database)
    found = sections(compiler.desired, database.replica, plan, database.settings.owner)
    objections = (f"switch {name}: {words}" for name, words in sorted(compiler.objections.items()))
    return Differences(
        differences=[each for each in found if each.differs],
        notes=[*remarks(plan), *plan.conflicts.values(), *objections],
    )


def _plan(compiler: IncrementalCompiler, database: Database) -> Plan:
    options = PlanOptions(database.settings.owner, may_wait=compiler.may_wait)
    scope = PlanScope.whole(compiler.desired, database.replica)
    return make_plan(compiler.desired, database.replica, scope, options)


def _unified(section: Section, before: str) -> Iterator[str]:
    titles = f"{before}database: {section.title}", f"{before}desired: {section.title}"
    return difflib.unified_diff(section.before, section.after, *titles, lineterm="")


def _painted(line: str, paint: Painter) -> str:
    if line.startswith(("---", "+++")):
        return paint(line, Hue.BOLD)
    hues = {"-": Hue.RED, "+": Hue.GREEN, "@": Hue.CYAN}
    return paint(line, hues[line[0]]) if line[:1] in hues else line
