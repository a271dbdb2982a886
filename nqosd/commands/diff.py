"""`nqosd diff`: what the daemon would change in the Northbound database now.

In: a configuration, and perhaps manifests. Out: a unified diff by policy and set; exit code 0 if there is nothing to
change, 2 if there is, 1 if that can't be found out. Rule: it writes nothing and asks for no lock.
"""

import argparse
import asyncio
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nqosd.commands.colour import Hue, Painter
from nqosd.commands.configuration import add_config, load_config
from nqosd.commands.exits import BAD_CONFIG, DIFFERENT, FAILED, OK
from nqosd.commands.output import complain
from nqosd.config import Config, ConfigError

if TYPE_CHECKING:
    from nqosd.commands import Subparsers
    from nqosd.northbound.plan.difference import Section


def add(commands: "Subparsers") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "diff",
        help="show what the daemon would change in the database now",
        description="Compare the Northbound database with what the daemon would make of it now, and print a unified "
        "diff by policy and set. Objects come from where the daemon takes them, or from manifests. Nothing is written. "
        "Exit codes: 0 nothing would change, 2 something would, 1 it couldn't be found out.",
    )
    add_config(parser)
    parser.add_argument("paths", nargs="*", metavar="PATH", type=Path, help="a manifest, or a folder of manifests")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        config = load_config(options.config)
    except ConfigError as error:
        complain(error)
        return BAD_CONFIG
    from nqosd.commands.gathering import GatherError  # noqa: PLC0415 - what speaks with others takes long to import
    from nqosd.telemetry import logs  # noqa: PLC0415

    logs.configure("error", config.log.format)
    try:
        sections, remarks = asyncio.run(_compare(config, options.paths))
    except GatherError as error:
        complain(f"nqosd diff: {error}")
        return FAILED
    for remark in remarks:
        complain(remark)
    paint = Painter.of(sys.stdout)
    for section in sections:
        for line in _unified(section):
            paint.say(_painted(line, paint))
    return DIFFERENT if sections else OK


async def _compare(config: Config, paths: list[Path]) -> tuple[list["Section"], list[str]]:
    """Find the sections that differ, and what else there is to say."""
    from nqosd.commands.gathering import gather_database, gather_objects  # noqa: PLC0415
    from nqosd.explain.world import compiled  # noqa: PLC0415
    from nqosd.northbound.plan.circumstances import Circumstances  # noqa: PLC0415
    from nqosd.northbound.plan.difference import remarks, sections  # noqa: PLC0415
    from nqosd.northbound.plan.plan import make_plan  # noqa: PLC0415
    from nqosd.northbound.replica.scope import Scope  # noqa: PLC0415

    tables = await gather_objects(config, paths)
    database = await gather_database(config)
    owner = database.settings.owner
    compiler = compiled(tables, database.settings)
    circumstances = Circumstances(owner, may_wait=compiler.may_wait)
    replica, desired = database.replica, compiler.desired
    plan = make_plan(desired, replica, Scope.whole(desired, replica), circumstances)
    if plan.new_sets:  # their names may be taken by somebody else, which only asking by name tells
        replica = (await gather_database(config, plan.new_sets)).replica
        plan = make_plan(desired, replica, Scope.whole(desired, replica), circumstances)
    found = [each for each in sections(desired, replica, plan, owner) if each.differs]
    notes = [*remarks(plan), *plan.conflicts.values()]
    return found, notes


def _unified(section: "Section") -> Iterator[str]:
    before, after = f"database: {section.title}", f"desired: {section.title}"
    return difflib.unified_diff(section.before, section.after, before, after, lineterm="")


def _painted(line: str, paint: Painter) -> str:
    if line.startswith(("---", "+++")):
        return paint(line, Hue.BOLD)
    hues = {"-": Hue.RED, "+": Hue.GREEN, "@": Hue.CYAN}
    return paint(line, hues[line[0]]) if line[:1] in hues else line
